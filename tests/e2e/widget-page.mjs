// Pages with the built widget on them, for the widget tests: one server with its files (as brotli, with the
// headers they have when deployed) and a made-up API, one with the shop's page on an origin of its own.
// The answers are the pinned fixtures of core/fixtures/wire or come from the test; what the widget asked is
// kept, so that a test can count it. The story with the real Worker is told elsewhere.

import { createServer } from "node:http";
import { existsSync, readFileSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import { brotliCompressSync } from "node:zlib";

import { openBrowser, root } from "./harness.mjs";

const dist = join(root, "www/dist");

export const fixture = (name) => JSON.parse(readFileSync(join(root, `core/fixtures/wire/${name}.json`), "utf8"));
export const language = (name) => JSON.parse(readFileSync(join(root, `widget/texts/${name}.json`), "utf8"));

const TYPES = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

// A token looks like a JWT; what is in it is the API's business, which is made up here.
export const TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMDAyMyJ9.c2lnbmF0dXJl";

async function listen(handler) {
  const server = createServer(handler);
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const close = () =>
    new Promise((closed) => {
      server.close(closed);
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${server.address().port}`, close };
}

// Best compression is slow: once for each file.
const compressed = new Map();

function sendFile(path, answer) {
  if (!compressed.has(path)) compressed.set(path, brotliCompressSync(readFileSync(path)));
  const body = compressed.get(path);
  answer.writeHead(200, {
    "content-type": TYPES[extname(path)] ?? "text/plain",
    "content-encoding": "br",
    "content-length": body.length,
    "access-control-allow-origin": "*",
  });
  answer.end(body);
}

const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "authorization, content-type",
  "access-control-allow-methods": "GET, POST, OPTIONS",
  "access-control-max-age": "7200",
};

/**
 * Starts both servers and a browser. `host.answer(request)` decides over API answers: it gets
 * `{ method, path, query, token, body }` and returns `{ status, body, headers, wait }` or `undefined` for
 * the default; `host.asked` is what was asked. `host.blocked` names files that are not to be had.
 */
export async function stage() {
  const browser = await openBrowser();
  const host = { asked: [], answer: () => undefined, blocked: [], wait: {} };

  const server = await listen(async (request, answer) => {
    const { pathname, searchParams } = new URL(request.url, "http://host");
    if (!pathname.startsWith("/v1/")) {
      const path = join(dist, pathname);
      await host.wait[pathname.split("/").at(-1)];
      if (host.blocked.some((name) => pathname.endsWith(name)) || !existsSync(path) || !statSync(path).isFile()) {
        answer.writeHead(404, { "access-control-allow-origin": "*" }).end();
        return;
      }
      sendFile(path, answer);
      return;
    }
    if (request.method === "OPTIONS") {
      answer.writeHead(204, CORS).end();
      return;
    }
    let body = "";
    for await (const part of request) body += part;
    const token = request.headers.authorization?.replace("Bearer ", "") ?? null;
    const asked = { method: request.method, path: pathname, query: Object.fromEntries(searchParams), token, body };
    host.asked.push(asked);
    const usual = { "/v1/me": () => fixture("me"), "/v1/offer": () => fixture("offer") }[pathname];
    const made = (await host.answer(asked)) ?? (usual ? { body: usual() } : { status: 204 });
    await made.wait;
    const type = made.status >= 400 ? "application/problem+json" : "application/json";
    answer.writeHead(made.status ?? 200, { "content-type": type, ...CORS, ...made.headers });
    answer.end(made.body === undefined ? "" : JSON.stringify(made.body));
  });

  const shop = { page: "", headers: {}, tokens: [], answerToken: () => TOKEN };
  const shopServer = await listen(async (request, answer) => {
    if (request.url.startsWith("/account/passalong-token")) {
      shop.tokens.push(request.url);
      const made = await shop.answerToken(shop.tokens.length);
      const { status = 200, body, type = "text/plain" } = typeof made === "string" ? { body: made } : made;
      answer.writeHead(status, { "content-type": type, "cache-control": "no-store" });
      answer.end(body ?? "");
    } else if (request.url.startsWith("/favicon")) {
      answer.writeHead(204).end();
    } else {
      answer.writeHead(200, { "content-type": "text/html; charset=utf-8", ...shop.headers });
      answer.end(shop.page);
    }
  });

  host.url = server.url;
  shop.url = shopServer.url;
  return {
    browser,
    host,
    shop,
    async stop() {
      await browser.close();
      await Promise.all([server.close(), shopServer.close()]);
    },
  };
}

/**
 * Opens a page with the widget. `tag` replaces the element, `head` and `body` add to the page, `before`
 * runs in the page before any script, `query` is appended to the address. The result has the page, the
 * widget as a locator, and what the console said (`complaints`: errors alone).
 */
export async function open(on, options = {}) {
  const { width = 700, height = 1000, lang = "de", attributes = "", query = "", context: extra = {} } = options;
  const tag =
    options.tag ?? `<pass-along program="teehaus" token-url="/account/passalong-token" ${attributes}></pass-along>`;
  const script = options.script ?? `<script async src="${on.host.url}/pass-along.js"></script>`;
  on.host.asked = [];
  on.shop.tokens = [];
  on.shop.headers = options.headers ?? {};
  on.shop.page = `<!doctype html><html lang="${lang}"><head><meta charset="utf-8"><title>Konto</title>
    <meta name="viewport" content="width=device-width">${options.head ?? ""}</head>
    <body>${tag}${script}${options.body ?? ""}</body></html>`;
  const context = await on.browser.newContext({
    viewport: { width, height },
    locale: "de-DE",
    timezoneId: "America/New_York",
    permissions: ["clipboard-read", "clipboard-write"],
    ...extra,
  });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.addInitScript(() => {
    window.heard = [];
    for (const name of ["ready", "share", "copy", "status", "error"]) {
      document.addEventListener(`passalong:${name}`, (event) => {
        window.heard.push({ name, detail: event.detail, bubbles: event.bubbles, composed: event.composed });
      });
    }
  });
  if (options.before) await page.addInitScript(options.before, options.with);
  if (options.prepare) await options.prepare(page);
  await page.goto(`${on.shop.url}/konto${query}`);
  const widget = page.locator("pass-along");
  const heard = (name) => page.evaluate((name) => window.heard.filter((event) => event.name === name), name);
  const ready = () => page.waitForFunction(() => window.heard.some((event) => event.name === "ready"));
  if (options.ready !== false) await ready();
  return { page, context, widget, complaints, heard, ready, close: () => context.close() };
}
