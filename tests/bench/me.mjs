// `GET /v1/me` for advocates with few and many clicks and conversions, one request at a time: neither time
// nor KV operations may grow with clicks. Clicks of that number are written into the store as the Worker
// writes them, after a real one of each advocate has shown that the names are right.

import { load, nextVisitor } from "./load.mjs";
import { ratio, rounds, summary } from "./rounds.mjs";
import { inTurn, keysOf, startLookup, startWorker } from "./subjects.mjs";

const DAY_MS = 86_400_000;
const CLICKS = [10, 1_000, 100_000];
const ORDERS = [10, 100, 1_000];
// Visitors in a key's metadata, at most; see edge/src/clicks.rs.
const LISTED = 80;
const DAYS = 60;

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

function toBytes(text) {
  const bits = [...text].map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, "0")).join("");
  return Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
}

function toText(bytes) {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return bits.match(/.{1,5}/g).map((five) => ALPHABET[Number.parseInt(five.padEnd(5, "0"), 2)]).join("");
}

// A code holds whom it stands for: version, seven bytes of pseudonym, tag.
const pseudonym = (code) => toText(toBytes(code).subarray(1, 8));

const day = (back) => new Date(Date.now() - back * DAY_MS).toISOString().slice(0, 10).replaceAll("-", "");

// So many unique visitors of the open day. Few come one by one; many come as fast as fills the keys.
function* openDay(customer, clicks) {
  const each = clicks > 1_000 ? LISTED : 1;
  for (let made = 0; made < clicks; made += each) {
    const bytes = Buffer.alloc(Math.min(each, clicks - made) * 7);
    for (let at = 0; at * 7 < bytes.length; at += 1) bytes.writeUIntBE(made + at, at * 7, 6);
    const batch = (made + 1).toString(16).padStart(16, "0");
    yield { name: `click/teehaus/${day(0)}/${customer}/${batch}`, metadata: { v: bytes.toString("base64url") } };
  }
}

// The same over two months: all days but the open one are closed and folded.
function* manyDays(customer, clicks) {
  const perDay = Math.max(1, Math.round(clicks / DAYS));
  const days = Math.min(DAYS, Math.round(clicks / perDay));
  yield* openDay(customer, clicks - perDay * (days - 1));
  for (let back = 1; back < days; back += 1) {
    yield { name: `clicks/teehaus/${customer}/${day(back)}`, metadata: { n: perDay, by: { direct: perDay } } };
  }
}

async function seedClicks(worker, advocates) {
  for (const { customer } of advocates) {
    await load(worker.port, { next: () => ({ path: worker.link(customer), headers: nextVisitor() }), status: 302, seconds: 0, connections: 1 });
  }
  await worker.settled();
  const real = await keysOf(worker.kv, `click/teehaus/${day(0)}/`);
  for (const { customer, clicks, spread } of advocates) {
    const of = pseudonym(worker.code(customer));
    const first = real.filter(({ name }) => name.split("/")[3] === of);
    if (first.length !== 1 || Buffer.from(first[0].metadata.v, "base64url").length !== 7) throw new Error("clicks are not written as expected here");
    // The real one is one of them.
    await inTurn(spread(of, clicks - 1), ({ name, metadata }) => worker.kv.put(name, "", { metadata }));
  }
}

async function seedOrders(subject, customer, count) {
  let made = 0;
  await inTurn(Array(count).keys(), async () => {
    made += 1;
    await load(subject.port, { next: () => subject.order(customer, `${customer}-${made}`), status: 201, seconds: 0, connections: 1 });
  });
}

// What one request says of itself.
async function details(worker, customer) {
  const { path, headers } = worker.me(customer);
  const answer = await fetch(`${worker.url}${path}`, { headers });
  const timing = answer.headers.get("server-timing");
  const operations = [...timing.matchAll(/dur=(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  const { totals } = await answer.json();
  return { kv: operations, clicks: totals.clicks, purchases: totals.purchases };
}

export async function me(run) {
  const advocates = [
    ...CLICKS.map((clicks) => ({ customer: `days-${clicks}`, clicks, spread: manyDays, title: `${clicks} clicks over 60 days` })),
    ...CLICKS.map((clicks) => ({ customer: `day-${clicks}`, clicks, spread: openDay, title: `${clicks} clicks in one day` })),
  ];
  const buyers = ORDERS.map((orders) => ({ customer: `orders-${orders}`, orders, title: `${orders} conversions` }));
  const customers = [...advocates, ...buyers].map(({ customer }) => customer);
  const worker = await startWorker(customers, { DEBUG: "on" });
  const lookup = await startLookup(customers);
  await seedClicks(worker, advocates);
  for (const { customer, orders } of buyers) {
    await seedOrders(worker, customer, orders);
    await seedOrders(lookup, customer, orders);
  }
  const subjects = [
    ...[...advocates, ...buyers].map(({ customer, title }) => ({ ...worker, name: title, customer })),
    ...buyers.map(({ customer, title }) => ({ ...lookup, name: `${title}, a list of orders in JS`, customer })),
  ];
  const share = { ...run, seconds: run.seconds / 4, connections: 1 };
  const results = await rounds(subjects, share, (subject) => ({ status: 200, next: () => subject.me(subject.customer) }));
  const rows = [];
  for (const { name, customer, port } of subjects) {
    const said = port === worker.port ? await details(worker, customer) : {};
    rows.push({ name, ...summary(results.get(name)), ...said });
  }
  await worker.stop();
  await lookup.stop();
  const of = (many, few) => ({ name: `${many}, time`, against: few, ...ratio(results.get(many), results.get(few), "p50_ms") });
  const flat = (index) => ({ ...of(advocates[index].title, advocates[index % 3 === 0 ? index : index - (index % 3)].title), target: "≤ 1.5" });
  const ratios = [1, 2, 4, 5].map(flat);
  return { title: "GET /v1/me, one at a time", rows, ratios };
}
