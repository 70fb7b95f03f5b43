// Everything a stopped Worker left in KV, as it is stored: read by another Worker on the same directory.

import { startWorker } from "./harness.mjs";

const WALK = `
  export default {
    async fetch(request, env) {
      const { searchParams } = new URL(request.url);
      const { keys, cursor } = await env.KV.list({ prefix: searchParams.get("prefix") ?? "", cursor: searchParams.get("cursor") || undefined });
      const values = await Promise.all(keys.map(({ name }) => env.KV.get(name)));
      return Response.json({ entries: keys.map((key, at) => ({ ...key, value: values[at] })), cursor: cursor ?? "" });
    },
  };
`;

// `[{ name, metadata, expiration, value }]`, in order of the names.
export async function walk(persist, prefix = "") {
  const walker = await startWorker({ persist, script: WALK });
  try {
    const entries = [];
    let cursor = "";
    do {
      const page = await (await fetch(`${walker.url}/v1/?${new URLSearchParams({ prefix, cursor })}`)).json();
      entries.push(...page.entries);
      cursor = page.cursor;
    } while (cursor);
    return entries;
  } finally {
    await walker.stop();
  }
}
