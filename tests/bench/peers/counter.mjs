// The other thing a merchant would write: as the lookup, but clicks are a number in KV that is read, raised
// and put back. Two that raise it at once count as one.

import { Hono } from "hono";

const app = new Hono();

app.get("/r/:code", async (c) => {
  const advocate = await c.env.KV.get(`code/${c.req.param("code")}`, "json");
  if (!advocate) return c.text("unknown code", 404);
  const key = `clicks/${advocate.customer}`;
  const count = async () => c.env.KV.put(key, String(Number(await c.env.KV.get(key)) + 1));
  c.executionCtx.waitUntil(count());
  return c.redirect(`${advocate.landing_url}?ref=${c.req.param("code")}`, 302);
});

export default app;
