// How a shop talks to Passalong: the whole integration. Copy this file, it knows nothing of this shop.
//
//   1. identityToken   tells the widget on the account page which customer is looking
//   2. offer, check    what a friend gets, for the greeting; what may come off this order, at the till
//   3. report          one order, sent when it was placed
//   4. reportEvent     what became of it: delivered, refunded, cancelled, restored and more
//
// Every report carries the shop's own ids and may be sent again at any time: Passalong answers the
// repeat as it answered the first. So whatever failed goes into a queue (orders.mjs) and is sent later.
import { createHash, createHmac } from "node:crypto";

/** How Passalong recognises a person without knowing an address: the digest of the normalised e-mail. */
export const hint = (email) => createHash("sha256").update(email.trim().toLowerCase()).digest("hex");

/** The API said no. `final`: the same request will never be accepted, so there is no use in repeating it. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `status ${status}`);
    this.status = status;
    this.code = problem.code;
    this.final = [400, 409, 413].includes(status);
  }
}

export function connect({ url, program, serverApiKey, identitySecret }) {
  /** One call with the server's key. Busy, unreachable or too slow: again, `tries` times in all. */
  async function call(method, path, body, { tries = 3, key = serverApiKey } = {}) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await fetch(url + path, {
          method,
          headers: { authorization: `Bearer ${key}`, ...(body && { "content-type": "application/json" }) },
          body: body && JSON.stringify(body),
          signal: AbortSignal.timeout(3000),
        });
        if (answer.ok) return answer.status === 204 ? null : await answer.json();
        throw new Refused(answer.status, await answer.json().catch(() => ({})));
      } catch (error) {
        const mayPass = !(error instanceof Refused) || error.status === 429 || error.status >= 500;
        if (!mayPass || attempt >= tries) throw error;
        // 0.2 s, 0.4 s, … with jitter, so that many servers do not come back in step.
        const pause = 200 * 2 ** (attempt - 1) * (0.5 + Math.random());
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  return {
    call,

    /** A JWT for the logged-in customer, good for a quarter of an hour. */
    identityToken({ customerId, email, now = new Date() }) {
      const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
      const iat = Math.floor(now / 1000);
      const claims = { sub: customerId, aud: program, iat, exp: iat + 900, locale: "de-DE", hints: [hint(email)] };
      const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
      return `${signed}.${createHmac("sha256", identitySecret).update(signed).digest("base64url")}`;
    },

    /** The offer as anyone may read it; with `pa`, whether this visitor was referred. A page waits: one try. */
    offer: (pa) => call("GET", `/v1/offer?${new URLSearchParams({ program, ...(pa && { pa }) })}`, null, { tries: 1 }),

    /** What may be taken off this person's order now: `{ eligible, value, minimum_order, reason }`. */
    check: ({ customerId, email, firstOrder, pa }) =>
      call("POST", "/v1/offer/check", { ...(customerId && { customer_id: customerId }), hints: [hint(email)], first_order: firstOrder, token: pa }, { tries: 1 }),

    /** The program's terms in full, as the merchant reads them. */
    terms: () => call("GET", "/v1/program", null, { tries: 1 }),

    /** Every approved reward of orders since `from`: what is to be paid out. It comes in pages. */
    async due(from) {
      const rewards = [];
      const query = new URLSearchParams({ status: "approved", from: from.slice(0, 10) });
      do {
        const page = await call("GET", `/v1/rewards?${query}`);
        rewards.push(...page.rewards);
        query.set("cursor", page.cursor ?? "");
      } while (query.get("cursor"));
      return rewards;
    },

    /** The message for an order. Kept as it is, so that every repeat is identical. */
    conversion: ({ id, placedAt, amount, currency, customerId, email, firstOrder, pa, items }) => ({
      path: "/v1/conversions",
      body: {
        order_id: id,
        kind: "purchase",
        amount, // goods after discounts, VAT included, without shipping
        currency,
        ...(customerId && { customer_id: customerId }), // a guest is recognised by the hint alone
        hints: [hint(email)],
        first_order: firstOrder,
        occurred_at: placedAt,
        ...(pa && { token: pa }),
        items,
      },
    }),

    /** The message for something that happened to an order: `{ event_id, type, amount?, occurred_at }`. */
    event: (orderId, body) => ({ path: `/v1/conversions/${encodeURIComponent(orderId)}/events`, body }),

    /** Sends such a message. */
    send: ({ path, body }) => call("POST", path, body),
  };
}
