// Teehaus Nord, a small tea shop that uses Passalong through its public HTTP API and nothing else.
//
// Read `passalong.mjs` first: it is the integration. `checkout.mjs` shows where a referral meets an order,
// `orders.mjs` how reports are kept until they are delivered, `merchant.mjs` what a merchant's systems send
// later. This file owns HTTP: configuration, the URL table, sessions, headers. No framework, no dependency.
import { randomBytes } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { checkoutPage, placeOrder, thankYouPage } from "./checkout.mjs";
import { demoClock } from "./clock.mjs";
import { changeOffer, fulfilReward, merchantPage, moveClock, reportEvent, runCron } from "./merchant.mjs";
import { openOrders } from "./orders.mjs";
import { accountPage, homePage, identityToken, landingPage, logIn, logOut, missingPage, orderTea, productPage } from "./pages.mjs";
import { connect } from "./passalong.mjs";

// ---- Configuration -------------------------------------------------------------------------------------

const missing = ["PASSALONG_URL", "PROGRAM", "SERVER_API_KEY", "IDENTITY_SECRET"].filter((name) => !process.env[name]);
if (missing.length > 0) {
  console.error(`Teehaus Nord needs ${missing.join(", ")} in its environment; "cargo xtask demo" sets them.`);
  process.exit(2);
}
const { PROGRAM, SERVER_API_KEY, IDENTITY_SECRET, OPERATOR_KEY } = process.env;
const PORT = Number(process.env.PORT ?? 8788);
const DATA_FILE = process.env.DATA_FILE ?? "teehaus-orders.json";
const PASSALONG_URL = process.env.PASSALONG_URL.replace(/\/+$/, "");

const passalong = connect({
  url: PASSALONG_URL,
  program: PROGRAM,
  serverApiKey: SERVER_API_KEY,
  identitySecret: IDENTITY_SECRET,
});
const shop = {
  program: PROGRAM,
  passalongUrl: PASSALONG_URL,
  passalong,
  orders: openOrders(DATA_FILE, passalong.send),
  clock: demoClock({ url: PASSALONG_URL, operatorKey: OPERATOR_KEY, call: passalong.call }),
};

// ---- The URL table -------------------------------------------------------------------------------------

const routes = [
  ["GET", "/", homePage],
  ["GET", "/tee/:sku", productPage],
  ["POST", "/tee/:sku", orderTea],
  ["GET", "/willkommen", landingPage],
  ["POST", "/willkommen", orderTea],
  ["GET", "/kasse", checkoutPage],
  ["POST", "/kasse", placeOrder],
  ["GET", "/danke", thankYouPage],
  ["GET", "/konto", accountPage],
  ["POST", "/konto/anmelden", logIn],
  ["POST", "/konto/abmelden", logOut],
  ["GET", "/account/passalong-token", identityToken],
  ["GET", "/haendler", merchantPage],
  ["POST", "/haendler/bestellung/:id", reportEvent],
  ["POST", "/haendler/praemie/:id", fulfilReward],
  ["POST", "/haendler/angebot", changeOffer],
  ["POST", "/haendler/uhr", moveClock],
  ["POST", "/haendler/cron", runCron],
].map(([method, path, handler]) => ({
  method,
  pattern: new RegExp(`^${path.replace(/:(\w+)/g, "(?<$1>[\\w-]+)")}$`),
  handler,
}));

// ---- Static files, read once ---------------------------------------------------------------------------

const TYPES = { css: "text/css", mjs: "text/javascript", svg: "image/svg+xml" };
const folder = fileURLToPath(new URL("static/", import.meta.url));
const files = new Map(
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath ?? entry.path, entry.name);
      const type = `${TYPES[entry.name.split(".").pop()]}; charset=utf-8`;
      return [`/${path.slice(folder.length)}`, { type, body: readFileSync(path) }];
    }),
);

// ---- Headers -------------------------------------------------------------------------------------------

// What a shop's policy needs for the widget: Passalong's origin for script, style, fetch and QR image, and
// leave to compile WebAssembly. Nothing inline, neither here nor there.
const worker = new URL(PASSALONG_URL).origin;
const HEADERS = {
  "content-security-policy": [
    "default-src 'none'",
    `script-src 'self' ${worker} 'wasm-unsafe-eval'`,
    `style-src 'self' ${worker}`,
    `connect-src 'self' ${worker}`,
    `img-src 'self' ${worker}`,
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join("; "),
  "referrer-policy": "strict-origin-when-cross-origin",
  "x-content-type-options": "nosniff",
};

// ---- Sessions ------------------------------------------------------------------------------------------

// In memory, opened only by an action of the visitor (log in, order), never by looking at a page.
const sessions = new Map();

function sessionOf(request) {
  const id = /(?:^|;\s*)sid=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1];
  return sessions.get(id) ?? null;
}

function openSession(reply) {
  const id = randomBytes(18).toString("base64url");
  const session = { customerId: null, orders: [], notice: null };
  sessions.set(id, session);
  // Behind HTTPS, add `Secure`.
  reply.setHeader("set-cookie", `sid=${id}; Path=/; HttpOnly; SameSite=Lax`);
  return session;
}

// ---- Requests ------------------------------------------------------------------------------------------

async function readForm(request) {
  let body = "";
  for await (const chunk of request) {
    body += chunk;
    if (body.length > 16_384) throw new Error("form too large");
  }
  return Object.fromEntries(new URLSearchParams(body));
}

/** A form of another site must not press our buttons. Browsers say where a form comes from. */
const isForeign = (request) => !["same-origin", "none", undefined].includes(request.headers["sec-fetch-site"]);

function send(reply, { status = 200, type = "text/html; charset=utf-8", body = "", cache = "private, no-store", location }) {
  for (const [name, value] of Object.entries(HEADERS)) reply.setHeader(name, value);
  reply.setHeader("cache-control", cache);
  if (location) reply.setHeader("location", location);
  else reply.setHeader("content-type", type);
  reply.writeHead(status).end(String(body));
}

async function answer(request, reply) {
  const url = new URL(request.url, "http://shop");
  const method = request.method === "HEAD" ? "GET" : request.method;

  const file = files.get(url.pathname);
  if (file && method === "GET") return send(reply, { ...file, cache: "public, max-age=60" });

  const route = routes.find(({ method: allowed, pattern }) => allowed === method && pattern.test(url.pathname));
  if (!route) return send(reply, missingPage());
  if (method === "POST" && isForeign(request)) return send(reply, { status: 403, type: "text/plain", body: "forbidden" });

  const form = method === "POST" ? await readForm(request) : {};
  let session = sessionOf(request);
  const visit = {
    shop,
    url,
    params: route.pattern.exec(url.pathname).groups ?? {},
    form,
    // The referral travels in the URL and in forms. It is never rendered into a page: `pa.mjs` copies it in
    // the browser, and a form without an action posts back to the URL it was opened with.
    pa: /^[\w-]{1,64}$/.exec(form.pa || url.searchParams.get("pa") || "")?.[0],
    get session() {
      return session;
    },
    openSession: () => (session ??= openSession(reply)),
  };
  return send(reply, await route.handler(visit));
}

const server = createServer((request, reply) => {
  answer(request, reply).catch((error) => {
    console.error(`${request.method} ${new URL(request.url, "http://shop").pathname}: ${error.message}`);
    if (!reply.headersSent) send(reply, { status: 500, type: "text/plain; charset=utf-8", body: "Das hat nicht geklappt. Bitte versuch es noch einmal." });
  });
});

server.on("error", (error) => {
  console.error(error.code === "EADDRINUSE" ? `Port ${PORT} is in use; set PORT to another one.` : error.message);
  process.exit(1);
});
server.listen(PORT, "127.0.0.1", () => console.log(`Teehaus Nord: http://127.0.0.1:${server.address().port}`));

// What could not be reported at once is tried again every ten seconds, and after a restart.
const retry = setInterval(() => shop.orders.flush(), 10_000);
shop.orders.flush();

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    clearInterval(retry);
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}
