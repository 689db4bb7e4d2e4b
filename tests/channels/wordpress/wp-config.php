<?php
// A WordPress for the tests: SQLite, nothing fetched, nothing done by the clock. What a gate before it says by its own
// headers changes the site for one request: no https, no trash, and so on (see also switches.php).
$_SERVER['HTTP_HOST'] ??= '127.0.0.1';
define( 'DB_NAME', 'wordpress' );
define( 'DB_USER', '' );
define( 'DB_PASSWORD', '' );
define( 'DB_HOST', '' );
define( 'DB_CHARSET', 'utf8mb4' );
define( 'DB_COLLATE', '' );
define( 'DB_DIR', __DIR__ . '/wp-content/database/' );
define( 'DB_FILE', 'site.sqlite' );
define( 'WP_HOME', 'http://' . $_SERVER['HTTP_HOST'] . '/wordpress' );
define( 'WP_SITEURL', WP_HOME );
define( 'WP_ENVIRONMENT_TYPE', isset( $_SERVER['HTTP_X_SITE_PRODUCTION'] ) ? 'production' : 'local' );
define( 'EMPTY_TRASH_DAYS', isset( $_SERVER['HTTP_X_SITE_NO_TRASH'] ) ? 0 : 30 );
define( 'WP_HTTP_BLOCK_EXTERNAL', true );
define( 'DISABLE_WP_CRON', true );
define( 'AUTOMATIC_UPDATER_DISABLED', true );
define( 'WP_DEBUG', false );
foreach ( array( 'AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE' ) as $name ) {
	define( $name . '_KEY', 'tests' . $name );
	define( $name . '_SALT', 'tests' . $name );
}
$table_prefix = 'wp_';
define( 'ABSPATH', __DIR__ . '/' );
require_once ABSPATH . 'wp-settings.php';
