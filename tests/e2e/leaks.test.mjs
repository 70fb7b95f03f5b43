// What finds traces must find them: each form once, in the middle of something else.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { traces } from "./leaks.mjs";

const MAIL = "Jörg.Müller@example.org";
const plant = (text) => ({ here: `{"a":"${text}","b":1}` });
const sees = (text, needles = { mail: MAIL }) => traces(plant(text), needles).length > 0;

test("what was written is found in every form that gives it away", () => {
  const sha = (text) => createHash("sha256").update(text);
  for (const [form, text] of Object.entries({
    text: MAIL,
    "in upper case": MAIL.toUpperCase(),
    percent: encodeURIComponent(MAIL),
    JSON: "J\\u00f6rg.M\\u00fcller@example.org",
    hexadecimal: Buffer.from(MAIL).toString("hex"),
    "digest as hints are made": sha(MAIL.toLowerCase()).digest("hex"),
    "digest, cut": sha(MAIL).digest("hex").slice(0, 16),
    "digest in base64url": sha(MAIL).digest("base64url"),
    "digest, md5": createHash("md5").update(MAIL).digest("hex"),
  })) {
    assert.ok(sees(text), form);
  }
  for (let before = 0; before < 7; before += 1) {
    const hidden = Buffer.from(`${"x".repeat(before)}${MAIL} and more`);
    assert.ok(sees(hidden.toString("base64")) && sees(hidden.toString("base64url")), `base64 after ${before} bytes`);
  }
});

test("short words are found as words, and chance is not taken for a trace", () => {
  assert.ok(sees("Mia", { name: "Mia" }) && sees("hi Mia!", { name: "Mia" }));
  assert.ok(!sees("aMia8", { name: "Mia" }));
  const noise = createHash("sha512").update("noise").digest("base64url").repeat(50);
  assert.deepEqual(traces({ noise }, { mail: MAIL, name: "Anna", id: "10023", address: "203.0.113.77" }), []);
});
