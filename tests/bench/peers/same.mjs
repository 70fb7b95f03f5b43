// The fair peer: what the Worker does on a click, in plain JS. A code proves itself by HMAC, machines are
// told by the same words, the redirect carries a signed click token, and the clicks of one advocate within a
// second are one KV key.

const WINDOW_MS = 1_000;
const LISTED = 80;
const CHANNELS = ["direct", "whatsapp", "native", "copy", "email", "sms", "telegram", "x", "facebook", "linkedin", "xing", "qr"];
const LANDING_URL = "https://shop.example/willkommen";
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

// The tables of core/src/visit.rs; whoever bundles this file puts them here.
const { PREVIEW_STARTS, PREVIEWS, BROWSER_STARTS, HARMLESS, BOTS } = TABLES;

const encoder = new TextEncoder();
let keys = null;
const open = new Map();

async function key(secret, purpose) {
  const bytes = encoder.encode(`${secret} ${purpose}`);
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}

async function tag(signingKey, bytes, length) {
  return new Uint8Array(await crypto.subtle.sign("HMAC", signingKey, bytes)).subarray(0, length);
}

function fromBase32(text) {
  if (text.length !== 26) return null;
  const bytes = new Uint8Array(16);
  let bits = 0;
  let value = 0;
  let at = 0;
  for (const letter of text.toLowerCase().replaceAll("o", "0").replace(/[il]/g, "1")) {
    const digit = ALPHABET.indexOf(letter);
    if (digit < 0) return null;
    value = ((value << 5) | digit) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (value >> bits) & 255;
    }
  }
  return bytes;
}

function toBase32(bytes) {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0x1fff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(value >> bits) & 31];
    }
  }
  return bits > 0 ? text + ALPHABET[(value << (5 - bits)) & 31] : text;
}

const text = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
const base64url = (bytes) => btoa(text(bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

function isEqual(one, other) {
  let difference = 0;
  for (let at = 0; at < one.length; at += 1) difference |= one[at] ^ other[at];
  return difference === 0;
}

function join(...parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function classify(request) {
  if (request.method === "HEAD") return "head";
  const agent = (request.headers.get("user-agent") ?? "").trim().toLowerCase();
  const starts = (table) => table.some((start) => agent.startsWith(start));
  const holds = (text, table) => table.some((word) => text.includes(word));
  if (starts(PREVIEW_STARTS) || holds(agent, PREVIEWS)) return "preview";
  if (!starts(BROWSER_STARTS)) return "bot";
  if (holds(HARMLESS.reduce((text, name) => text.replaceAll(name, ""), agent), BOTS)) return "bot";
  for (const name of ["sec-purpose", "purpose", "x-purpose", "x-moz"]) {
    if (/prefetch|prerender|preview/i.test(request.headers.get(name) ?? "")) return "prefetch";
  }
  return null;
}

// Where to: the landing page with the visitor's own parameters, and the token.
function destination(query, token) {
  const url = new URL(LANDING_URL);
  for (const [name, value] of query) {
    if (name !== "pa" && name !== "to" && !url.searchParams.has(name)) url.searchParams.append(name, value);
  }
  if (token) url.searchParams.append("pa", token);
  return url.href;
}

function redirect(location, more = {}) {
  const headers = {
    location,
    "cache-control": "no-store",
    "x-robots-tag": "noindex",
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-content-type-options": "nosniff",
    "strict-transport-security": "max-age=31536000",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "retry-after, server-timing",
    "timing-allow-origin": "*",
    ...more,
  };
  return new Response(null, { status: 302, headers });
}

async function flush(env, target) {
  await new Promise((wake) => setTimeout(wake, WINDOW_MS));
  const visitors = [...open.get(target).values()];
  open.delete(target);
  const metadata = { v: base64url(visitors.slice(0, LISTED).flat()) };
  const rest = base64url(visitors.slice(LISTED).flat());
  await env.KV.put(`click/${target}/${crypto.randomUUID()}`, rest, { metadata, expirationTtl: 8 * 86_400 });
}

function count(env, context, target, visitor, channel) {
  const leads = !open.has(target);
  if (leads) open.set(target, new Map());
  open.get(target).set(visitor.join(), [...visitor, channel]);
  if (leads) context.waitUntil(flush(env, target));
}

export default {
  async fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url);
    const [, route, program, code, channelName] = pathname.split("/");
    if (route !== "r" || program !== "teehaus" || !code) return new Response("not found", { status: 404 });
    keys ??= { code: await key(env.SECRET, "code"), token: await key(env.SECRET, "token"), visitor: await key(env.SECRET, "visitor") };
    const ignored = classify(request);
    if (ignored) return redirect(destination(searchParams, null), { "x-ignored": ignored });
    const bytes = fromBase32(code);
    if (!bytes || !isEqual(await tag(keys.code, bytes.subarray(0, 8), 8), bytes.subarray(8))) {
      return redirect(destination(searchParams, null), { "x-ignored": "bad_code" });
    }
    const customer = bytes.subarray(1, 8);
    const now = Date.now();
    const seconds = Math.floor(now / 1000);
    const channel = Math.max(0, CHANNELS.indexOf(channelName));
    const nonce = crypto.getRandomValues(new Uint8Array(4));
    const time = [0, seconds >>> 24, (seconds >> 16) & 255, (seconds >> 8) & 255, seconds & 255];
    const body = join([16], customer, time, [channel], nonce);
    const token = base64url(join(body, await tag(keys.token, body, 8)));
    const day = new Date(now).toISOString().slice(0, 10).replaceAll("-", "");
    const address = request.headers.get("cf-connecting-ip") ?? "";
    const who = encoder.encode(`${day} ${address} ${request.headers.get("user-agent")}`);
    const visitor = await tag(keys.visitor, who, 6);
    count(env, context, `${program}/${day}/${toBase32(customer)}`, visitor, channel);
    return redirect(destination(searchParams, token));
  },
};
