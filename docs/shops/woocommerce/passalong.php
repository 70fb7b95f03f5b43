<?php
/**
 * Plugin Name: Passalong
 * Description: Referral programme in the customer account of WooCommerce: link, share buttons and the status of every referral.
 * Version: 1.0.0
 * Requires at least: 6.3
 * Requires PHP: 7.4
 * Requires Plugins: woocommerce
 * License: MIT OR Apache-2.0
 *
 * Both licences are compatible with WordPress' GPL (Apache-2.0 with version 3).
 */

defined( 'ABSPATH' ) || exit;

/** The name of the tab in the account's address, of the AJAX actions and of the settings. */
const PASSALONG = 'passalong';

/** A setting. The secret is better kept in wp-config.php, as PASSALONG_IDENTITY_SECRET. */
function passalong_setting( string $name ): string {
	$constant = 'PASSALONG_' . strtoupper( $name );
	return trim( (string) ( defined( $constant ) ? constant( $constant ) : get_option( "passalong_$name", '' ) ) );
}

// --- Who is logged in -------------------------------------------------------------------------------

function passalong_base64url( string $bytes ): string {
	return rtrim( strtr( base64_encode( $bytes ), '+/', '-_' ), '=' );
}

/** An identity token for a customer: a JWT, HS256 with the text of the secret as it was shown. */
function passalong_token( int $customer, int $now ): string {
	$claims = array(
		// A string, although WordPress counts its users.
		'sub' => (string) $customer,
		'aud' => passalong_setting( 'program' ),
		'iat' => $now,
		'exp' => $now + 3600,
	);
	$signed = passalong_base64url( '{"alg":"HS256","typ":"JWT"}' ) . '.' . passalong_base64url( wp_json_encode( $claims ) );
	return $signed . '.' . passalong_base64url( hash_hmac( 'sha256', $signed, passalong_setting( 'identity_secret' ), true ) );
}

/** What the widget's token-url answers: a token for who is logged in in this browser, or 401. */
function passalong_send_token(): void {
	nocache_headers();
	$customer = get_current_user_id();
	if ( 0 === $customer ) {
		wp_send_json( array( 'error' => 'nobody is logged in' ), 401 );
	}
	if ( '' === passalong_setting( 'program' ) || '' === passalong_setting( 'identity_secret' ) ) {
		wp_send_json( array( 'error' => 'Passalong has no program or no identity secret: WooCommerce, Passalong' ), 500 );
	}
	wp_send_json( array( 'token' => passalong_token( $customer, time() ) ) );
}
add_action( 'wc_ajax_passalong_token', 'passalong_send_token' );

// --- The tab in the customer's account ---------------------------------------------------------------

add_action(
	'init',
	function () {
		add_rewrite_endpoint( PASSALONG, EP_ROOT | EP_PAGES );
	}
);
register_activation_hook(
	__FILE__,
	function () {
		add_rewrite_endpoint( PASSALONG, EP_ROOT | EP_PAGES );
		flush_rewrite_rules();
	}
);
add_filter(
	'woocommerce_get_query_vars',
	function ( $vars ) {
		$vars[ PASSALONG ] = PASSALONG;
		return $vars;
	}
);
add_filter(
	'woocommerce_account_menu_items',
	function ( $items ) {
		$german = 0 === strpos( get_locale(), 'de' );
		$tab    = array( PASSALONG => $german ? 'Weiterempfehlen' : 'Recommend us' );
		// Before the last, which is to log out.
		return array_slice( $items, 0, -1, true ) + $tab + array_slice( $items, -1, null, true );
	}
);

function passalong_show_account(): void {
	$host = passalong_setting( 'host' );
	if ( '' === $host || '' === passalong_setting( 'program' ) ) {
		return;
	}
	wp_enqueue_script( PASSALONG, "https://$host/pass-along.js", array(), null, array( 'strategy' => 'async', 'in_footer' => true ) );
	printf(
		'<pass-along program="%s" token-url="%s"></pass-along>',
		esc_attr( passalong_setting( 'program' ) ),
		esc_url( WC_AJAX::get_endpoint( 'passalong_token' ) )
	);
}
add_action( 'woocommerce_account_' . PASSALONG . '_endpoint', 'passalong_show_account' );

// --- The click token, from the link to the order -----------------------------------------------------

/** The browser hands it over, because a page cache may answer before PHP does. */
function passalong_remember(): void {
	$pa = isset( $_POST['pa'] ) ? sanitize_text_field( wp_unslash( $_POST['pa'] ) ) : '';
	if ( preg_match( '/^[\w-]{35}$/', $pa ) && WC()->session ) {
		WC()->session->set_customer_session_cookie( true );
		WC()->session->set( 'passalong_pa', $pa );
	}
	wp_send_json( array( 'kept' => true ) );
}
add_action( 'wc_ajax_passalong_pa', 'passalong_remember' );

/** Prints what hands it over. Where consent is to come first: remove_action( 'wp_footer', 'passalong_print_carrier' ). */
function passalong_print_carrier(): void {
	$url = wp_json_encode( WC_AJAX::get_endpoint( 'passalong_pa' ), JSON_HEX_TAG );
	echo '<script>(() => { const pa = new URLSearchParams(location.search).get("pa"); if (pa) fetch(' . $url . ', { method: "POST", body: new URLSearchParams({ pa }) }); })();</script>';
}

/** Writes it into the order, where the webhook of orders finds it. */
function passalong_mark_order( $order ): void {
	$pa = WC()->session ? WC()->session->get( 'passalong_pa' ) : null;
	if ( $pa ) {
		$order->update_meta_data( '_passalong_pa', $pa );
	}
}

add_action(
	'plugins_loaded',
	function () {
		// The plugin of woocommerce-orders.md does the same.
		if ( function_exists( 'passalong_keep_token' ) ) {
			return;
		}
		add_action( 'wp_footer', 'passalong_print_carrier' );
		add_action( 'woocommerce_checkout_create_order', 'passalong_mark_order' );
		add_action( 'woocommerce_store_api_checkout_update_order_meta', 'passalong_mark_order' );
	}
);

// --- Settings ----------------------------------------------------------------------------------------

const PASSALONG_FIELDS = array(
	'host'            => 'Host of the referral Worker, for example referrals.shop.example',
	'program'         => 'Program, for example teehaus',
	'identity_secret' => 'Identity secret (is_…), better as PASSALONG_IDENTITY_SECRET in wp-config.php',
);

add_action(
	'admin_init',
	function () {
		foreach ( array_keys( PASSALONG_FIELDS ) as $name ) {
			register_setting( PASSALONG, "passalong_$name", array( 'sanitize_callback' => 'sanitize_text_field' ) );
		}
	}
);
add_action(
	'admin_menu',
	function () {
		add_submenu_page( 'woocommerce', 'Passalong', 'Passalong', 'manage_woocommerce', PASSALONG, 'passalong_show_settings' );
	}
);
// Who runs the shop may save them; WordPress would ask for an administrator.
add_filter(
	'option_page_capability_' . PASSALONG,
	function () {
		return 'manage_woocommerce';
	}
);

function passalong_show_settings(): void {
	echo '<div class="wrap"><h1>Passalong</h1><form method="post" action="options.php">';
	settings_fields( PASSALONG );
	echo '<table class="form-table">';
	foreach ( PASSALONG_FIELDS as $name => $label ) {
		$secret = 'identity_secret' === $name;
		printf(
			'<tr><th><label for="passalong_%1$s">%2$s</label></th><td><input id="passalong_%1$s" name="passalong_%1$s" type="%3$s" value="%4$s" class="regular-text" autocomplete="off"%5$s></td></tr>',
			esc_attr( $name ),
			esc_html( $label ),
			$secret ? 'password' : 'text',
			esc_attr( (string) get_option( "passalong_$name", '' ) ),
			defined( 'PASSALONG_' . strtoupper( $name ) ) ? ' disabled' : ''
		);
	}
	echo '</table>';
	submit_button();
	echo '</form></div>';
}
