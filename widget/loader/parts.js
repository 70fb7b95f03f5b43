// Fetches what the loader does not carry: the wasm module, a language file, and what is rarely wanted.
// They lie under the loader's own version, are the same for all elements of a page, and are fetched once.

/* global __VERSION__ */

import { start } from "./host.js";

const PATIENCE_MS = 4000;

let base = "";
const kept = new Map();

export function setOrigin(origin) {
  base = `${origin}/pass-along/${__VERSION__}/`;
}

function once(name, load) {
  if (!kept.has(name)) {
    const pending = load();
    // What failed may work at the next try.
    pending.catch(() => kept.delete(name));
    kept.set(name, pending);
  }
  return kept.get(name);
}

async function get(name) {
  const answer = await fetch(base + name);
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer;
}

// What is said to a customer is in `me/`, what is said to a visitor in `offer/`, each of them whole.
export const texts = (file) => once(file, async () => (await get(`${file}.json`)).json());

// more.js, and its texts.
export const more = (file) => Promise.all([once("more", () => import(`${base}more.js`)), texts(`more/${file}`)]);

// The wasm module, started. Rejects when it cannot start for whatever reason: refused by the page's
// policy, blocked, too old a browser, or not there in time.
export const program = () =>
  once("wasm", async () => {
    let clock;
    const late = new Promise((_, reject) => {
      clock = setTimeout(() => reject(new Error("wasm: late")), PATIENCE_MS);
    });
    const started = start(get("widget.wasm"));
    try {
      return await Promise.race([started, late]);
    } finally {
      clearTimeout(clock);
      started.catch(() => {});
    }
  });

// After a trap the instance is of no use to anybody who comes later.
export function spoil(error) {
  const failed = Promise.reject(error);
  failed.catch(() => {});
  kept.set("wasm", failed);
}
