// What a merchant would write in an afternoon: a Hono Worker that looks the code up in KV, redirects, and
// writes one KV record per click; an order is a record too, and the account lists the customer's orders. It
// knows neither bots nor refunds nor settlement.

import { Hono } from "hono";
import { verify } from "hono/jwt";

const app = new Hono();

app.get("/r/:code", async (c) => {
  const advocate = await c.env.KV.get(`code/${c.req.param("code")}`, "json");
  if (!advocate) return c.text("unknown code", 404);
  const key = `click/${advocate.customer}/${crypto.randomUUID()}`;
  c.executionCtx.waitUntil(c.env.KV.put(key, "", { expirationTtl: 604_800 }));
  return c.redirect(`${advocate.landing_url}?ref=${c.req.param("code")}`, 302);
});

app.get("/me", async (c) => {
  const token = (c.req.header("authorization") ?? "").replace("Bearer ", "");
  const { sub } = await verify(token, c.env.SECRET, "HS256").catch(() => ({}));
  if (!sub) return c.text("unauthenticated", 401);
  const { keys } = await c.env.KV.list({ prefix: `order/${sub}/` });
  return c.json({ purchases: keys.length, referrals: keys.map(({ metadata }) => metadata) });
});

app.post("/orders", async (c) => {
  if (c.req.header("authorization") !== `Bearer ${c.env.SECRET}`) return c.text("unauthenticated", 401);
  const { order_id, code, amount, occurred_at } = await c.req.json();
  const advocate = await c.env.KV.get(`code/${code}`, "json");
  if (!advocate) return c.text("unknown code", 404);
  const metadata = { order_id, occurred_at, amount: Math.round(amount / 5), status: "pending" };
  await c.env.KV.put(`order/${advocate.customer}/${order_id}`, "", { metadata });
  return c.json(metadata, 201);
});

export default app;
