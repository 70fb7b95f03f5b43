// Rounds in which subjects take turns, so that what disturbs one disturbs the other, and what is made of
// them: medians, and the ratio of each round, with its spread.

import { load } from "./load.mjs";
import { cpuMs } from "./processes.mjs";

export function quantile(numbers, part) {
  const sorted = [...numbers].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

export const median = (numbers) => quantile(numbers, 0.5);

// One round of one subject.
async function turn(subject, options) {
  const before = cpuMs(subject.pid);
  const { times, seconds } = await load(subject.port, options);
  const after = cpuMs(subject.pid);
  return {
    requests: times.length,
    per_second: times.length / seconds,
    p50_ms: quantile(times, 0.5),
    p99_ms: quantile(times, 0.99),
    cpu_us: after === null ? null : ((after - before) * 1000) / times.length,
  };
}

/**
 * Lets the subjects take turns. `options(subject)` says what each is asked (see `load`); `run` holds
 * `rounds`, `seconds` and `connections`. Returns a map from each subject's name to its rounds; the first
 * turn of each warms it up and stands under `requests` only.
 */
export async function rounds(subjects, run, options) {
  const results = new Map();
  for (const subject of subjects) {
    const warm = await turn(subject, { ...run, ...options(subject), seconds: Math.min(1, run.seconds) });
    results.set(subject.name, { requests: warm.requests, rounds: [] });
  }
  for (let round = 0; round < run.rounds; round += 1) {
    const order = round % 2 === 0 ? subjects : [...subjects].reverse();
    for (const subject of order) {
      const result = results.get(subject.name);
      const measured = await turn(subject, { ...run, ...options(subject) });
      result.requests += measured.requests;
      result.rounds.push(measured);
    }
  }
  return results;
}

/** The medians of one subject's rounds. */
export function summary({ rounds }) {
  const of = (field) => median(rounds.map((round) => round[field]));
  return {
    per_second: Math.round(of("per_second")),
    p50_ms: rounded(of("p50_ms")),
    p99_ms: rounded(of("p99_ms")),
    cpu_us: rounds.some(({ cpu_us }) => cpu_us === null) ? null : Math.round(of("cpu_us")),
  };
}

/**
 * How one compares with another, round by round: median, least and most. `by_cpu` is the same of the
 * processor time a request takes: it holds where other programs take the processor away.
 */
export function ratio(one, other, field = "per_second") {
  const ratios = one.rounds.map((round, at) => round[field] / other.rounds[at][field]);
  const [cpu, others] = [one, other].map(({ rounds }) => median(rounds.map((round) => round.cpu_us ?? Number.NaN)));
  const byCpu = field === "per_second" && cpu > 0 ? { by_cpu: rounded(others / cpu) } : {};
  const spread = { least: rounded(Math.min(...ratios)), most: rounded(Math.max(...ratios)) };
  return { ratio: rounded(median(ratios)), ...spread, ...byCpu };
}

export const rounded = (number) => Number(number.toPrecision(3));
