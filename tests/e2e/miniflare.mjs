// The built Worker under miniflare's API: no proxy and no watcher between the test and workerd, so it starts
// in less than a second, its store can be made to fail (failing-store.mjs), and workerd can be killed.

import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Log, LogLevel, Miniflare, convertV4MiniflareOptions } from "miniflare";
import { root, secrets, temporaryDirectory } from "./harness.mjs";

// What runs in place of workerd: it notes its process id, which workerd then takes over. So a test that
// kills ends what it started and nothing else.
function notingItsId() {
  const directory = temporaryDirectory("workerd");
  const [program, note] = [join(directory, "workerd"), join(directory, "pid")];
  const real = process.env.MINIFLARE_WORKERD_PATH ?? createRequire(import.meta.url)("workerd").default;
  writeFileSync(program, `#!/bin/sh\necho $$ > '${note}.new' && mv '${note}.new' '${note}'\nexec '${real}' "$@"\n`);
  chmodSync(program, 0o755);
  return { program, note };
}

// The queue that wrangler.toml offers, as it is once the signs before it are taken away.
function offeredQueue() {
  const offered = /^# \[\[queues\.producers\]\]\n(?:#.*\n)+/m.exec(readFileSync(join(root, "wrangler.toml"), "utf8"))[0];
  const value = (name) => JSON.parse(new RegExp(`^# ${name} = (.+)$`, "m").exec(offered)[1]);
  return {
    queueProducers: { [value("binding")]: { queueName: value("queue") } },
    queueConsumers: {
      [value("queue")]: { maxBatchSize: value("max_batch_size"), maxBatchTimeout: value("max_batch_timeout"), maxRetries: value("max_retries") },
    },
  };
}

/**
 * Starts the Worker of `build` on a free port of 127.0.0.1.
 *
 * - `persist` is the directory KV is kept in; without it a temporary one.
 * - `faults` is what fails in the store from the start; see failing-store.mjs. `store(setting)` changes it
 *   while the Worker runs and says how many operations each fault has met.
 * - `vars` replaces variables; known secrets and `TEST_CLOCK=on` are the default.
 * - `queue` binds the queue that wrangler.toml offers.
 *
 * Returns what `startWorker` of the harness does, except that `kill` ends workerd alone and `again` starts
 * it anew: same store, new process, new port, and again nothing but `faults` that fails.
 */
export async function startMiniflare({ persist, faults = [], build = "edge/build", vars = {}, queue = false } = {}) {
  const directory = join(root, build);
  const persistDir = persist ?? temporaryDirectory("kv");
  const { program, note } = notingItsId();
  const entry = readFileSync(join(import.meta.dirname, "failing-store.mjs"), "utf8");
  const logs = [];
  const log = new Log(LogLevel.NONE);
  const options = (failing) =>
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log,
      handleStructuredLogs: ({ message }) => logs.push(message),
      defaultPersistRoot: persistDir,
      name: "worker",
      compatibilityDate: /^compatibility_date = "(.+)"$/m.exec(readFileSync(join(root, "wrangler.toml"), "utf8"))[1],
      modulesRoot: directory,
      modules: [
        { type: "ESModule", path: join(directory, "entry.mjs"), contents: entry },
        { type: "ESModule", path: join(directory, "index.js") },
        { type: "CompiledWasm", path: join(directory, "index_bg.wasm") },
      ],
      kvNamespaces: ["KV"],
      kvPersist: persistDir,
      ...(queue ? offeredQueue() : {}),
      bindings: {
        SIGNING_KEYS: secrets.signing_keys,
        MERCHANT_KEY: secrets.merchant_key,
        PSEUDONYM_KEY: secrets.pseudonym_key,
        TEST_CLOCK: "on",
        DEBUG: "off",
        RATE_LIMITS: "off",
        ...vars,
        FAULTS: failing,
      },
    });
  // Every workerd started from here is the noting one; miniflare reads this when it starts one.
  const starting = async (start) => {
    const before = process.env.MINIFLARE_WORKERD_PATH;
    process.env.MINIFLARE_WORKERD_PATH = program;
    try {
      return String(await start()).replace(/\/$/, "");
    } finally {
      if (before === undefined) delete process.env.MINIFLARE_WORKERD_PATH;
      else process.env.MINIFLARE_WORKERD_PATH = before;
    }
  };
  const running = {};
  const url = await starting(() => {
    running.miniflare = new Miniflare(options(faults));
    return running.miniflare.ready;
  });
  return {
    url,
    persistDir,
    logs,
    clock: null,
    now() {
      return this.clock ?? Date.now();
    },
    async store(setting) {
      const answer = await fetch(`${this.url}/__store`, { method: setting ? "POST" : "GET", body: setting && JSON.stringify(setting) });
      return (await answer.json()).met;
    },
    async kill() {
      process.kill(Number(readFileSync(note, "utf8")), "SIGKILL");
      rmSync(note);
    },
    async again({ faults: failing = faults } = {}) {
      this.url = await starting(async () => {
        await running.miniflare.setOptions(options(failing));
        return running.miniflare.ready;
      });
    },
    stop: () => running.miniflare.dispose(),
  };
}
