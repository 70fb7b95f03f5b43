// Finds what must not be readable in what is stored, logged or asked for: as text and in every form that
// would give it away (escaped, base64, base32, hexadecimal, or an unkeyed digest that anyone could guess).

import { createHash } from "node:crypto";

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64URL = BASE64.replace("+/", "-_");
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
const CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz";
const ALPHABETS = { base64: BASE64, base64url: BASE64URL, base32: BASE32, crockford: CROCKFORD };

// Text this short is found by chance in random text: it is looked for as a word, not in other forms.
const SHORT = 6;

// What all encodings of something that holds these bytes have in common, for each place they may begin at.
function* encoded(bytes, alphabet) {
  const width = Math.log2(alphabet.length);
  for (let before = 0; before < width; before += 1) {
    const bits = [...Buffer.alloc(before), ...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
    const first = Math.ceil((before * 8) / width);
    const last = Math.floor(bits.length / width);
    const digits = Array.from({ length: last - first }, (_, at) => alphabet[parseInt(bits.slice((first + at) * width, (first + at + 1) * width), 2)]);
    yield digits.join("");
  }
}

// `[form, text]`: each way to write these bytes.
function* written(bytes) {
  yield ["hexadecimal", bytes.toString("hex")];
  for (const [name, alphabet] of Object.entries(ALPHABETS)) {
    for (const text of encoded(bytes, alphabet)) yield [name, text];
  }
}

function* forms(text) {
  const bytes = Buffer.from(text);
  if (bytes.length >= SHORT) {
    yield ["text", text];
    yield ["percent", encodeURIComponent(text)];
    yield ["form", new URLSearchParams([["", text]]).toString().slice(1)];
    yield ["percent, all of it", [...bytes].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")];
    yield ["JSON", JSON.stringify(text).slice(1, -1).replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)];
    yield* written(bytes);
  }
  // Digests are cut to as few bytes as anyone would keep.
  for (const variant of new Set([text, text.trim(), text.toLowerCase(), text.trim().toLowerCase()])) {
    for (const algorithm of ["sha256", "sha1", "sha512", "md5"]) {
      const digest = createHash(algorithm).update(variant).digest().subarray(0, 6);
      for (const [form, found] of written(digest)) yield [`${algorithm}, ${form}`, found];
    }
  }
}

const isWord = (character) => /[\p{L}\p{N}_]/u.test(character ?? "");

// Whether a short text stands there as a word of its own.
function holdsWord(hay, word) {
  for (let at = hay.indexOf(word); at >= 0; at = hay.indexOf(word, at + 1)) {
    if (!isWord(hay[at - 1]) && !isWord(hay[at + word.length])) return true;
  }
  return false;
}

/**
 * Where any of `needles` (`{ what: text }`) is readable in `hays` (`{ where: text }`), as sentences.
 * Upper and lower case are the same, except in base64.
 */
export function traces(hays, needles) {
  const found = [];
  const looked = Object.entries(needles).map(([what, text]) => [what, text, [...forms(text)]]);
  for (const [where, hay] of Object.entries(hays)) {
    const lower = hay.toLowerCase();
    for (const [what, text, all] of looked) {
      if (Buffer.byteLength(text) < SHORT && holdsWord(hay, text)) found.push(`${where}: ${what} as a word`);
      for (const [form, pattern] of all) {
        const holds = form.includes("base64") ? hay.includes(pattern) : lower.includes(pattern.toLowerCase());
        if (holds) found.push(`${where}: ${what} as ${form}`);
      }
    }
  }
  return found;
}
