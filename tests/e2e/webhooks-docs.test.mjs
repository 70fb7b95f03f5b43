// The snippets of docs/webhooks.md that verify by hand, each run in its language on messages that the
// standard's own library signed. A language this machine does not have is skipped.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Webhook } from "standardwebhooks";
import { root, temporaryDirectory } from "./harness.mjs";

const text = readFileSync(join(root, "docs/webhooks.md"), "utf8");
const snippets = new Map([...text.matchAll(/<!-- (\S+) -->\n```\w+\n([\s\S]*?)```/g)].map(([, name, code]) => [name, code]));

// What each does with `input.json` beside it: prints the type, or fails.
const LANGUAGES = {
  "verify.mjs": [process.execPath, `import { readFileSync } from "node:fs";\nconst { secret, headers, body } = JSON.parse(readFileSync("input.json", "utf8"));\nconsole.log(verify(secret, headers, Buffer.from(body)).type);\n`],
  "verify.py": ["python3", `input = json.load(open("input.json"))\nprint(verify(input["secret"], input["headers"], input["body"].encode())["type"])\n`],
  "verify.php": ["php", `$input = json_decode(file_get_contents("input.json"), true);\necho verify($input["secret"], $input["headers"], $input["body"])["type"];\n`],
  "verify.rb": ["ruby", `input = JSON.parse(File.read("input.json"))\nputs verify(input["secret"], input["headers"], input["body"])["type"]\n`],
};

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";
const other = "whsec_YGmLtDDTjkUPI6yX/16aK3sj+rIp0ou92B1E3mEx54k=";
const body = '{"type":"reward.approved","data":{"name":"Tee für Käthe"}}';

function message({ ago = 0, by = [secret] } = {}) {
  const at = new Date(Date.now() - ago * 1000);
  const headers = {
    "webhook-id": "msg_2cmbz0emhjt6hg7x",
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": by.map((one) => new Webhook(one).sign("msg_2cmbz0emhjt6hg7x", at, body)).join(" "),
  };
  return { secret, headers, body };
}

const GOOD = { "as it was sent": message(), "while the secret changes": message({ by: [other, secret] }) };
const BAD = {
  "another secret": message({ by: [other] }),
  "another body": { ...message(), body: body.replace("approved", "reversed") },
  "another id": { ...message(), headers: { ...message().headers, "webhook-id": "msg_0000000000000000" } },
  "ten minutes old": message({ ago: 600 }),
  "ten minutes ahead": message({ ago: -600 }),
  "a part of the signature": { ...message(), headers: { ...message().headers, "webhook-signature": message().headers["webhook-signature"].slice(0, 20) } },
  "another version": { ...message(), headers: { ...message().headers, "webhook-signature": message().headers["webhook-signature"].replace("v1,", "v1a,") } },
};

test("every language of the page has its snippet", () => {
  assert.deepEqual([...snippets.keys()], Object.keys(LANGUAGES));
});

for (const [name, [program, rest]] of Object.entries(LANGUAGES)) {
  const isThere = spawnSync(program, ["--version"]).status === 0;
  test(`${name} takes what is ours and nothing else`, { skip: !isThere && `there is no ${program}` }, () => {
    const cwd = temporaryDirectory("snippet");
    writeFileSync(join(cwd, name), snippets.get(name) + rest);
    const run = (input) => {
      writeFileSync(join(cwd, "input.json"), JSON.stringify(input));
      return execFileSync(program, [name], { cwd, encoding: "utf8", stdio: "pipe" }).trim();
    };
    for (const [what, input] of Object.entries(GOOD)) assert.equal(run(input), "reward.approved", what);
    for (const [what, input] of Object.entries(BAD)) assert.throws(() => run(input), /not from Passalong/, what);
  });
}

test("the messages the page shows are as the API has them", async () => {
  const { violations } = await import("./openapi.mjs");
  const shown = [...text.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json]) => JSON.parse(json));
  assert.equal(shown.length, 3);
  for (const one of shown) assert.deepEqual(violations({ $ref: "#/components/schemas/WebhookMessage" }, one), [], one.type);
});

test("the page names every type, and the attempts as they are made", () => {
  const source = readFileSync(join(root, "core/src/webhook.rs"), "utf8");
  const types = [...source.matchAll(/^ {8}\w+ = "(\w+(?:\.\w+)?)",$/gm)].map(([, word]) => word).filter((word) => !/^(timed_out|unreachable)$/.test(word));
  assert.equal(types.length, 10);
  for (const type of types) assert.ok(text.includes(`| \`${type}\` |`), type);
  const delays = /DELAYS: \[i64; 10\] =\s*\[([\s\S]*?)\];/.exec(source)[1].split(",").map((part) => part.trim()).filter(Boolean);
  const words = delays.map((delay) => delay.replace(/(\d+) \* MINUTE/, "$1 min").replace(/(\d+) \* HOUR/, "$1 h").replace(/^0$/, "at once").replace(/^5$/, "5 s"));
  assert.ok(text.includes(`| ${words.join(" | ")} |`), words.join(" | "));
});
