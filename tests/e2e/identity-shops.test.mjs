// The account pages of docs/shops, each followed as it is written: the shop says who is logged in, the Worker
// believes its signature, and the widget (or the extension) in a real page shows that customer's link. What a
// shop system does is written here from its documentation; its own software is not at hand.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { build } from "esbuild";
import { Liquid } from "liquidjs";
import twig from "twig";
import { api, createProgram, instant, kvOperations, root, secrets, startWorker, temporaryDirectory, unique, until } from "./harness.mjs";
import { HOST, openShop } from "./shop-pages.mjs";
import { run, snippets } from "./snippets.mjs";

const DOMAIN = "teehaus.myshopify.com";
const CLIENT_SECRET = "shpss_0123456789abcdef0123456789abcdef";
const APP_SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const file = (path) => readFileSync(join(root, "docs/shops", path), "utf8");
const hex = (secret, text) => createHmac("sha256", secret).update(text).digest("hex");
const seconds = () => Math.floor(worker.now() / 1000);
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const jwt = (secret, claims) => {
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
};

let worker;
let program;
let shop;
before(async () => {
  const shops = { [secrets.program]: { shopify: ["an older client secret", CLIENT_SECRET], shopware: [APP_SECRET] } };
  worker = await startWorker({ vars: { SHOP_SECRETS: JSON.stringify(shops) } });
  program = await createProgram(worker, { id: secrets.program, allowed_hosts: [DOMAIN] });
  shop = await openShop(worker);
});
after(async () => {
  await shop?.stop();
  await worker?.stop();
});

// The placeholders of a guide, filled in as it says.
const filled = (text) => text.replaceAll("YOUR-WORKER", HOST).replaceAll("YOUR-PROGRAM", program.id).replaceAll("YOUR-SECRET", APP_SECRET);
const page = (body) => () => ({ body: `<!doctype html><html lang="de"><body>${body}</body></html>` });
const json = (body, status = 200) => ({ status, type: "application/json", body: JSON.stringify(body) });

// Whose link the widget on a page shows; null where it addresses a visitor.
async function linkShown(path, customer) {
  const { page, said, close } = await shop.open(path, { customer });
  try {
    const ready = page.locator("pass-along section.card");
    await ready.waitFor({ timeout: 20_000 });
    await until(async () => (await page.locator("pass-along [aria-busy=true]").count()) === 0, { what: "the widget to be done" });
    const field = page.locator("pass-along .url");
    return { link: (await field.count()) ? await field.inputValue() : null, said };
  } finally {
    await close();
  }
}

async function assertShows(path, customer) {
  const { link, said } = await linkShown(path, customer);
  assert.equal(link?.split("/").at(-1), await program.code(customer), said.join("\n"));
  const visitor = await linkShown(path, null);
  assert.ok(!visitor.link?.includes("/r/"), `a visitor sees ${visitor.link}`);
}

// Shopify's side of an app proxy whose URL is `target`.
async function proxy(target, { path, query, customer }) {
  const sent = [...query, ["shop", DOMAIN], ["logged_in_customer_id", customer ?? ""], ["path_prefix", "/apps/passalong"], ["timestamp", String(seconds())]];
  const names = [...new Set(sent.map(([name]) => name))];
  const lines = names.map((name) => `${name}=${sent.filter(([other]) => other === name).map(([, value]) => value).join(",")}`);
  const signed = new URLSearchParams([...sent, ["signature", hex(CLIENT_SECRET, lines.sort().join(""))]]);
  const answer = await fetch(`${target}${path.replace("/apps/passalong", "")}?${signed}`);
  return { status: answer.status, type: answer.headers.get("content-type"), body: await answer.text() };
}

test("Shopify: theme section, tag and app proxy show the customer who is logged in", async () => {
  const guide = snippets("docs/shops/shopify.md");
  const proxyUrl = /\| Proxy URL \| `(.+)` \|/.exec(file("shopify.md"))[1];
  const target = filled(proxyUrl).replace(`https://${HOST}`, worker.url);
  shop.routes.set(`/apps/passalong/${program.id}`, (request) => proxy(target, request));

  const liquid = new Liquid();
  let schema = "";
  liquid.registerTag("schema", {
    parse(_, rest) {
      for (let token = rest.shift(); token.name !== "endschema"; token = rest.shift()) schema += token.getText();
    },
    render: () => "",
  });
  const section = liquid.parse(file("shopify/referral.liquid"));
  const ids = JSON.parse(schema).settings.map(({ id }) => id);
  assert.deepEqual(ids, ["host", "program"]);
  const settings = { host: HOST, program: program.id };
  shop.routes.set("/pages/weiterempfehlen", page(await liquid.render(section, { section: { settings } })));
  await assertShows("/pages/weiterempfehlen", "7054389838");
  assert.equal((await liquid.render(section, { section: { settings: {} } })).trim(), "", "not set up, nothing is shown");

  const [tag] = guide.filter(({ language }) => language === "html");
  shop.routes.set("/pages/tag", page(filled(tag.text)));
  await assertShows("/pages/tag", "7054389839");
});

test("Shopify: the answers of the guide's table are those that come", async () => {
  const target = `${worker.url}/v1/identity/shopify`;
  const ask = (query, customer, path = program.id) => proxy(target, { path: `/apps/passalong/${path}`, query, customer });
  const good = await ask([], "7054389838");
  assert.equal(good.status, 200);
  assert.equal((await api(worker, JSON.parse(good.body).token)("GET", "/v1/me")).status, 200);
  assert.equal((await ask([["view", "a"], ["view", "b"]], "7054389838")).status, 200, "what a theme adds");
  for (const [asked, status, words] of [
    [ask([], null), 401, /not_logged_in/],
    [ask([["logged_in_customer_id", "1"]], "2"), 401, /logged_in_customer_id was sent twice/],
    [ask([], "7", "nirgends"), 404, /no shopify shop is connected/],
    [fetch(`${target}/${program.id}`).then(async (answer) => ({ status: answer.status, body: await answer.text() })), 401, /is missing/],
  ]) {
    const answer = await asked;
    assert.equal(answer.status, status, answer.body);
    assert.match(answer.body, words);
  }
});

test("Shopify: the extension shows link, copy and status to who is logged in", async () => {
  const friend = unique("friend");
  await program.order({ customer_id: friend, token: await program.click("7054389838") });
  const bundled = await build({
    entryPoints: [join(root, "docs/shops/shopify-extension/src/Referral.jsx")],
    bundle: true,
    write: false,
    format: "iife",
    globalName: "extension",
    jsx: "automatic",
    jsxImportSource: "preact",
    nodePaths: [join(root, "node_modules")],
    // Shopify's package teaches Preact about the host's elements; a browser's page needs no teaching.
    plugins: [{
      name: "host",
      setup(at) {
        at.onResolve({ filter: /^@shopify\/ui-extensions\/preact$/ }, () => ({ path: "preact", namespace: "host" }));
        at.onLoad({ filter: /.*/, namespace: "host" }, () => ({ contents: "" }));
      },
    }],
  });
  const texts = { en: JSON.parse(file("shopify-extension/locales/en.default.json")), de: JSON.parse(file("shopify-extension/locales/de.json")) };
  const keys = (node, at = "") => Object.entries(node).flatMap(([key, value]) => (typeof value === "string" ? [`${at}${key} ${(value.match(/\{\{\w+\}\}/g) ?? []).sort()}`] : keys(value, `${at}${key}.`)));
  assert.deepEqual(keys(texts.de), keys(texts.en));
  const toml = file("shopify-extension/shopify.extension.toml");
  assert.deepEqual([...toml.matchAll(/^key = "(\w+)"$/gm)].map(([, key]) => key), ["host", "program"]);

  shop.routes.set("/profile", page(`<script src="/extension.js"></script>`));
  shop.routes.set("/extension.js", () => ({ type: "text/javascript", body: `${bundled.outputFiles[0].text}\nextension.default();` }));
  const session = (claims) => jwt(CLIENT_SECRET, { dest: DOMAIN, iat: seconds(), nbf: seconds(), exp: seconds() + 300, ...claims });
  const show = (token) =>
    shop.open("/profile", {
      before: `globalThis.shopify = {
        settings: { value: ${JSON.stringify({ host: HOST, program: program.id })} },
        sessionToken: { get: async () => ${JSON.stringify(token)} },
        i18n: {
          translate: (key, values = {}) => key.split(".").reduce((at, name) => at[name], ${JSON.stringify(texts.de)}).replace(/\\{\\{(\\w+)\\}\\}/g, (_, name) => values[name]),
          formatNumber: (number) => number.toLocaleString("de-DE"),
          formatCurrency: (number, { currency }) => new Intl.NumberFormat("de-DE", { style: "currency", currency }).format(number),
          formatDate: (date) => date.toISOString().slice(0, 10),
        },
      };`,
    });
  const opened = await show(session({ sub: "gid://shopify/Customer/7054389838" }));
  try {
    const text = async () => (await opened.page.locator("body").innerText()).replace(/\s+/g, " ");
    await until(async () => (await text()).includes("Nr. 1"), { what: "the status" });
    assert.ok((await text()).includes(`/r/${program.id}/${await program.code("7054389838")}`), await text());
    assert.match(await text(), /Nr\. 1: 9,98 € ist vorgemerkt, entschieden bis \d{4}-\d\d-\d\d/);
    const copied = await opened.page.evaluate(() => {
      const button = document.querySelector("s-button");
      return document.getElementById(button.getAttribute("commandfor") ?? button.commandFor).getAttribute("text");
    });
    assert.ok(copied.endsWith(await program.code("7054389838")), copied);
  } finally {
    await opened.close();
  }
  for (const [claims, words] of [[{}, ""], [{ sub: "gid://shopify/Customer/1", dest: "evil.myshopify.com" }, texts.de.failed]]) {
    const other = await show(session(claims));
    try {
      await until(async () => other.said.length > 0, { what: "the console" });
      assert.equal((await other.page.locator("body").innerText()).trim(), words, other.said.join("\n"));
      if (words) assert.match(other.said.join("\n"), /not a shop of this program/);
    } finally {
      await other.close();
    }
  }
});

test("Shopware: the app of the guide connects, and shows the customer who is logged in", async () => {
  const manifest = filled(file("shopware/manifest.xml"));
  const element = (name) => new RegExp(`<${name}>(.*?)</${name}>`).exec(manifest)[1];
  assert.equal(element("name"), "Passalong");
  assert.ok(manifest.includes("<read>customer</read>"), "or the token names no customer");
  const { paths } = JSON.parse(readFileSync(join(root, "edge/openapi.json"), "utf8"));
  for (const [, url] of manifest.matchAll(/url="(.*?)"/g)) assert.equal(url, `https://${HOST}/v1/hooks/shopware/${program.id}`);
  assert.ok(paths["/v1/hooks/{shop}/{program}"] && paths["/v1/hooks/shopware/{program}/register"]);

  // What the shop does when the app is installed.
  const [shopId, shopUrl] = ["KIPf0Fz6BUkN", "https://shop.example"];
  const query = `shop-id=${shopId}&shop-url=${encodeURIComponent(shopUrl)}&timestamp=${seconds()}`;
  const at = (url) => url.replace(`https://${HOST}`, worker.url);
  const register = (secret) => fetch(`${at(element("registrationUrl"))}?${query}`, { headers: { "shopware-app-signature": hex(secret, query), "sw-version": "6.7.0.0" } });
  const registered = await register(element("secret"));
  const answer = await registered.json();
  assert.equal(registered.status, 200, JSON.stringify(answer));
  assert.equal(answer.proof, hex(element("secret"), `${shopId}${shopUrl}${element("name")}`), "the shop accepts the proof");
  assert.ok(answer.secret.length >= 64 && answer.secret.length <= 255, "a secret Shopware takes");
  const confirmation = JSON.stringify({ apiKey: "SWIA", secretKey: "Q1Qy", timestamp: String(seconds()), shopUrl, shopId });
  const confirm = (secret) => fetch(answer.confirmation_url, { method: "POST", headers: { "content-type": "application/json", "shopware-shop-signature": hex(secret, confirmation) }, body: confirmation });
  assert.equal((await confirm(answer.secret)).status, 204);
  assert.equal((await confirm("x")).status, 401);
  const wrong = await register("not the secret");
  assert.match((await wrong.json()).detail, /the shop's signature is wrong/);

  // The template, in the shop's layout; `sw_extends` is Shopware's own.
  const layout = "{% block page_account_overview_newest_order %}<p>Letzte Bestellung</p>{% endblock %}";
  twig.extendFunction("config", (name) => ({ "Passalong.config.host": HOST, "Passalong.config.program": program.id })[name]);
  twig.extendFunction("path", (name, { name: app }) => (name === "frontend.app-system.generate-token" ? `/app-system/${app}/generate-token` : null));
  twig.twig({ id: "layout", data: layout });
  const source = file("shopware/Resources/views/storefront/page/account/index.html.twig");
  const template = twig.twig({ data: source.replace(/^\{% sw_extends .* %\}/, '{% extends "layout" %}'), allowInlineIncludes: true });
  const account = template.render({ context: { customer: { guest: false } } });
  assert.ok(account.includes("Letzte Bestellung"), "what was there stays");
  assert.ok(!template.render({ context: { customer: { guest: true } } }).includes("pass-along"));
  shop.routes.set("/account", page(account));
  shop.routes.set("/app-system/Passalong/generate-token", ({ method, customer }) => {
    if (method !== "POST" || !customer) return json({ message: "Forbidden to generate token without a customer" }, 403);
    const now = worker.now() / 1000;
    return json({ token: jwt(answer.secret, { iss: shopId, iat: now, nbf: now, exp: now + 600, customerId: customer }), shopId, expires: instant(worker.now()) });
  });
  await assertShows("/account", "018f5c2e9d7a7b3c8e4f1a2b3c4d5e6f");
});

// What WordPress and WooCommerce lend the plugin, as far as it asks.
const WORDPRESS = `<?php
define('ABSPATH', '/'); define('EP_ROOT', 64); define('EP_PAGES', 4096);
$hooks = []; $session = []; $meta = [];
function add_action($name, $call) { global $hooks; $hooks[$name][] = $call; }
function add_filter($name, $call) { add_action($name, $call); }
function run_hook($name, ...$given) { global $hooks; foreach ($hooks[$name] ?? [] as $call) { $given[0] = $call(...$given) ?? ($given[0] ?? null); } return $given[0] ?? null; }
function register_activation_hook($file, $call) { add_action('activate', $call); }
function add_rewrite_endpoint($name, $places) { echo "endpoint $name\\n"; }
function flush_rewrite_rules() { echo "flushed\\n"; }
function get_option($name, $default) { return getenv(strtoupper($name)) ?: $default; }
function get_locale() { return getenv('LOCALE') ?: 'de_DE'; }
function get_current_user_id() { return (int) getenv('CUSTOMER_ID'); }
function nocache_headers() {}
function wp_json_encode($value, $flags = 0) { return json_encode($value, $flags); }
function wp_send_json($value, $status = 200) { echo json_encode(['status' => $status, 'body' => $value]); exit; }
function wp_enqueue_script($handle, $source, $needs, $version, $more) { echo '<script ' . $more['strategy'] . ' src="' . $source . '"></script>'; }
function esc_attr($text) { return htmlspecialchars($text, ENT_QUOTES); }
function esc_html($text) { return htmlspecialchars($text, ENT_QUOTES); }
function esc_url($text) { return esc_attr($text); }
function wp_unslash($text) { return stripslashes($text); }
function sanitize_text_field($text) { return trim(strip_tags($text)); }
class WC_AJAX { static function get_endpoint($name) { return "/?wc-ajax=$name"; } }
class Session {
  function set_customer_session_cookie($set) {}
  function set($name, $value) { file_put_contents(getenv('SESSION'), json_encode([$name => $value])); }
  function get($name) { return json_decode(@file_get_contents(getenv('SESSION')) ?: '{}', true)[$name] ?? null; }
}
class Order { public $meta = []; function update_meta_data($name, $value) { $this->meta[$name] = $value; } }
class Shop { public $session; }
function WC() { static $shop; if (!$shop) { $shop = new Shop; $shop->session = new Session; } return $shop; }
parse_str(getenv('POSTED') ?: '', $_POST);
`;

test("WooCommerce: the plugin's token is accepted, its tab shows the customer, and the click token reaches the order", async () => {
  const session = join(temporaryDirectory("session"), "session.json");
  const settings = { PASSALONG_HOST: HOST, PASSALONG_PROGRAM: program.id, PASSALONG_IDENTITY_SECRET: `${program.identitySecret}\n`, SESSION: session };
  const plugin = (then, env = {}) => run("php", `${WORDPRESS} require '${join(root, "docs/shops/woocommerce/passalong.php")}'; run_hook('plugins_loaded'); ${then}`, { ...settings, ...env });
  const token = async (env) => JSON.parse(await plugin("run_hook('wc_ajax_passalong_token');", env));

  const made = await token({ CUSTOMER_ID: "7" });
  const me = await api(worker, made.body.token)("GET", "/v1/me");
  assert.deepEqual([made.status, me.status, me.body.code], [200, 200, await program.code("7")], me.text);
  assert.equal((await token({ CUSTOMER_ID: "0" })).status, 401);
  assert.equal((await token({ CUSTOMER_ID: "7", PASSALONG_PROGRAM: "" })).status, 500);
  const foreign = await token({ CUSTOMER_ID: "7", PASSALONG_IDENTITY_SECRET: program.serverApiKey });
  assert.match((await api(worker, foreign.body.token)("GET", "/v1/me")).body.detail, /it was made with the server_api_key; use the identity_secret/);
  const lost = await token({ CUSTOMER_ID: "7", PASSALONG_PROGRAM: "teehause" });
  assert.match((await api(worker, lost.body.token)("GET", "/v1/me")).body.detail, /aud is teehause, and there is no such program here/);

  const items = await plugin("echo json_encode(run_hook('woocommerce_account_menu_items', ['orders' => 'Bestellungen', 'customer-logout' => 'Abmelden']));");
  assert.deepEqual(Object.entries(JSON.parse(items)), [["orders", "Bestellungen"], ["passalong", "Weiterempfehlen"], ["customer-logout", "Abmelden"]]);
  assert.equal(await plugin("run_hook('activate');"), "endpoint passalong\nflushed\n");
  shop.routes.set("/mein-konto/passalong/", page(await plugin("run_hook('woocommerce_account_passalong_endpoint');")));
  shop.routes.set("/", async ({ method, query, body, customer }) => {
    const answer = await plugin(`run_hook('wc_ajax_${query.get("wc-ajax")}');`, { CUSTOMER_ID: customer ?? "0", POSTED: method === "POST" ? body : "" });
    return json(JSON.parse(answer).body, JSON.parse(answer).status);
  });
  await assertShows("/mein-konto/passalong/", "7");

  const order = () => plugin("$order = new Order; run_hook('woocommerce_checkout_create_order', $order); echo json_encode($order->meta);");
  assert.equal(await order(), "[]", "an order nobody referred");
  shop.routes.set("/tee", page(await plugin("run_hook('wp_footer');")));
  const pa = await program.click("10023");
  const visit = await shop.open(`/tee?pa=${pa}`);
  await until(async () => (await order()) === JSON.stringify({ _passalong_pa: pa }), { what: "the click token in the order" });
  await visit.close();
  await plugin("run_hook('wc_ajax_passalong_pa');", { POSTED: "pa=%3Cscript%3E" });
  assert.equal(await order(), JSON.stringify({ _passalong_pa: pa }), "what is no token is not kept");
  const carriers = "echo count($hooks['wp_footer'] ?? []);";
  assert.equal(await plugin(carriers), "1");
  const twice = await run("php", `${WORDPRESS} function passalong_keep_token() {} require '${join(root, "docs/shops/woocommerce/passalong.php")}'; run_hook('plugins_loaded'); ${carriers}`, settings);
  assert.equal(twice, "0", "the plugin of orders keeps it already");
});

test("an exchange costs no operation of the store, and a page's report what a server's costs", async () => {
  const asked = await api(worker, jwt(APP_SECRET, { iat: seconds(), exp: seconds() + 600, customerId: "018f" }))("POST", `/v1/identity/shopware/${program.id}`);
  assert.equal(asked.status, 200, asked.text);
  assert.equal(asked.headers.get("cache-control"), "private, no-store");
  assert.equal(asked.headers.get("access-control-allow-origin"), "*");
  assert.equal(kvOperations(asked).all, 0);
  const report = { program: program.id, order_id: unique("A"), kind: "purchase", amount: 4990, currency: "EUR", customer_id: unique("friend"), first_order: true, occurred_at: seconds(), token: await program.click("10023"), expires: seconds() + 3600 };
  const { program: id, order_id, kind, amount, currency, customer_id, occurred_at, token, expires } = report;
  const lines = ["passalong-conversion-v1", id, order_id, kind, amount, currency, customer_id, "", "true", occurred_at, token, expires];
  const signed = await api(worker)("POST", "/v1/signed/conversions", { ...report, signature: hex(program.conversionSecret, lines.join("\n")) });
  assert.equal(signed.status, 201, signed.text);
  const server = await program.order({ token: await program.click("10023") });
  assert.deepEqual(kvOperations(signed), kvOperations(server));
});

test("every guide has its account page, and links to files that are there", () => {
  for (const name of ["shopify", "shopware", "woocommerce"]) {
    const text = file(`${name}.md`);
    assert.match(text, /^## Account page$/m, name);
    const links = [...text.matchAll(/\]\(([^)#:]+)\)/g)].map(([, path]) => path);
    assert.ok(links.length >= 2);
    for (const path of links) assert.ok(existsSync(join(root, "docs/shops", path)), `${name}: ${path}`);
  }
});
