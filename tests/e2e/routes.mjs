// Every route there is, with who may call it and a body that would be right. security.test.mjs holds it
// against the OpenAPI document.

import { secrets } from "./harness.mjs";

export const NOW = "2026-11-22T08:00:00Z";
const order = { order_id: "A-1", kind: "purchase", amount: 4990, currency: "EUR", customer_id: "20871", occurred_at: NOW };
export const event = { event_id: "r1", type: "refunded", amount: 1000, occurred_at: NOW };

// Every operation that needs a key: who may call it, and a body that would be right.
export const GUARDED = [
  ["customer", "GET", "/v1/me"],
  ["customer", "POST", "/v1/me/shares", { channel: "whatsapp" }],
  ["customer", "POST", "/v1/me/claims", { order_id: "A-1", ordered_on: "2026-11-21" }],
  ["customer", "POST", "/v1/me/alias", { alias: "TEE4K7" }],
  ["server", "POST", "/v1/offer/check", { customer_id: "20871", first_order: true, alias: "TEE4K7" }],
  ["server", "POST", "/v1/codes", { customer_ids: ["10023"] }],
  ["server", "POST", "/v1/conversions", order],
  ["server", "GET", "/v1/conversions/A-1"],
  ["server", "POST", "/v1/conversions/A-1/events", event],
  ["server", "GET", "/v1/rewards"],
  ["server", "GET", "/v1/claims"],
  ["server", "POST", "/v1/rewards/rw_000000000000000004/fulfil", { reference: "voucher 881" }],
  ["server", "POST", "/v1/rewards/rw_000000000000000004/review", { decision: "approve" }],
  ["server", "GET", "/v1/pools/tee-2026"],
  ["server", "POST", "/v1/pools/tee-2026", "TEE-1"],
  ["server", "GET", "/v1/program"],
  ["server", "PUT", "/v1/program", {}],
  ["server", "GET", "/v1/exports/rewards"],
  ["server", "GET", "/v1/stats"],
  ["server", "POST", "/v1/totals", { day: "2026-11-21", orders: 67 }],
  ["server", "POST", "/v1/customers/export", { customer_id: "20871" }],
  ["server", "POST", "/v1/customers/erase", { customer_id: "20871" }],
  ["server", "GET", "/v1/webhooks"],
  ["server", "POST", "/v1/webhooks", { url: "https://shop.example/hooks" }],
  ["server", "DELETE", "/v1/webhooks/ep_0000000000000000"],
  ["server", "POST", "/v1/webhooks/ep_0000000000000000/test"],
  ["server", "POST", "/v1/webhooks/ep_0000000000000000/replay", { since: NOW }],
  ["server", "POST", "/v1/webhooks/ep_0000000000000000/enable"],
  ["server", "POST", "/v1/webhooks/ep_0000000000000000/rotate", { overlap_hours: 24 }],
  ["server", "GET", "/v1/webhooks/ep_0000000000000000/deliveries"],
  ["operator", "POST", "/v1/programs", { id: "neu", preset: "20-10", name: "Neu", landing_url: "https://shop.example/" }],
  ["operator", "POST", "/v1/programs/teehaus/keys"],
  ["operator", "POST", "/v1/programs/teehaus/keys/revoke", { generation: 1 }],
  ["operator", "POST", "/v1/clock", { now: null }],
  ["operator", "POST", "/v1/cron"],
];
export const OPEN = [
  ["GET", "/r/{program}/{code}"],
  ["GET", "/r/{program}/{code}/{channel}"],
  ["GET", "/v1/offer"],
  // Signed by the shop system: shop-hooks.test.mjs.
  ["POST", "/v1/hooks/{shop}/{program}"],
  // Signed by the shop system, or by the shop's page: identity-shops.test.mjs.
  ["GET", "/v1/hooks/shopware/{program}/register"],
  ["POST", "/v1/hooks/shopware/{program}/confirm"],
  ["GET", "/v1/identity/shopify/{program}"],
  ["POST", "/v1/identity/shopify/{program}"],
  ["POST", "/v1/identity/shopware/{program}"],
  ["POST", "/v1/signed/conversions"],
  ["GET", "/healthz"],
  ["GET", "/openapi.json"],
];

// The routes that read a JSON object.
export const READ_JSON = GUARDED.filter(([, , , right]) => typeof right === "object");

// The path as the OpenAPI document writes it.
export const documentedPath = (path) =>
  path.replace("/A-1", "/{order_id}").replace("/tee-2026", "/{pool}").replace(/\/(rw|ep)_0+4?/, "/{id}").replace("/programs/teehaus/", "/programs/{id}/").replace("/exports/rewards", "/exports/{table}");

export const rightKey = (program, who) =>
  ({ customer: program.token("10023"), server: program.serverApiKey, operator: secrets.operator_key })[who];
