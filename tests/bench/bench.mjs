// The benchmark: the built Worker beside what a merchant would otherwise write, under the same miniflare on
// the same machine. Absolute figures say something about this machine only; the ratios say something about
// the Worker.
//
// `cargo xtask bench [viral] [spread] [forged] [me] [conversions] [cold] [--seconds N] [--rounds N]
// [--connections N] [--direct] [--json]`; all of them without a name. `--direct` leaves out the Worker that
// miniflare puts in front of every other: it costs each side the same, and so brings ratios closer to 1.

import { parseArgs } from "node:util";

import { me } from "./me.mjs";
import { print } from "./print.mjs";
import { cold, conversions, forged, spread, viral } from "./scenarios.mjs";
import { settings, stopAll } from "./subjects.mjs";

const SCENARIOS = { viral, spread, forged, me, conversions, cold };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "2" },
    rounds: { type: "string", default: "5" },
    connections: { type: "string", default: "32" },
    direct: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(SCENARIOS);
const unknown = names.find((name) => !Object.hasOwn(SCENARIOS, name));
if (unknown !== undefined) throw new Error(`there is no ${unknown}; there are ${Object.keys(SCENARIOS).join(", ")}`);
settings.direct = values.direct;
const run = {
  seconds: Number(values.seconds),
  rounds: Number(values.rounds),
  connections: Number(values.connections),
};

try {
  const results = {};
  for (const name of names) {
    results[name] = await SCENARIOS[name](run);
    if (!values.json) print(results[name]);
  }
  if (values.json) console.log(JSON.stringify({ run, results }, null, 2));
} finally {
  await stopAll();
}
