// What is measured, and against what: one function each, which starts what it needs. It returns
// `{ title, rows, ratios }`: the figures of each subject, and how the Worker compares.

import { load, nextVisitor } from "./load.mjs";
import { residentMb } from "./processes.mjs";
import { median, ratio, rounded, rounds, summary } from "./rounds.mjs";
import { startBare, startCounter, startHello, startLookup, startSame, startWorker } from "./subjects.mjs";

const named = (count) => Array.from({ length: count }, (_, at) => String(10_000 + at));

const SAME = "same algorithm in JS";
const LOOKUP = "lookup, a record per click";
const COUNTER = "lookup, a counter";
const HELLO = "hello world";
const TITLES = { worker: "Passalong", same: SAME, lookup: LOOKUP, counter: COUNTER, hello: HELLO };

async function redirect(run, title, customers, targets) {
  const subjects = [await startWorker(customers), await startSame(customers), await startLookup(customers), await startCounter(customers)];
  let click = 0;
  const results = await rounds(subjects, run, (subject) => ({
    status: 302,
    next: () => ({ path: subject.link(customers[click++ % customers.length]), headers: nextVisitor() }),
  }));
  const rows = [];
  for (const subject of subjects) {
    const result = results.get(subject.name);
    await subject.settled();
    const writes = subject.writes === null ? result.requests : await subject.writes();
    rows.push({
      name: TITLES[subject.name],
      ...summary(result),
      writes_per_click: rounded(writes / result.requests),
      ...{ clicks: result.requests, counted: await subject.counted() },
    });
    await subject.stop();
  }
  const of = (name, target) => ({ against: TITLES[name], ...ratio(results.get("worker"), results.get(name)), target });
  return { title, rows, ratios: [of("same"), of("lookup", targets.lookup), of("counter")] };
}

export const viral = (run) => redirect(run, "redirect, one viral link", named(1), { lookup: "≥ 4" });

export const spread = (run) => redirect(run, "redirect, spread over 1,000 advocates", named(1_000), { lookup: "≥ 1.2" });

// Codes that look genuine up to their tag.
export async function forged(run) {
  const [customer] = named(1);
  const subjects = [await startWorker([customer]), await startSame([customer]), await startHello()];
  let number = 0;
  const forge = (link) => {
    number += 1;
    return link.replace(/(\w{26})/, (code) => code.slice(0, 4) + number.toString(8).padStart(8, "0") + code.slice(12));
  };
  const results = await rounds(subjects, run, (subject) => {
    const link = subject.link?.(customer);
    const next = () => ({ path: link ? forge(link) : "/", headers: nextVisitor() });
    return { status: link ? 302 : 200, next };
  });
  const rows = subjects.map(({ name }) => ({ name: TITLES[name], ...summary(results.get(name)) }));
  const of = (name, target) => ({ against: TITLES[name], ...ratio(results.get("worker"), results.get(name)), target });
  const written = await subjects[0].writes();
  if (written > 0) throw new Error(`forged codes caused ${written} writes`);
  for (const subject of subjects) await subject.stop();
  return { title: "redirect, forged codes", rows, ratios: [of("same"), of("hello", "≥ 0.8")] };
}

export async function conversions(run) {
  const customers = named(200);
  const subjects = [await startWorker(customers), await startLookup(customers)];
  let order = 0;
  const results = await rounds(subjects, run, (subject) => ({
    status: 201,
    next: () => subject.order(customers[order % customers.length], `A-${order++}`),
  }));
  const rows = subjects.map(({ name }) => ({ name: TITLES[name], ...summary(results.get(name)) }));
  for (const subject of subjects) await subject.stop();
  const compared = ratio(results.get("worker"), results.get("lookup"));
  return { title: "conversions", rows, ratios: [{ against: "a record per order", ...compared }] };
}

// The first request in a new process, which also reads the program, and memory.
export async function cold(run) {
  const [customer] = named(1);
  const made = await startWorker([customer]);
  const link = made.link(customer);
  await made.stop();
  const kinds = [
    { name: "worker", start: () => startBare({}, made.directory), path: link, status: 302 },
    { name: "hello", start: startHello, path: "/", status: 200 },
  ];
  const results = new Map(kinds.map(({ name }) => [name, { rounds: [] }]));
  for (let round = 0; round < run.rounds; round += 1) {
    for (const { name, start, path, status } of round % 2 === 0 ? kinds : [...kinds].reverse()) {
      const began = performance.now();
      const subject = await start();
      const ready = performance.now();
      const next = () => ({ path, headers: nextVisitor() });
      const { times } = await load(subject.port, { next, status, seconds: 0, connections: 1 });
      const started_mb = residentMb(subject.pid);
      await load(subject.port, { ...run, next, status });
      const loaded_mb = residentMb(subject.pid);
      results.get(name).rounds.push({ start_ms: ready - began, first_ms: times[0], started_mb, loaded_mb });
      await subject.stop();
    }
  }
  const rows = kinds.map(({ name }) => {
    const middle = (field) => rounded(median(results.get(name).rounds.map((round) => round[field])));
    const fields = ["start_ms", "first_ms", "started_mb", "loaded_mb"];
    return { name: TITLES[name], ...Object.fromEntries(fields.map((field) => [field, middle(field)])) };
  });
  const of = (field, against) => ({ against, ...ratio(results.get("worker"), results.get("hello"), field) });
  const ratios = [of("first_ms", `${HELLO}, first request`), of("loaded_mb", `${HELLO}, memory after load`)];
  return { title: "cold start", rows, ratios };
}
