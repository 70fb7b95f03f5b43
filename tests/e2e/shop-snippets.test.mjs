// The snippets of docs/shops/*-orders.md, run as they stand there against stand-ins of the shops, and what
// the shop then sends, through the built Worker: the token of the link must come out as an advocate's order.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runInNewContext } from "node:vm";
import { api, createProgram, noon, root, setClock, temporaryDirectory } from "./harness.mjs";
import { startMiniflare } from "./miniflare.mjs";

const SECRET = "what the shop and we know";
const SHOPS = ["shopify", "woocommerce", "shopware"];

// A program for each shop, older than the orders of the fixtures.
let worker;
const programs = {};
before(async () => {
  const secrets = Object.fromEntries(SHOPS.map((shop) => [`nach-${shop}`, { [shop]: [SECRET] }]));
  worker = await startMiniflare({ vars: { SHOP_SECRETS: JSON.stringify(secrets) } });
  await setClock(worker, "2026-11-02T08:00:00Z");
  for (const shop of SHOPS) programs[shop] = await createProgram(worker, { id: `nach-${shop}` });
});
after(() => worker?.stop());

// The blocks of a page in a language, without their fences.
const blocks = (shop, language) => {
  const page = readFileSync(join(root, `docs/shops/${shop}-orders.md`), "utf8");
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, text]) => text);
};
const script = (html) => /<script>([\s\S]*?)<\/script>/.exec(html)[1];

// What a script of a page asks for, opened with this query.
function asked(code, search, window = {}) {
  const asked = [];
  const fetch = (url, init = {}) => asked.push(JSON.parse(JSON.stringify([url, init])));
  runInNewContext(code, { location: { search }, window, fetch, URLSearchParams, JSON });
  return asked;
}

const fixture = (name) => JSON.parse(readFileSync(join(root, `core/fixtures/shop/${name}.json`), "utf8"));

async function send(shop, topic, payload) {
  const body = JSON.stringify(payload);
  const mac = (encoding) => createHmac("sha256", SECRET).update(body).digest(encoding);
  const headers = {
    shopify: () => ({ "x-shopify-topic": topic, "x-shopify-hmac-sha256": mac("base64") }),
    woocommerce: () => ({ "x-wc-webhook-topic": topic, "x-wc-webhook-signature": mac("base64") }),
    shopware: () => ({ "shopware-shop-signature": mac("hex") }),
  }[shop]();
  const answer = await api(worker)("POST", `/v1/hooks/${shop}/nach-${shop}`, body, { raw: true, headers });
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
}

// A token as the redirect hands it out, before these orders were made.
async function click(shop) {
  await setClock(worker, "2026-11-03T07:00:00Z");
  const token = await programs[shop].click("10023");
  await setClock(worker, noon());
  return token;
}

test("Shopify: the theme's snippet puts the token into the cart, and its order is an advocate's", async () => {
  const token = await click("shopify");
  const [html] = blocks("shopify", "html");
  assert.deepEqual(asked(script(html), "?utm_source=x"), []);
  const [[url, init], ...more] = asked(script(html), `?utm_source=x&pa=${token}`, { Shopify: { routes: { root: "/de/" } } });
  assert.deepEqual([url, init.method, init.headers, more], ["/de/cart/update.js", "POST", { "content-type": "application/json" }, []]);
  assert.equal(asked(script(html), `?pa=${token}`)[0][0], "/cart/update.js");
  const { attributes } = JSON.parse(init.body);
  const order = fixture("shopify_orders_paid");
  order.note_attributes = Object.entries(attributes).map(([name, value]) => ({ name, value }));
  const { recorded } = await send("shopify", "orders/paid", order);
  assert.deepEqual(recorded.map(({ fact, attributed }) => [fact, attributed]), [["conversion", true]]);
});

test("Shopware: the app's template hands the token to the session, and its order is an advocate's", async () => {
  const token = await click("shopware");
  const [twig] = blocks("shopware", "twig");
  const page = twig.replace("{{ path('frontend.home.page') }}", "/de/");
  assert.deepEqual(asked(script(page), "?x=1"), []);
  const [[url]] = asked(script(page), `?pa=${token}`);
  const session = new URL(url, "https://shop.example");
  assert.equal(session.pathname, "/de/");
  const payload = fixture("shopware_transaction_paid");
  const { order } = payload.data.payload;
  order.customFields = null;
  for (const name of ["affiliateCode", "campaignCode"]) order[name] = session.searchParams.get(name);
  const { recorded } = await send("shopware", "", payload);
  assert.deepEqual(recorded.map(({ fact, attributed }) => [fact, attributed]), [["conversion", true]]);
});

test("Shopware: every event of the manifest is one that is understood", async () => {
  const [xml] = blocks("shopware", "xml");
  const events = [...xml.matchAll(/event="([^"]+)"/g)].map(([, event]) => event);
  assert.equal(events.length, 8);
  for (const event of events) {
    const payload = fixture("shopware_delivery_returned");
    payload.data.event = event;
    payload.data.payload.order.id = `other-${event}`;
    const { recorded, ignored } = await send("shopware", "", payload);
    // Without a credit on the order nobody knows how much.
    const isKnown = event.endsWith("refunded_partially") ? /does not say how much/.test(ignored) : recorded.length === 1;
    assert.ok(isKnown, `${event}: ${ignored}`);
  }
});

// What the plugin asks WordPress and WooCommerce for, as far as it does.
const WORDPRESS = String.raw`<?php
define( 'ABSPATH', '/' );
$hooks = array();
function add_action( $name, $do, $priority = 10, $arguments = 1 ) { $GLOBALS['hooks'][ $name ][] = $do; }
function add_filter( $name, $do, $priority = 10, $arguments = 1 ) { add_action( $name, $do ); }
function call( $name, ...$arguments ) { foreach ( $GLOBALS['hooks'][ $name ] as $do ) { $last = $do( ...$arguments ); } return $last; }
function wp_unslash( $value ) { return stripslashes( $value ); }
function sanitize_text_field( $value ) { return trim( strip_tags( $value ) ); }
function wp_get_post_terms( $product, $taxonomy, $arguments ) { return array( 93 => array( 'tee', 'assam' ) )[ $product ] ?? array(); }
function wc_get_is_paid_statuses() { return array( 'processing', 'completed' ); }
function wc_get_price_decimals() { return 2; }
function wc_get_order( $id ) { return $GLOBALS['orders'][ $id ] ?? false; }
function wc_get_orders( $query ) { $GLOBALS['asked'] = $query; return $GLOBALS['earlier']; }
class Session {
	public $kept = array();
	public $cookie = false;
	function set_customer_session_cookie( $set ) { $this->cookie = $set; }
	function set( $name, $value ) { $this->kept[ $name ] = $value; }
	function get( $name ) { return $this->kept[ $name ] ?? null; }
}
class Shop { public $session; }
function WC() { static $shop; if ( ! $shop ) { $shop = new Shop(); $shop->session = new Session(); } return $shop; }
class Line {
	public $product; public $total; public $tax;
	function __construct( $product, $total, $tax ) { [ $this->product, $this->total, $this->tax ] = array( $product, $total, $tax ); }
	function get_product_id() { return $this->product; }
	function get_total() { return $this->total; }
	function get_total_tax() { return $this->tax; }
}
class Order {
	public $id; public $lines; public $made; public $meta = array(); public $refunds = array(); public $shipping = array(); public $saved = 0;
	function __construct( $id, $lines, $made ) { [ $this->id, $this->lines, $this->made ] = array( $id, $lines, $made ); }
	function get_id() { return $this->id; }
	function get_items( $types = 'line_item' ) { return 'line_item' === $types ? $this->lines : $this->lines + $this->shipping; }
	function get_date_created() { return new class( $this->made ) { public $at; function __construct( $at ) { $this->at = $at; } function getTimestamp() { return $this->at; } }; }
	function get_refunds() { return $this->refunds; }
	function get_customer_id() { return 20871; }
	function get_billing_email() { return 'mia.sommer@example.org'; }
	function get_meta( $key ) { return $this->meta[ $key ] ?? ''; }
	function update_meta_data( $key, $value ) { $this->meta[ $key ] = $value; }
	function save() { $this->saved++; }
}
`;

const STORY = String.raw`
$in = json_decode( getenv( 'STORY' ), true );
$earlier = $in['earlier'];
$_GET = array();
call( 'template_redirect' );
$before = WC()->session->cookie;
$_GET = array( 'pa' => $in['token'] );
call( 'template_redirect' );
$order = new Order( 10077, array( 315 => new Line( 93, '20.94', '1.47' ), 316 => new Line( 94, '23.10', '4.39' ) ), 1793694010 );
$orders = array( 10077 => $order );
call( $in['checkout'], $order );
$goods = new Order( 10101, array( 1 => new Line( 93, '-10.48', '-0.73' ) ), 1794315598 );
$goods->shipping = array( 2 => new Line( 0, '-4.12', '-0.78' ) );
$shipping = new Order( 10102, array(), 1794315600 );
$shipping->shipping = array( 3 => new Line( 0, '-4.12', '-0.78' ) );
$order->refunds = array( $goods, $shipping, new Order( 10103, array(), 1794315602 ) );
call( 'woocommerce_order_status_completed', 10077 );
$delivered = $order->meta['_passalong_delivered_at'];
call( 'woocommerce_order_status_completed', 10077 );
$payload = call( 'woocommerce_webhook_payload', $in['payload'], 'order', 10077 );
$other = call( 'woocommerce_webhook_payload', array( 'id' => 1 ), 'product', 1 );
echo json_encode( compact( 'before', 'delivered', 'payload', 'other', 'asked' ) + array( 'meta' => $order->meta, 'saved' => $order->saved, 'cookie' => WC()->session->cookie ) );
`;

// The plugin and the addition for delivered orders, in one run of PHP.
function plugin(story) {
  const [whole, delivered] = blocks("woocommerce", "php").map((text) => text.replace(/^<\?php\n/, ""));
  const file = join(temporaryDirectory("php"), "story.php");
  writeFileSync(file, WORDPRESS + whole + delivered + STORY);
  const { error, status, stdout, stderr } = spawnSync("php", ["-d", "error_reporting=-1", "-d", "display_errors=stderr", file], {
    env: { ...process.env, STORY: JSON.stringify(story) },
    encoding: "utf8",
  });
  assert.equal(error, undefined, "this test needs PHP: sudo apt-get install -y php-cli");
  assert.deepEqual([status, stderr], [0, ""], stdout);
  return JSON.parse(stdout);
}

test("WooCommerce: the plugin brings the token to the order and completes the payload", async () => {
  const token = await click("woocommerce");
  for (const [checkout, earlier, id] of [
    ["woocommerce_checkout_create_order", [], 10077],
    ["woocommerce_store_api_checkout_update_order_meta", [9001], 10078],
  ]) {
    const order = fixture("woocommerce_order_refunded");
    order.meta_data = [];
    order.coupon_lines = [];
    order.refunds = [10101, 10102, 10103].map((refund) => ({ id: refund, reason: "", total: refund === 10103 ? "-2.00" : "-4.90" }));
    const ran = plugin({ token, checkout, earlier, payload: { ...order, id } });
    assert.deepEqual([ran.before, ran.cookie, ran.meta._passalong_pa, ran.saved], [false, true, token, 1]);
    assert.match(ran.delivered, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.deepEqual(ran.other, { id: 1 });
    assert.deepEqual([ran.asked.customer, ran.asked.date_created, ran.asked.exclude], [[20871, "mia.sommer@example.org"], "<1793694010", [10077]]);
    assert.deepEqual(ran.payload.passalong, {
      first_order: earlier.length === 0,
      categories: { 315: "tee" },
      refunds: {
        10101: { at: "2026-11-10T12:59:58Z", goods: "11.21" },
        10102: { at: "2026-11-10T13:00:00Z", goods: "0.00" },
        10103: { at: "2026-11-10T13:00:02Z" },
      },
    });
    // As WooCommerce sends it: with the order's meta.
    ran.payload.meta_data = Object.entries(ran.meta).map(([key, value], at) => ({ id: at, key, value: key === "_passalong_pa" ? value : "2026-11-06T10:30:00Z" }));
    const { recorded } = await send("woocommerce", "order.updated", ran.payload);
    const [conversion, ...events] = recorded;
    assert.deepEqual([conversion.attributed, conversion.reason], earlier.length ? [false, "friend_already_referred"] : [true, undefined]);
    // Shipping alone is no refund; money back without lines is.
    assert.deepEqual(events.map(({ event_id }) => event_id), ["delivered", "refund-10101", "refund-10103"]);
    const { body } = await programs.woocommerce.server("GET", `/v1/conversions/${id}`);
    assert.deepEqual(body.events.map(({ type, amount }) => `${type} ${amount ?? 0}`).sort(), ["delivered 0", "refunded 1121", "refunded 200"]);
  }
});
