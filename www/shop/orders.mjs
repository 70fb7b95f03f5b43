// The shop's orders and its outbox, in one JSON file that survives a restart.
//
// The outbox is why an order never depends on Passalong: the message is stored together with the order,
// in one write, and sent afterwards. What cannot be delivered now is delivered later, in the same order.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

function load(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return { next: 10077, orders: [], outbox: [] };
  }
}

/** `send(message)` resolves with the answer, or rejects; an error with `final` set is not tried again. */
export function openOrders(file, send) {
  const data = load(file);
  let delivering = null;

  // First beside the file, then in its place: a crash leaves the old orders or the new ones, never half.
  function save() {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.new`, JSON.stringify(data, null, 2));
    renameSync(`${file}.new`, file);
  }

  const find = (id) => data.orders.find((order) => order.id === id);

  async function deliver() {
    while (data.outbox.length > 0) {
      const [message] = data.outbox;
      const order = find(message.orderId);
      try {
        const answer = await send(message);
        if (message.path === "/v1/conversions") order.report = answer;
      } catch (error) {
        if (!error.final) return; // Passalong is away: everything stays where it is
        order.problem = error.message;
      }
      data.outbox.shift();
      save();
    }
  }

  return {
    find,
    oldest: () => data.orders[0],
    newest: (count) => data.orders.slice(-count).reverse(),
    of: (customerId) => data.orders.filter((order) => order.customerId === customerId).reverse(),
    waiting: () => data.outbox.length,
    isWaiting: (id) => data.outbox.some((message) => message.orderId === id),

    /** Whether this person, by account or by address, has never ordered before. */
    isFirst: (customerId, email) =>
      !data.orders.some(
        (order) => (customerId && order.customerId === customerId) || order.email === email.trim().toLowerCase(),
      ),

    /** Stores an order under the next number, with the message that `message(order)` makes of it. */
    place(order, message) {
      const placed = { id: `A-${data.next}`, ...order, email: order.email.trim().toLowerCase(), events: [], report: null };
      data.next += 1;
      data.orders.push(placed);
      data.outbox.push({ orderId: placed.id, ...message(placed) });
      save();
      return placed;
    },

    /** Stores an event of an order, with its message. */
    note(order, event, message) {
      order.events.push(event);
      data.outbox.push({ orderId: order.id, ...message });
      save();
    },

    /** Sends what waits, one message after the other; a second call joins the run that is under way. */
    flush() {
      delivering ??= deliver().finally(() => {
        delivering = null;
      });
      return delivering;
    },
  };
}
