<?php
// PHP's own web server as a site with readable addresses would be served: files as they are, all else by WordPress.
$path = rawurldecode( parse_url( $_SERVER['REQUEST_URI'], PHP_URL_PATH ) );
if ( is_file( __DIR__ . $path ) ) {
	return false;
}
if ( isset( $_SERVER['HTTP_X_SITE_PLAIN'] ) && '/wordpress/' !== $path ) {
	http_response_code( 404 );
	exit( '<h1>Not Found</h1>' );
}
$_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = '/wordpress/index.php';
require __DIR__ . '/wordpress/index.php';
