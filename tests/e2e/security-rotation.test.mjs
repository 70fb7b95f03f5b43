// Keys are changed while the Worker serves: what holds at each step of the runbooks in SECURITY.md, and
// what ends with the last one. Each step is a deployment: a new Worker on the same KV.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, test } from "node:test";
import { PERSON, SECOND, api, createProgram, freePort, identityToken, instant, kvOperations, secrets, startWorker, temporaryDirectory, unique } from "./harness.mjs";
import { GUARDED } from "./routes.mjs";

const running = new Set();
after(() => Promise.all([...running].map((worker) => worker.stop())));

// A deployment whose secrets change: `deploy` replaces the running Worker, on the same port and KV.
async function deployment() {
  const [persist, port] = [temporaryDirectory("rotation"), await freePort()];
  let worker;
  return async (vars = {}) => {
    if (worker) {
      running.delete(worker);
      await worker.stop();
    }
    worker = await startWorker({ vars, persist, port });
    running.add(worker);
    return worker;
  };
}

const secret = (byte) => Buffer.alloc(32, byte).toString("base64url");
const [OLD, NEW] = [`5:${secret(5)}`, `6:${secret(6)}`];

const follow = (worker, program, code) => api(worker)("GET", `/r/${program.id}/${code}`, undefined, { headers: { "user-agent": PERSON } });
const tokenOf = (answer) => new URL(answer.headers.get("location")).searchParams.get("pa");

test("codes and click tokens outlive a change of the signing key, until it is removed", async () => {
  const deploy = await deployment();
  let worker = await deploy({ SIGNING_KEYS: OLD });
  const program = await createProgram(worker);
  const oldCode = await program.code("10023");
  const oldToken = tokenOf(await follow(worker, program, oldCode));

  const holds = async (code, token, what) => {
    assert.ok(tokenOf(await follow(worker, program, code)), `${what}: the code is redirected with a token`);
    const offer = await api(worker)("GET", `/v1/offer?program=${program.id}&pa=${token}`);
    assert.equal(offer.body.referred, true, `${what}: the token proves a referral`);
    for (const proof of [{ token }, { code }]) {
      const { body } = await program.order({ ...proof, occurred_at: instant(Date.now()) });
      assert.deepEqual([body.attributed, body.advocate?.customer_id], [true, "10023"], `${what}: an order with it is attributed`);
    }
  };
  await holds(oldCode, oldToken, "before");

  worker = await deploy({ SIGNING_KEYS: `${OLD},${NEW}` });
  await holds(oldCode, oldToken, "appended");
  assert.equal(await program.code("10023"), oldCode, "nothing is signed with the new key yet");

  worker = await deploy({ SIGNING_KEYS: `${NEW},${OLD}` });
  const newCode = await program.code("10023");
  const newToken = tokenOf(await follow(worker, program, newCode));
  assert.notEqual(newCode, oldCode);
  await holds(oldCode, oldToken, "moved to front");
  await holds(newCode, newToken, "the new key's");

  // Isolates of the deployment before still serve for a moment: that is what appending first is for.
  worker = await deploy({ SIGNING_KEYS: `${OLD},${NEW}` });
  await holds(newCode, newToken, "an isolate that is late");

  worker = await deploy({ SIGNING_KEYS: NEW });
  await holds(newCode, newToken, "removed");
  const dead = await follow(worker, program, oldCode);
  assert.deepEqual([dead.status, tokenOf(dead), dead.headers.get("x-passalong-ignored")], [302, null, "bad_code"]);
  const offer = await api(worker)("GET", `/v1/offer?program=${program.id}&pa=${oldToken}`);
  assert.deepEqual([offer.body.referred, offer.body.reason], [false, "invalid_token"]);
  for (const proof of [{ token: oldToken }, { code: oldCode }]) {
    const { status, body } = await program.order({ ...proof, occurred_at: instant(Date.now()) });
    assert.deepEqual([status, body.attributed, body.reason], [201, false, "invalid_token"]);
  }
  assert.equal((await program.me("10023")).referrals.length, 12, "what was earned stays");
});

// Clients for the keys of one generation, as `nextKeys` hands them out.
function connected(worker, program, keys) {
  const iat = () => Math.floor(worker.now() / SECOND);
  const jwt = (id) => identityToken({ sub: id, aud: program.id, iat: iat(), exp: iat() + 3600 }, keys.identity_secret);
  const template = (id) => {
    const expires = iat() + 3600;
    const hex = createHmac("sha256", keys.template_secret).update(["passalong-identity-v1", program.id, id, expires].join("\n")).digest("hex");
    return `t1.${program.id}.${Buffer.from(id).toString("base64url")}.${expires}.${hex}`;
  };
  return { server: api(worker, keys.server_api_key), jwt: api(worker, jwt("10023")), template: api(worker, template("10023")) };
}

const bodyOf = (path, body) => (path === "/v1/conversions" ? { ...body, order_id: unique("A"), occurred_at: instant(Date.now()) } : body);

// Whether every route lets these keys in.
async function opens(clients, wanted, what) {
  for (const [who, method, path, body] of GUARDED.filter(([role]) => role !== "operator")) {
    for (const kind of who === "customer" ? ["jwt", "template"] : ["server"]) {
      const answer = await clients[kind](method, path, bodyOf(path, body));
      assert.equal(answer.status !== 401, wanted, `${what}, ${kind} at ${method} ${path}: ${answer.status} ${answer.text}`);
    }
  }
}

test("a merchant changes keys without an outage: both generations hold until one is revoked", async () => {
  const deploy = await deployment();
  let worker = await deploy();
  const operator = (...call) => api(worker, secrets.operator_key)(...call);
  const [program, other] = [await createProgram(worker), await createProgram(worker)];
  const code = await program.code("10023");
  const keysOf = `/v1/programs/${program.id}/keys`;
  const first = { server_api_key: program.serverApiKey, identity_secret: program.identitySecret, template_secret: program.templateSecret };

  const next = await operator("POST", keysOf);
  assert.deepEqual([next.status, next.body.generation], [200, 2]);
  assert.equal(kvOperations(next).write, 0, "nothing is stored");
  assert.deepEqual((await operator("POST", keysOf)).body, next.body, "asked again, the same");
  for (const name of Object.keys(first)) assert.notEqual(next.body[name], first[name], name);
  const second = next.body;
  await opens(connected(worker, program, first), true, "the keys in use");
  await opens(connected(worker, program, second), true, "the next keys");

  for (const [generation, status] of [[0, 400], [3, 409], [4_294_967_295, 409], ["1", 400]]) {
    assert.equal((await operator("POST", `${keysOf}/revoke`, { generation })).status, status, String(generation));
  }
  const before = kvOperations(await api(worker, second.server_api_key)("GET", "/v1/program"));
  const revoked = await operator("POST", `${keysOf}/revoke`, { generation: 1 });
  assert.deepEqual(revoked.body, { program: program.id, revoked: 1, current: 2 });
  assert.deepEqual([kvOperations(revoked).write, kvOperations(revoked).read], [1, 0]);
  const again = await operator("POST", `${keysOf}/revoke`, { generation: 1 });
  assert.deepEqual([again.body, kvOperations(again).write], [revoked.body, 0]);

  const afterwards = async (when) => {
    await opens(connected(worker, program, first), false, `${when}, the revoked keys`);
    await opens(connected(worker, program, second), true, `${when}, the keys that follow`);
    assert.equal((await api(worker, first.server_api_key)("GET", "/v1/program")).body.detail, "the key was revoked");
    assert.equal((await other.server("GET", "/v1/program")).status, 200, "another program's first generation");
    const third = await operator("POST", keysOf);
    assert.equal(third.body.generation, 3);
    await opens(connected(worker, program, third.body), true, `${when}, the generation after`);
  };
  await afterwards("at once");
  assert.deepEqual(kvOperations(await api(worker, second.server_api_key)("GET", "/v1/program")), before, "no request pays for it");
  worker = await deploy();
  await afterwards("in an isolate that knew nothing");

  // Links are signed with another key: no customer notices.
  assert.ok(tokenOf(await follow(worker, program, code)));
  const made = await operator("POST", "/v1/programs", { id: program.id, preset: "20-10", name: "Teehaus Nord", landing_url: "https://shop.example/willkommen", review: {} });
  assert.equal(made.status, 200, made.text);
  assert.deepEqual([made.body.generation, made.body.server_api_key], [2, second.server_api_key], "the keys of a program are those in use");

  // Two at once, the later first: what is left is the one after.
  await operator("POST", `${keysOf}/revoke`, { generation: 3 });
  assert.equal((await operator("POST", keysOf)).body.generation, 4);
  assert.deepEqual((await operator("POST", `${keysOf}/revoke`, { generation: 2 })).body.current, 4);
  await opens(connected(worker, program, second), false, "revoked too");
});

test("an operator key is taken back by the next generation", async () => {
  const deploy = await deployment();
  let worker = await deploy();
  const program = await createProgram(worker);
  worker = await deploy({ OPERATOR_GENERATION: "2" });
  for (const [, method, path, body] of GUARDED.filter(([who]) => who === "operator")) {
    const [old, good] = [await api(worker, secrets.operator_key)(method, path, body), await api(worker, secrets.operator_key_2)(method, path, body)];
    assert.deepEqual([old.status, old.body.detail], [401, "the key was revoked"], path);
    assert.notEqual(good.status, 401, `${path}: ${good.text}`);
  }
  assert.equal((await program.server("GET", "/v1/program")).status, 200, "merchants' keys stay");
});

test("a new MERCHANT_KEY ends every key at once, and nothing else", async () => {
  const deploy = await deployment();
  let worker = await deploy();
  const program = await createProgram(worker);
  const [code, token] = [await program.code("10023"), await program.click("10023")];
  await program.order({ order_id: "A-1", token });
  worker = await deploy({ MERCHANT_KEY: secret(9) });
  const old = { server_api_key: program.serverApiKey, identity_secret: program.identitySecret, template_secret: program.templateSecret };
  await opens(connected(worker, program, old), false, "keys of before");
  assert.equal((await api(worker, secrets.operator_key)("POST", "/v1/programs", {})).status, 401);
  assert.ok(tokenOf(await follow(worker, program, code)), "links work on");
  assert.equal((await api(worker)("GET", `/v1/offer?program=${program.id}&pa=${token}`)).body.referred, true);
  worker = await deploy();
  assert.equal((await program.server("GET", "/v1/conversions/A-1")).body.order_id, "A-1", "and what was recorded is there");
});

test("another PSEUDONYM_KEY forgets everybody, and the right one finds them again", async () => {
  const deploy = await deployment();
  const worker = await deploy();
  const program = await createProgram(worker);
  await program.order({ order_id: "A-1", token: await program.click("10023") });
  assert.equal((await program.me("10023")).referrals.length, 1);
  await deploy({ PSEUDONYM_KEY: secret(9) });
  assert.equal((await program.server("GET", "/v1/conversions/A-1")).status, 404);
  assert.equal((await program.me("10023")).referrals.length, 0);
  await deploy();
  assert.equal((await program.server("GET", "/v1/conversions/A-1")).status, 200);
  assert.equal((await program.me("10023")).referrals.length, 1);
});
