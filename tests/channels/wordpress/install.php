<?php
// Install the site, and print the application passwords of its users as JSON.
define( 'WP_INSTALLING', true );
require $argv[1] . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install( 'Trang tin phường', 'quan-tri', 'admin@example.vn', true, '', 'khong-dung-den' );
update_option( 'permalink_structure', '/%postname%/' );
update_option( 'timezone_string', 'Asia/Ho_Chi_Minh' );
wp_insert_term( 'Chuyển đổi số', 'category' );
wp_insert_term( 'Tin & bài', 'category' );
$passwords = array();
foreach ( array( 'quan-tri' => 'administrator', 'dang-bai' => 'author', 'cong-tac' => 'contributor' ) as $login => $role ) {
	$user = username_exists( $login ) ?: wp_create_user( $login, wp_generate_password(), $login . '@example.vn' );
	( new WP_User( $user ) )->set_role( $role );
	list( $passwords[ $login ] ) = WP_Application_Passwords::create_new_application_password( $user, array( 'name' => 'Lan Tỏa' ) );
}
wp_delete_post( 1, true );
switch_theme( 'twentytwentyone' );
file_put_contents( $argv[2], wp_json_encode( $passwords ) );
