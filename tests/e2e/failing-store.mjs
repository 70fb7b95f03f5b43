// Runs inside workerd, as the entry of a Worker under test: the built Worker, with a store that fails on
// command. What fails, and how, is set from outside while it runs:
//
//   POST /__store {"faults": [{"operations": ["put"], "keys": "^order/", "how": "hang", "first": 2}], "later": 0}
//   GET  /__store  how many operations each fault has met
//
// `how`: "429" and "error" are refused and not done; "lost" is done and reported as failed; "hang" is never
// answered. `first` limits a fault to its first so many operations. `later` moves the real time that the
// Worker's caches go by, in ms. The binding FAULTS holds what fails from the start.

import Worker from "./index.js";

let later = 0;
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...parts) {
    super(...(parts.length > 0 ? parts : [RealDate.now() + later]));
  }
  static now = () => RealDate.now() + later;
};

let faults = null;
let met = [];

function faultFor(operation, keys) {
  const at = faults.findIndex(
    (fault, index) =>
      (!fault.operations || fault.operations.includes(operation)) &&
      keys.some((key) => new RegExp(fault.keys ?? "").test(key)) &&
      met[index] < (fault.first ?? Infinity),
  );
  if (at < 0) return null;
  met[at] += 1;
  return faults[at].how;
}

// A hang is a timer far away: with nothing at all to wait for, workerd would end the request by itself.
const never = () => new Promise((wake) => setTimeout(wake, 3_600_000));

function failing(kv) {
  const operation = (method, name, keysOf) => async (...args) => {
    const how = faultFor(name, keysOf(args[0]));
    if (how === "hang") await never();
    if (how === "429") throw new Error(`KV ${method.toUpperCase()} failed: 429 Too Many Requests`);
    if (how === "error") throw new Error(`KV ${method.toUpperCase()} failed: 500 Internal Server Error`);
    const answer = await kv[method](...args);
    if (how === "lost") throw new Error(`KV ${method.toUpperCase()} failed: 502 Bad Gateway`);
    return answer;
  };
  const keys = (key) => (Array.isArray(key) ? key : [key]);
  return {
    get: operation("get", "get", keys),
    getWithMetadata: operation("getWithMetadata", "get", keys),
    put: operation("put", "put", keys),
    delete: operation("delete", "delete", keys),
    list: operation("list", "list", (options) => [options?.prefix ?? ""]),
  };
}

function install(setting) {
  faults = setting.faults ?? [];
  met = faults.map(() => 0);
  later = setting.later ?? later;
}

export default {
  async fetch(request, env, context) {
    if (faults === null) install({ faults: env.FAULTS });
    if (new URL(request.url).pathname === "/__store") {
      if (request.method === "POST") install(await request.json());
      return Response.json({ met });
    }
    return new Worker(context, { ...env, KV: failing(env.KV) }).fetch(request);
  },
  async queue(batch, env, context) {
    if (faults === null) install({ faults: env.FAULTS });
    return new Worker(context, { ...env, KV: failing(env.KV) }).queue(batch);
  },
};
