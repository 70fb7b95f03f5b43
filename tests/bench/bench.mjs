// How many requests per second the built Worker answers beside a peer in plain JS (peer.mjs): redirects
// with their click, and the account's status. Both run under the same miniflare on this machine and take
// turns, so that what disturbs one disturbs the other; medians over the rounds are compared. Absolute
// numbers say something about this machine only, the ratio says something about the Worker.
//
// `cargo xtask bench [--seconds N] [--rounds N] [--json]`

import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { convertV4MiniflareOptions, Miniflare } from "miniflare";

const root = join(import.meta.dirname, "../..");
const secrets = JSON.parse(readFileSync(join(root, "core/fixtures/secrets.json"), "utf8"));
const { values: given } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
  },
});
const SECONDS = Number(given.seconds);
const ROUNDS = Number(given.rounds);
const CONNECTIONS = 32;
const ORDERS = 20;
const PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";

// ---------------------------------------------------------------------------------------------------
// The two

const running = [];

async function start(name, modules, bindings) {
  const options = convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: 0,
    cf: false,
    name,
    compatibilityDate: "2026-10-20",
    modulesRoot: root,
    modules,
    kvNamespaces: ["KV"],
    bindings,
  });
  const miniflare = new Miniflare(options);
  running.push(miniflare);
  const url = await miniflare.ready;
  return { name, miniflare, port: Number(url.port) };
}

function identityToken(customer, program, secret) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const iat = Math.floor(Date.now() / 1000);
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: customer, aud: program, iat, exp: iat + 3600 })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

// The Worker, with one advocate of twenty purchases, made through its own API.
async function startWorker() {
  const build = join(root, "edge/build");
  const worker = await start(
    "worker",
    [
      { type: "ESModule", path: join(build, "index.js") },
      { type: "CompiledWasm", path: join(build, "index_bg.wasm") },
    ],
    { SIGNING_KEYS: secrets.signing_keys, MERCHANT_KEY: secrets.merchant_key, PSEUDONYM_KEY: secrets.pseudonym_key, RATE_LIMITS: "off" },
  );
  const call = async (path, key, body) => {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const answer = await fetch(`http://127.0.0.1:${worker.port}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const program = { id: "teehaus", preset: "20-10", name: "Teehaus Nord", landing_url: "https://shop.example/willkommen" };
  const { server_api_key: key, identity_secret: secret } = await call("/v1/programs", secrets.operator_key, program);
  const { links } = await call("/v1/codes", key, { customer_ids: ["10023"] });
  for (let order = 0; order < ORDERS; order += 1) {
    const occurred_at = new Date(Date.now() - 1000).toISOString().replace(/\.\d+/, "");
    const sale = { order_id: `A-${order}`, kind: "purchase", amount: 4990, currency: "EUR", customer_id: `friend-${order}`, first_order: true };
    await call("/v1/conversions", key, { ...sale, occurred_at, code: links[0].code });
  }
  return {
    ...worker,
    redirect: { path: `/r/teehaus/${links[0].code}/whatsapp`, status: 302, headers: { "user-agent": PHONE } },
    status: { path: "/v1/me", status: 200, headers: { authorization: `Bearer ${identityToken("10023", "teehaus", secret)}` } },
  };
}

async function startPeer() {
  const peer = await start("peer", [{ type: "ESModule", path: join(import.meta.dirname, "peer.mjs") }], { SECRET: "peer" });
  const kv = await peer.miniflare.getKVNamespace("KV");
  await kv.put("code/8f3k2m7q", JSON.stringify({ customer: "10023", landing_url: "https://shop.example/willkommen" }));
  for (let order = 0; order < ORDERS; order += 1) {
    await kv.put(`order/10023/A-${order}`, "", { metadata: { occurred_at: "2026-11-19T18:04:11Z", amount: 998, status: "pending" } });
  }
  return {
    ...peer,
    redirect: { path: "/r/8f3k2m7q", status: 302, headers: { "user-agent": PHONE } },
    status: { path: "/me", status: 200, headers: { authorization: `Bearer ${identityToken("10023", "peer", "peer")}` } },
  };
}

// ---------------------------------------------------------------------------------------------------
// Measuring

const agent = new Agent({ keepAlive: true, maxSockets: 2 * CONNECTIONS });

function ask(port, { path, status, headers }, visitor) {
  return new Promise((done, failed) => {
    const sent = request({ agent, host: "127.0.0.1", port, path, headers: { ...headers, "cf-connecting-ip": visitor } }, (answer) => {
      answer.resume();
      answer.once("end", () => (answer.statusCode === status ? done() : failed(new Error(`${path} answered ${answer.statusCode}`))));
    });
    sent.once("error", failed);
    sent.end();
  });
}

let visitors = 0;
function nextVisitor() {
  visitors += 1;
  return `10.${(visitors >> 16) & 255}.${(visitors >> 8) & 255}.${visitors & 255}`;
}

// Keeps CONNECTIONS requests in flight for a while; requests per second and the median time of one.
async function load(subject, kind, seconds) {
  const times = [];
  const started = performance.now();
  const isOver = () => performance.now() - started >= seconds * 1000;
  const client = async () => {
    while (!isOver()) {
      const at = performance.now();
      await ask(subject.port, subject[kind], nextVisitor());
      times.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, client));
  return { perSecond: (times.length * 1000) / (performance.now() - started), ms: median(times) };
}

function median(numbers) {
  const sorted = [...numbers].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

async function main() {
  const subjects = [await startWorker(), await startPeer()];
  const results = {};
  for (const kind of ["redirect", "status"]) {
    const rounds = new Map(subjects.map(({ name }) => [name, []]));
    for (const subject of subjects) await load(subject, kind, Math.min(1, SECONDS));
    for (let round = 0; round < ROUNDS; round += 1) {
      const turns = round % 2 === 0 ? subjects : [...subjects].reverse();
      for (const subject of turns) rounds.get(subject.name).push(await load(subject, kind, SECONDS));
      console.error(`  ${kind}: round ${round + 1} of ${ROUNDS}`);
    }
    const of = (name, field) => rounds.get(name).map((round) => round[field]);
    const summary = (name) => ({
      per_second: Math.round(median(of(name, "perSecond"))),
      ms: Number(median(of(name, "ms")).toFixed(2)),
      rounds: of(name, "perSecond").map(Math.round),
    });
    const ratios = of("worker", "perSecond").map((worker, round) => worker / of("peer", "perSecond")[round]);
    results[kind] = { worker: summary("worker"), peer: summary("peer"), ratio: Number(median(ratios).toFixed(2)) };
  }
  if (given.json) return console.log(JSON.stringify(results, null, 2));
  const row = (...cells) => console.log(cells.map((cell, at) => (at === 0 ? String(cell).padEnd(12) : String(cell).padStart(16))).join(""));
  row("", "Worker", "peer in JS", "ratio");
  for (const [kind, { worker, peer, ratio }] of Object.entries(results)) {
    row(kind, `${worker.per_second}/s`, `${peer.per_second}/s`, ratio);
    row("", `${worker.ms} ms`, `${peer.ms} ms`, "");
  }
}

try {
  await main();
} finally {
  agent.destroy();
  await Promise.all(running.map((miniflare) => miniflare.dispose()));
}
