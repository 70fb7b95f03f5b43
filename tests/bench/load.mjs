// Load from distinct visitors: plain HTTP/1.1 over kept-alive sockets, so that the client takes as little
// of the machine as it can. What is asked and what is expected comes from the scenarios.

import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

export const root = join(import.meta.dirname, "../..");

// What people's browsers say, from the table the Worker's own classification is tested with.
const AGENTS = readFileSync(join(root, "core/fixtures/user_agents.tsv"), "utf8")
  .split("\n")
  .map((line) => line.split("\t"))
  .filter(([kind]) => kind === "person")
  .map(([, agent]) => agent);

let visitors = 0;

// The headers of somebody who has not been here before: each address is used once.
export function nextVisitor() {
  visitors += 1;
  const address = `10.${(visitors >> 16) & 255}.${(visitors >> 8) & 255}.${visitors & 255}`;
  return { "cf-connecting-ip": address, "user-agent": AGENTS[visitors % AGENTS.length] };
}

// A connection that asks one thing at a time.
class Connection {
  #socket;
  #received = "";
  #answered = null;

  constructor(port) {
    this.port = port;
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true });
    this.#socket.setEncoding("latin1");
    this.#socket.on("data", (text) => this.#receive(text));
    this.#socket.on("error", (error) => this.#answered?.failed(error));
    this.#socket.on("close", () => this.#answered?.failed(new Error("the connection was closed")));
  }

  #receive(text) {
    this.#received += text;
    const answer = parse(this.#received);
    if (answer === null) return;
    this.#received = "";
    const { done } = this.#answered;
    this.#answered = null;
    done(answer);
  }

  ask({ method = "GET", path, headers = {}, body = "" }) {
    const lines = [`${method} ${path} HTTP/1.1`, `host: 127.0.0.1:${this.port}`];
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    if (body !== "") lines.push("content-type: application/json", `content-length: ${Buffer.byteLength(body)}`);
    this.#socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`);
    return new Promise((done, failed) => (this.#answered = { done, failed }));
  }

  close() {
    this.#answered = null;
    this.#socket.destroy();
  }
}

// A whole answer; null while some of it is missing. Bytes are read as Latin-1, so lengths are bytes.
function parse(text) {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const head = text.slice(0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  const body = text.slice(end + 4);
  const isWhole = length === undefined ? body.endsWith("0\r\n\r\n") : body.length >= Number(length);
  return isWhole ? { status: Number(head.slice(9, 12)), head, body } : null;
}

/**
 * Keeps `connections` requests in flight for `seconds`, and asks at least one on each. `next()` makes a request, `status` is what each
 * must be answered with. Returns how many were answered, and each one's time in ms.
 */
export async function load(port, { next, status, seconds, connections }) {
  const open = Array.from({ length: connections }, () => new Connection(port));
  const times = [];
  const started = performance.now();
  const until = started + seconds * 1000;
  const client = async (connection) => {
    let at = started;
    do {
      const request = next();
      const answer = await connection.ask(request);
      if (answer.status !== status) throw new Error(`${request.path}: ${answer.status}, not ${status}\n${answer.body}`);
      const now = performance.now();
      times.push(now - at);
      at = now;
    } while (at < until);
  };
  try {
    await Promise.all(open.map(client));
    return { times, seconds: (performance.now() - started) / 1000 };
  } finally {
    for (const connection of open) connection.close();
  }
}
