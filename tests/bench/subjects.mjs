// What takes turns in the benchmark: the built Worker and its peers, each in a workerd process of its own
// under the same miniflare, with a KV namespace on disk. Each says how it is asked, and how many clicks it
// has counted in the end.

import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";

import { root } from "./load.mjs";
import { children } from "./processes.mjs";

const secrets = JSON.parse(readFileSync(join(root, "core/fixtures/secrets.json"), "utf8"));
const SECRET = "a secret of the peers of at least 32 bytes";
const LANDING_URL = "https://shop.example/willkommen";
const DAY_MS = 86_400_000;

// `direct`: requests go to the Workers themselves, without the Worker that miniflare puts in front of each.
export const settings = { direct: false };

const running = new Set();
const directories = [];

/** Stops everything that was started here; what it left on disk goes with this process. */
export async function stopAll() {
  await Promise.all([...running].map((subject) => subject.stop()));
}

process.on("exit", () => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

async function start(name, modules, bindings, directory = mkdtempSync(join(tmpdir(), "passalong-bench-"))) {
  directories.push(directory);
  const before = new Set(children());
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      ...{ host: "127.0.0.1", port: 0, cf: false, name, bindings },
      ...{ compatibilityDate: "2026-10-20", modulesRoot: root, modules },
      ...{ kvNamespaces: ["KV"], resourcePersistencePath: directory },
      ...(settings.direct ? { unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] } : {}),
    }),
  );
  const url = settings.direct ? await miniflare.unsafeGetDirectURL() : await miniflare.ready;
  const subject = {
    ...{ name, directory, url: `http://127.0.0.1:${url.port}`, port: Number(url.port) },
    pid: children().find((pid) => !before.has(pid)),
    kv: await miniflare.getKVNamespace("KV"),
    async stop() {
      running.delete(subject);
      await miniflare.dispose();
    },
  };
  running.add(subject);
  return subject;
}

/** All keys under a prefix. */
export async function keysOf(kv, prefix) {
  const keys = [];
  let cursor;
  do {
    const page = await kv.list({ prefix, cursor });
    keys.push(...page.keys);
    cursor = page.list_complete ? undefined : page.cursor;
  } while (cursor !== undefined);
  return keys;
}

/** Runs some at a time, so that a thousand writes do not queue up in one process. */
export async function inTurn(items, each, atOnce = 16) {
  const left = Iterator.from(items);
  const worker = async () => {
    for (const item of left) await each(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

export function identityToken(customer, audience, secret) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const iat = Math.floor(Date.now() / 1000);
  const claims = { sub: customer, aud: audience, iat, exp: iat + 3600 };
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

// ---------------------------------------------------------------------------------------------------
// The Worker

const built = join(root, "edge/build");
const modules = [
  { type: "ESModule", path: join(built, "index.js") },
  { type: "CompiledWasm", path: join(built, "index_bg.wasm") },
];

export const startBare = (variables = {}, directory = undefined) =>
  start(
    "worker",
    modules,
    {
      RATE_LIMITS: "off",
      SIGNING_KEYS: secrets.signing_keys,
      MERCHANT_KEY: secrets.merchant_key,
      PSEUDONYM_KEY: secrets.pseudonym_key,
      ...variables,
    },
    directory,
  );

async function call(worker, method, path, key, body) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const answer = await fetch(`${worker.url}${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** The Worker with a program and a link for each of these customers. */
export async function startWorker(customers, variables = {}) {
  const worker = await startBare(variables);
  const program = { id: "teehaus", preset: "20-10", name: "Teehaus Nord", landing_url: LANDING_URL };
  const made = await call(worker, "POST", "/v1/programs", secrets.operator_key, program);
  const codes = new Map();
  for (let at = 0; at < customers.length; at += 200) {
    const body = { customer_ids: customers.slice(at, at + 200) };
    const { links } = await call(worker, "POST", "/v1/codes", made.server_api_key, body);
    for (const link of links) codes.set(link.customer_id, link.code);
  }
  return {
    ...worker,
    code: (customer) => codes.get(customer),
    link: (customer) => `/r/teehaus/${codes.get(customer)}/whatsapp`,
    me: (customer) => ({ path: "/v1/me", headers: { authorization: `Bearer ${identityToken(customer, "teehaus", made.identity_secret)}` } }),
    order: (customer, order_id) => ({
      ...{ method: "POST", path: "/v1/conversions", headers: { authorization: `Bearer ${made.server_api_key}` } },
      body: JSON.stringify({
        ...{ order_id, kind: "purchase", amount: 4990, currency: "EUR", first_order: true },
        ...{ customer_id: `friend-${order_id}`, code: codes.get(customer), occurred_at: now() },
      }),
    }),
    writes: async () => (await keysOf(worker.kv, "click/")).length,
    // With many advocates at once a batch is open for up to ten seconds.
    settled: () => quiet(async () => (await keysOf(worker.kv, "click/")).length, Math.min(10_000, Math.max(1_000, 10 * customers.length))),
    counted: () => fold(worker),
  };
}

const now = () => new Date(Date.now() - 1000).toISOString().replace(/\.\d+/, "");

// What the Worker itself says tomorrow, when its cron has folded the day: the same store, started anew with
// a clock that can be set.
async function fold(worker) {
  await worker.stop();
  const tomorrow = await startBare({ TEST_CLOCK: "on" }, worker.directory);
  const at = new Date((Math.floor(Date.now() / DAY_MS) + 1) * DAY_MS + 3_600_000).toISOString();
  await call(tomorrow, "POST", "/v1/clock", secrets.operator_key, { now: at });
  let report;
  do report = await call(tomorrow, "POST", "/v1/cron", secrets.operator_key);
  while (!report.done);
  const days = await keysOf(tomorrow.kv, "clicks/");
  await tomorrow.stop();
  return days.reduce((sum, { metadata }) => sum + metadata.n, 0);
}

// ---------------------------------------------------------------------------------------------------
// Peers

// The words by which the Worker tells machines, for the peer that does the same.
function tables() {
  const source = readFileSync(join(root, "core/src/visit.rs"), "utf8");
  const found = source.matchAll(/^const (\w+): \[&str; (\d+)\] = \[(.*?)\];/gms);
  return Object.fromEntries(
    [...found].map(([, name, count, list]) => {
      const words = [...list.matchAll(/"([^"]*)"/g)].map(([, word]) => word);
      if (words.length !== Number(count)) throw new Error(`${name} has ${words.length} words, not ${count}`);
      return [name, words];
    }),
  );
}

async function startPeer(name) {
  const entry = join(import.meta.dirname, "peers", `${name}.mjs`);
  const define = { TABLES: JSON.stringify(tables()) };
  const bundled = await build({ entryPoints: [entry], bundle: true, format: "esm", write: false, define });
  const path = join(root, `${name}.mjs`);
  return start(name, [{ type: "ESModule", path, contents: bundled.outputFiles[0].text }], { SECRET });
}

export const startHello = () => startPeer("hello");

// Reads until nothing changes any more for longer than a batch may be open, in ms.
async function quiet(read, open = 1_000) {
  let last = await read();
  for (let since = Date.now(); Date.now() - since < open + 1_500; ) {
    await new Promise((wake) => setTimeout(wake, 250));
    const value = await read();
    if (value !== last) since = Date.now();
    last = value;
  }
  return last;
}

async function startKvPeer(name, customers) {
  const peer = await startPeer(name);
  const advocate = (customer) => JSON.stringify({ customer, landing_url: LANDING_URL });
  await inTurn(customers, (customer) => peer.kv.put(`code/${codeOf(customer)}`, advocate(customer)));
  return { ...peer, link: (customer) => `/r/${codeOf(customer)}` };
}

const codeOf = (customer) => createHmac("sha256", SECRET).update(customer).digest("hex").slice(0, 8);

export async function startLookup(customers) {
  const peer = await startKvPeer("lookup", customers);
  const settled = () => quiet(async () => (await keysOf(peer.kv, "click/")).length);
  return {
    ...peer,
    ...{ settled, writes: settled, counted: settled },
    me: (customer) => ({ path: "/me", headers: { authorization: `Bearer ${identityToken(customer, "peer", SECRET)}` } }),
    order: (customer, order_id) => ({
      ...{ method: "POST", path: "/orders", headers: { authorization: `Bearer ${SECRET}` } },
      body: JSON.stringify({ order_id, code: codeOf(customer), amount: 4990, occurred_at: now() }),
    }),
  };
}

export async function startCounter(customers) {
  const peer = await startKvPeer("counter", customers);
  const counted = async () => {
    let sum = 0;
    for (const { name } of await keysOf(peer.kv, "clicks/")) sum += Number(await peer.kv.get(name));
    return sum;
  };
  // Each click is one put, whether or not it overwrites another.
  return { ...peer, counted, settled: () => quiet(counted), writes: null };
}

export async function startSame(customers) {
  const peer = await startPeer("same");
  const mac = (key, bytes) => createHmac("sha256", `${SECRET} ${key}`).update(bytes).digest();
  const signed = (customer) => {
    const body = Buffer.concat([Buffer.from([16]), mac("customer", customer).subarray(0, 7)]);
    return base32(Buffer.concat([body, mac("code", body).subarray(0, 8)]));
  };
  const codes = new Map(customers.map((customer) => [customer, signed(customer)]));
  const writes = async () => (await keysOf(peer.kv, "click/")).length;
  const counted = async () => {
    const visitors = new Set();
    for (const { name, metadata } of await keysOf(peer.kv, "click/")) {
      const of = name.slice(0, name.lastIndexOf("/"));
      for (const text of [metadata.v, await peer.kv.get(name)]) {
        const bytes = Buffer.from(text, "base64url");
        for (let at = 0; at < bytes.length; at += 7) visitors.add(`${of} ${bytes.toString("hex", at, at + 6)}`);
      }
    }
    return visitors.size;
  };
  return {
    ...{ ...peer, writes, counted, settled: () => quiet(writes) },
    link: (customer) => `/r/teehaus/${codes.get(customer)}/whatsapp`,
  };
}

function base32(bytes) {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return bits.match(/.{1,5}/g).map((five) => "0123456789abcdefghjkmnpqrstvwxyz"[Number.parseInt(five.padEnd(5, "0"), 2)]).join("");
}
