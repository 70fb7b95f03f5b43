// The one place that starts things for tests: the built Worker under `wrangler dev` (real workerd, real
// local KV on disk), the demo shop, and Chromium. It also speaks the HTTP API's mechanics (keys, identity
// tokens, the test clock), so that a test file says only what it claims. It builds nothing: what it
// starts is what `cargo xtask build` left in edge/build and www/dist.
//
// Every process is started as the leader of its own process group, so that `stop` and `kill` reach
// wrangler, workerd and esbuild alike, and nothing outlives a test run that was interrupted.

import { spawn } from "node:child_process";
import { createHmac, randomBytes, randomInt } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

// The fixed secrets every test Worker runs with, and the keys that follow from them.
export const secrets = JSON.parse(readFileSync(join(root, "core/fixtures/secrets.json"), "utf8"));

// ---------------------------------------------------------------------------------------------------
// Waiting and cleaning up

// Waits until `condition` returns something truthy and returns that. Fails with `what` after `timeout` ms.
export async function until(condition, { what = "a condition", timeout = 15_000, every = 20 } = {}) {
  const deadline = Date.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited ${timeout} ms in vain for ${what}`);
    await new Promise((wake) => setTimeout(wake, every));
  }
}

const groups = new Set();
const scratch = new Set();

function killGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

process.on("exit", () => {
  for (const child of groups) killGroup(child, "SIGKILL");
  for (const directory of scratch) rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

// A temporary directory that is gone when the test process ends.
export function temporaryDirectory(purpose = "test") {
  const directory = mkdtempSync(join(tmpdir(), `passalong-${purpose}-`));
  scratch.add(directory);
  return directory;
}

// A port on which nothing listens. None of those that the system hands out by itself: somebody else could
// be given it before whoever asked for it listens there.
export async function freePort() {
  for (;;) {
    const port = 20_000 + randomInt(12_000);
    const server = createServer();
    const isFree = await new Promise((found) => {
      server.once("error", () => found(false)).listen(port, "127.0.0.1", () => found(true));
    });
    if (!isFree) continue;
    await new Promise((closed) => server.close(closed));
    return port;
  }
}

// Starts a process group and collects what it prints; resolves once `ready` does.
async function startGroup(command, args, { name, env, cwd, ready }) {
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  groups.add(child);
  const logs = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text) => logs.push(text));
    stream.unref();
  }
  // A test that fails before it stops what it started must not hang: the exit of this process ends the group.
  child.unref();
  let over = null;
  const ended = new Promise((end) => {
    child.once("error", (error) => end((over = error.message)));
    child.once("exit", (code, signal) => end((over = `exit ${code ?? signal}`)));
  });
  const end = async (signal) => {
    killGroup(child, signal);
    const patience = setTimeout(() => killGroup(child, "SIGKILL"), 5_000);
    await ended;
    clearTimeout(patience);
    // The leader may be gone before the others of its group.
    killGroup(child, "SIGKILL");
    groups.delete(child);
  };
  try {
    await until(
      () => {
        if (over !== null) throw new Error(`${name} ended early (${over})`);
        return ready(logs);
      },
      { what: `${name} to answer`, timeout: 60_000, every: 25 },
    );
  } catch (error) {
    await end("SIGKILL");
    throw new Error(`${error.message}\n${logs.join("")}`);
  }
  return { logs, stop: () => end("SIGTERM"), kill: () => end("SIGKILL") };
}

// ---------------------------------------------------------------------------------------------------
// The Worker

// The deployed configuration, with what a test needs to differ: no build step, absolute paths, and the
// built Worker copied aside, so that a build that runs meanwhile does not restart it.
function testConfiguration(directory, name, script, limits) {
  const built = join(root, "edge/build");
  if (script !== undefined) {
    mkdirSync(join(directory, "build"));
    writeFileSync(join(directory, "build/index.js"), script);
  } else if (existsSync(join(built, "index.js"))) {
    cpSync(built, join(directory, "build"), { recursive: true });
  } else {
    throw new Error("edge/build/index.js is missing: run `cargo xtask build`");
  }
  const deployed = readFileSync(join(root, "wrangler.toml"), "utf8");
  const configuration = deployed
    .replace(/^\[build\][^[]*/m, "")
    .replace(/^name\s*=.*$/m, `name = "${name}"`)
    .replace(/^main\s*=.*$/m, 'main = "build/index.js"')
    .replace(/^directory\s*=.*$/m, `directory = ${JSON.stringify(join(root, "www/dist"))}`);
  writeFileSync(join(directory, "wrangler.toml"), limits === undefined ? configuration : limited(configuration, limits));
}

// The same with other numbers in its rate limiters; `null` leaves all limiters out.
function limited(configuration, limits) {
  return configuration.replace(/^\[\[ratelimits\]\]\nname = "(\w+)"[^[]*/gm, (section, name) => {
    if (limits === null) return "";
    return name in limits ? section.replace(/limit = \d+/, `limit = ${limits[name]}`) : section;
  });
}

/**
 * Starts the built Worker on a free port of 127.0.0.1 and waits until it answers.
 *
 * - `vars` replaces or adds variables; `null` leaves one out. Known secrets, `TEST_CLOCK=on`,
 *   `DEBUG=on` and `RATE_LIMITS=off` are the default.
 * - `persist` is the directory KV is kept in; without it a temporary one that goes with the test run.
 * - `healthy: false` accepts any answer of `/healthz`, for Workers that are meant to refuse.
 * - `limits` gives rate limiters other numbers, by the names of their bindings; `null` binds none.
 * - `script` is the text of another Worker to run in place of the built one, on the same KV.
 *
 * Returns `{ url, port, persistDir, logs, stop, kill, now, clock }`. `logs` is what the Worker printed,
 * in pieces. `kill` is SIGKILL to the whole group.
 */
export async function startWorker({ vars = {}, persist, port, healthy = true, script, limits } = {}) {
  const directory = temporaryDirectory("worker");
  const persistDir = persist ?? temporaryDirectory("kv");
  const listen = port ?? (await freePort());
  testConfiguration(directory, `passalong-test-${listen}`, script, limits);
  const settings = {
    SIGNING_KEYS: secrets.signing_keys,
    MERCHANT_KEY: secrets.merchant_key,
    PSEUDONYM_KEY: secrets.pseudonym_key,
    TEST_CLOCK: "on",
    DEBUG: "on",
    // Tests ask more often than people do. Those of the limits themselves turn them on.
    RATE_LIMITS: "off",
    ...vars,
  };
  const lines = Object.entries(settings).filter(([, value]) => value !== null);
  writeFileSync(join(directory, ".dev.vars"), lines.map(([key, value]) => `${key}='${value}'\n`).join(""));
  const url = `http://127.0.0.1:${listen}`;
  const group = await startGroup(
    join(root, "node_modules/.bin/node"),
    [
      join(root, "node_modules/wrangler/bin/wrangler.js"),
      ...["dev", "--config", join(directory, "wrangler.toml"), "--local", "--ip", "127.0.0.1"],
      ...["--port", String(listen), "--inspector-port", "0", "--persist-to", persistDir],
      ...["--log-level", "log", "--show-interactive-dev-session=false"],
    ],
    {
      name: "wrangler dev",
      cwd: directory,
      env: {
        ...process.env,
        CI: "1",
        NO_COLOR: "1",
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_HIDE_BANNER: "true",
        WRANGLER_WRITE_LOGS: "false",
        // Two Workers of parallel test files have nothing to say to each other.
        WRANGLER_REGISTRY_PATH: join(directory, "registry"),
        CLOUDFLARE_CF_FETCH_ENABLED: "false",
      },
      ready: async () => {
        const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(20_000) }).catch(() => null);
        return answer !== null && (!healthy || answer.status === 200);
      },
    },
  );
  return {
    ...group,
    url,
    port: listen,
    persistDir,
    // What the Worker's clock was set to; null while it follows real time.
    clock: null,
    // The Worker's time in ms, so that a test makes tokens and `occurred_at` by the same clock.
    now() {
      return this.clock ?? Date.now();
    },
  };
}

// ---------------------------------------------------------------------------------------------------
// HTTP

/**
 * A client for one key or token (or none): `call(method, path, body, { headers, raw })` returns
 * `{ status, headers, body, text }`. `body` is parsed JSON where the answer is JSON, else the text.
 * Redirects are answers, not followed. `raw: true` sends `body` as it is.
 */
export function api(worker, key = null) {
  return async function call(method, path, body, { headers = {}, raw = false } = {}) {
    const sent = { ...headers };
    if (key !== null) sent.authorization ??= `Bearer ${key}`;
    let payload;
    if (body !== undefined) {
      payload = raw ? body : JSON.stringify(body);
      sent["content-type"] ??= "application/json";
    }
    const answer = await fetch(worker.url + path, {
      method,
      headers: sent,
      body: payload,
      redirect: "manual",
      signal: AbortSignal.timeout(30_000),
    });
    const text = await answer.text();
    const json = /^application\/(problem\+)?json/.test(answer.headers.get("content-type") ?? "");
    return { status: answer.status, headers: answer.headers, text, body: json && text !== "" ? JSON.parse(text) : text };
  };
}

// The KV operations an answer cost, from `Server-Timing` (sent while `DEBUG` is on).
export function kvOperations(answer) {
  const timing = answer.headers.get("server-timing") ?? "";
  const count = (name) => {
    const found = new RegExp(`(?:^|,)\\s*${name}\\s*;(?:[^,]*;)?\\s*(?:desc|dur)="?(\\d+)`).exec(timing);
    if (!found) throw new Error(`Server-Timing has no ${name}: ${JSON.stringify(timing)}`);
    return Number(found[1]);
  };
  const [read, write, list] = ["kv_read", "kv_write", "kv_list"].map(count);
  return { read, write, list, all: read + write + list };
}

// An identity token as a merchant's server makes it. `claims` are taken as they are; `overrides` may
// replace the header (`{ header: { alg: "none" } }`) or the signature (`{ signature: "" }`).
export function identityToken(claims, secret, { header = {}, signature } = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "HS256", typ: "JWT", ...header })}.${part(claims)}`;
  return `${signed}.${signature ?? createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

// RFC 3339 in UTC, to the second.
export function instant(ms) {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");
}

// Noon (UTC) of today. A test that moves the clock starts here, so that a minute more is never a new day,
// and what KV expires by real time is never written as long gone.
export function noon() {
  return Math.floor(Date.now() / DAY) * DAY + 12 * HOUR;
}

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

// ---------------------------------------------------------------------------------------------------
// Operator: clock, cron, programs

async function expectStatus(wanted, pending, what) {
  const answer = await pending;
  if (answer.status !== wanted) throw new Error(`${what}: ${answer.status} ${answer.text}`);
  return answer.body;
}

// Sets the Worker's clock (ms, or RFC 3339 text), where it then stands still; `null` returns to real time.
export async function setClock(worker, to) {
  const ms = to === null ? null : typeof to === "number" ? to : Date.parse(to);
  const now = ms === null ? null : instant(ms);
  const answer = await expectStatus(200, api(worker, secrets.operator_key)("POST", "/v1/clock", { now }), "clock");
  worker.clock = ms === null ? null : Math.floor(ms / SECOND) * SECOND;
  return answer;
}

// Runs the cron once and returns its report.
export function runCron(worker) {
  return expectStatus(200, api(worker, secrets.operator_key)("POST", "/v1/cron"), "cron");
}

// Runs the cron until it has nothing left to do; returns the reports.
export async function runCronUntilDone(worker, runs = 100) {
  const reports = [];
  for (let run = 0; run < runs; run += 1) {
    reports.push(await runCron(worker));
    if (reports.at(-1).done) return reports;
  }
  throw new Error(`the cron was not done after ${runs} runs: ${JSON.stringify(reports.at(-1))}`);
}

// A browser that people use; what is counted as a click.
export const PERSON =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";

// An id no other test uses.
export function unique(prefix) {
  return `${prefix}-${randomBytes(5).toString("hex")}`;
}

/**
 * Creates a program of its own for a test. `overrides` are fields of the request. Returns its `id`,
 * `program`, `serverApiKey`, `identitySecret`, `templateSecret`, `conversionSecret`, and what its people do:
 *
 * - `server` and `customer(id, claims)` are clients as `api` makes them, `token(id, claims)` is the
 *   identity token alone;
 * - `code(id)` is a customer's referral code, `click(id)` the click token a person gets on that link;
 * - `order(fields)` reports a purchase, `event(order, fields)` what became of it: both are full answers;
 * - `me(id)` is the body of `GET /v1/me`.
 */
export async function createProgram(worker, overrides = {}) {
  const request = {
    id: `t-${randomBytes(6).toString("hex")}`,
    preset: "20-10",
    name: "Teehaus Nord",
    landing_url: "https://shop.example/willkommen",
    // Presets let many orders of one click wait for the merchant; a test about something else is not.
    ...(overrides.preset === undefined && { review: {} }),
    ...overrides,
  };
  const made = await expectStatus(201, api(worker, secrets.operator_key)("POST", "/v1/programs", request), "program");
  const token = (customer, claims = {}, parts = {}) => {
    const iat = Math.floor(worker.now() / SECOND);
    const all = { sub: customer, aud: request.id, iat, exp: iat + 3600, ...claims };
    return identityToken(all, made.identity_secret, parts);
  };
  const server = api(worker, made.server_api_key);
  const customer = (id, claims = {}) => api(worker, token(id, claims));
  const code = async (id) => {
    const { links } = await expectStatus(200, server("POST", "/v1/codes", { customer_ids: [id] }), "codes");
    return links[0].code;
  };
  return {
    id: request.id,
    program: made.program,
    serverApiKey: made.server_api_key,
    identitySecret: made.identity_secret,
    templateSecret: made.template_secret,
    conversionSecret: made.conversion_secret,
    server,
    customer,
    token,
    code,
    async click(id, { channel = "", agent = PERSON } = {}) {
      const path = `/r/${request.id}/${await code(id)}${channel && `/${channel}`}`;
      const answer = await api(worker)("GET", path, undefined, { headers: { "user-agent": agent } });
      const pa = new URL(answer.headers.get("location")).searchParams.get("pa");
      if (!pa) throw new Error(`no click token: ${answer.status} ${answer.headers.get("location")}`);
      return pa;
    },
    order: (fields = {}) =>
      server("POST", "/v1/conversions", {
        order_id: unique("A"),
        kind: "purchase",
        amount: 4990,
        currency: "EUR",
        customer_id: unique("friend"),
        first_order: true,
        occurred_at: instant(worker.now()),
        ...fields,
      }),
    event: (order, fields = {}) =>
      server("POST", `/v1/conversions/${encodeURIComponent(order)}/events`, {
        event_id: unique("e"),
        type: "delivered",
        occurred_at: instant(worker.now()),
        ...fields,
      }),
    me: async (id, claims = {}) => expectStatus(200, customer(id, claims)("GET", "/v1/me"), "me"),
  };
}

// ---------------------------------------------------------------------------------------------------
// Shop and browser

// Starts the demo shop against `worker` for a program made by `createProgram`. Same result as `startWorker`.
export async function startShop(worker, { program, port, dataFile, env = {} } = {}) {
  const listen = port ?? (await freePort());
  const url = `http://127.0.0.1:${listen}`;
  const group = await startGroup(process.execPath, [join(root, "www/shop/server.mjs")], {
    name: "the shop",
    cwd: root,
    env: {
      ...process.env,
      PORT: String(listen),
      PASSALONG_URL: worker.url,
      PROGRAM: program.id,
      SERVER_API_KEY: program.serverApiKey,
      IDENTITY_SECRET: program.identitySecret,
      OPERATOR_KEY: secrets.operator_key,
      DATA_FILE: dataFile ?? join(temporaryDirectory("shop"), "orders.json"),
      ...env,
    },
    // By its own word: whoever else listens there would answer, too.
    ready: (logs) => logs.join("").includes(url),
  });
  return { ...group, url, port: listen };
}

// Starts a headless Chromium: `PASSALONG_CHROMIUM`, one the machine has, or Playwright's own download.
export async function openBrowser(options = {}) {
  const { chromium } = await import("playwright-core");
  const installed = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
  const candidates = [
    process.env.PASSALONG_CHROMIUM,
    ...installed.map((name) => `/usr/bin/${name}`),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    chromium.executablePath(),
  ];
  const executablePath = candidates.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error("no Chromium found: set PASSALONG_CHROMIUM to its path");
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({
    executablePath,
    ...options,
    args: [
      // Debian's build draws with a graphics card; without one that is slower than without it.
      "--disable-gpu-rasterization",
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
      ...(isRoot ? ["--no-sandbox"] : []),
      ...(options.args ?? []),
    ],
  });
}
