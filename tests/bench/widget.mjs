// What the widget costs the page it stands on: bytes by part, and in Chromium with a processor four times
// slower than this one, the time from the start of the script to share buttons one can use, what the main
// thread does meanwhile, its longest task, and layout shift; and what is left in memory after 100 mounts
// and unmounts. The built files and `GET /v1/me` come from the built Worker, the page from another origin.
//
//   cargo xtask bench widget [--rounds N] [--json]
//
// Each round is a browser context of its own: nothing is cached. Figures are medians with their range. What
// JS heap and DOM gain per mount is the browser's notes on long tasks and compiled code; nodes and listeners
// are the widget's, and must not grow.

import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { createProgram, openBrowser, root, startWorker } from "../e2e/harness.mjs";

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "9" }, json: { type: "boolean", default: false } },
});
const rounds = Number(options.rounds);
const SLOWER = 4;
const MOUNTS = 100;
const WARM_UP = 20;

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const summary = (numbers) => ({ median: median(numbers), min: Math.min(...numbers), max: Math.max(...numbers) });

// ---------------------------------------------------------------------------------------------------
// What is measured: an advocate with a few referrals, on a page that says who is logged in

async function prepare(worker) {
  const program = await createProgram(worker);
  const customer = "bench-1";
  for (let order = 0; order < 5; order += 1) {
    const answer = await program.order({ token: await program.click(customer) });
    if (!answer.body.attributed) throw new Error(`order: ${answer.status} ${answer.text}`);
  }
  return { program: program.id, token: program.token(customer) };
}

// A shop's page as the README asks for it, with the room of the card kept.
async function startPage(worker, { program, token }) {
  const html = (widget) => `<!doctype html><html lang="de"><meta charset="utf-8"><title>Konto</title>
    <meta name="viewport" content="width=device-width">
    <style>body{margin:0;font:16px system-ui}pass-along:not(:defined){display:block;min-height:1088px}</style>
    <h1>Konto</h1>${widget}<footer>Impressum</footer></html>`;
  const tag = `<pass-along program="${program}" token="${token}"></pass-along><script async src="${worker.url}/pass-along.js"></script>`;
  const server = createServer((request, answer) => {
    answer.setHeader("content-type", "text/html; charset=utf-8");
    answer.end(html(request.url === "/konto" ? tag : `<main></main><script async src="${worker.url}/pass-along.js"></script>`));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  server.unref();
  return `http://127.0.0.1:${server.address().port}`;
}

// ---------------------------------------------------------------------------------------------------
// One page view on a slow machine

// Marks the first frame in which there is a share button to tap, and adds up layout shift.
function watch() {
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  document.addEventListener("passalong:ready", ({ target, detail }) => {
    if (detail.plain || !target.shadowRoot.querySelector("a[data-channel][href]")) throw new Error("not usable");
    requestAnimationFrame(() => {
      performance.mark("usable");
      window.usable = true;
    });
  });
}

async function pageView(browser, page) {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 }, locale: "de-DE" });
  const tab = await context.newPage();
  const protocol = await context.newCDPSession(tab);
  await protocol.send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
  await tab.addInitScript(watch);
  await browser.startTracing(tab, { categories: ["devtools.timeline", "disabled-by-default-devtools.timeline", "blink.user_timing"] });
  await tab.goto(`${page}/konto`);
  await tab.waitForFunction(() => window.usable);
  const trace = JSON.parse((await browser.stopTracing()).toString());
  const shift = await tab.evaluate(() => window.shift);
  await context.close();
  return { ...read(trace.traceEvents), shift };
}

// Of the renderer that ran the loader: when that began, when the buttons were there, and the tasks between.
function read(events) {
  const script = events.find(({ name, args }) => name === "EvaluateScript" && args.data?.url?.endsWith("/pass-along.js"));
  const usable = events.find(({ name, pid }) => name === "usable" && pid === script.pid);
  const tasks = events.filter(
    ({ name, pid, tid, ts, dur }) =>
      name === "RunTask" && pid === script.pid && tid === script.tid && ts + dur > script.ts && ts < usable.ts,
  );
  // The thread's own time, which counts what it did and not what the machine did meanwhile.
  const ms = (task) => (task.tdur ?? task.dur) / 1_000;
  return {
    usable: (usable.ts - script.ts) / 1_000,
    busy: tasks.reduce((sum, task) => sum + ms(task), 0),
    longest: Math.max(...tasks.map(ms)),
  };
}

// ---------------------------------------------------------------------------------------------------
// 100 mounts and unmounts

async function memory(browser, page, { program, token }) {
  const context = await browser.newContext({ locale: "de-DE" });
  const tab = await context.newPage();
  await tab.goto(`${page}/leer`);
  // Always the first answer, and not from the network, where the browser keeps notes of its own: what is left
  // over is the widget's.
  await tab.evaluate(() => {
    const { fetch } = window;
    let answer;
    window.fetch = async (url, init) => {
      if (!url.endsWith("/v1/me")) return fetch(url, init);
      answer ??= await (await fetch(url, init)).text();
      return new Response(answer);
    };
  });
  const protocol = await context.newCDPSession(tab);
  const mount = (times) =>
    tab.evaluate(
      async ([times, program, token]) => {
        for (let index = 0; index < times; index += 1) {
          const element = document.createElement("pass-along");
          element.setAttribute("program", program);
          element.token = token;
          const ready = new Promise((done) => element.addEventListener("passalong:ready", done, { once: true }));
          document.querySelector("main").append(element);
          await ready;
          element.shadowRoot.querySelector("[data-do=more]").click();
          element.remove();
        }
      },
      [times, program, token],
    );
  const look = async () => {
    for (let time = 0; time < 3; time += 1) await protocol.send("HeapProfiler.collectGarbage");
    const { usedSize, embedderHeapUsedSize, backingStorageSize } = await protocol.send("Runtime.getHeapUsage");
    const { nodes, jsEventListeners } = await protocol.send("Memory.getDOMCounters");
    return { js: usedSize, dom: embedderHeapUsedSize, buffers: backingStorageSize, nodes, listeners: jsEventListeners };
  };
  await mount(WARM_UP);
  const before = await look();
  await mount(MOUNTS);
  const after = await look();
  await context.close();
  return { before, after };
}

// ---------------------------------------------------------------------------------------------------

const bytes = JSON.parse(execFileSync(process.execPath, [join(root, "xtask/scripts/size.mjs")], { encoding: "utf8" }));
const worker = await startWorker({ vars: { TEST_CLOCK: null, DEBUG: null } });
const who = await prepare(worker);
const page = await startPage(worker, who);
const browser = await openBrowser();
// The first view starts what later ones find running.
await pageView(browser, page);
const views = [];
for (let round = 0; round < rounds; round += 1) views.push(await pageView(browser, page));
const kept = await memory(browser, page, who);
const result = {
  machine: `${cpus().length} × ${cpus()[0].model}`,
  browser: browser.version(),
  slower: SLOWER,
  rounds,
  bytes,
  usable_ms: summary(views.map(({ usable }) => usable)),
  main_thread_ms: summary(views.map(({ busy }) => busy)),
  longest_task_ms: summary(views.map(({ longest }) => longest)),
  layout_shift: summary(views.map(({ shift }) => shift)),
  mounts: MOUNTS,
  memory: kept,
};
await browser.close();
await worker.stop();

function table() {
  const line = (name, ...cells) => console.log(name.padEnd(44) + cells.map((cell) => String(cell).padStart(12)).join(""));
  const figures = (name, { median, min, max }, digits) => line(name, ...[median, min, max].map((one) => one.toFixed(digits)));
  console.log(`${result.machine}, Chromium ${result.browser}, ${SLOWER} times slower, ${rounds} rounds\n`);
  line("bytes", "as it is", "gzip", "brotli");
  for (const { part, raw, gzip, brotli } of [...bytes.parts, bytes.transferred]) line(`  ${part}`, raw, gzip, brotli);
  line("\nuntil the share buttons can be used", " median", "min", "max");
  figures("  from the start of the script, ms", result.usable_ms, 0);
  figures("  main thread busy meanwhile, ms", result.main_thread_ms, 0);
  figures("  longest task, ms", result.longest_task_ms, 0);
  figures("  layout shift", result.layout_shift, 4);
  line(`\nmemory, ${MOUNTS} mounts and unmounts`, " before", "after", "per mount");
  const units = { js: "JS heap, bytes", dom: "DOM, bytes", buffers: "buffers (wasm), bytes", nodes: "nodes", listeners: "listeners" };
  for (const [key, name] of Object.entries(units)) {
    const { [key]: before } = kept.before;
    const { [key]: after } = kept.after;
    line(`  ${name}`, before, after, ((after - before) / MOUNTS).toFixed(1));
  }
}
if (options.json) console.log(JSON.stringify(result, null, 2));
else table();
process.exit(0);
