// The guide for shops without a plugin, followed word by word: every code block of docs/connect.md runs as it
// stands there, in its language, against the Worker.

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { Liquid } from "liquidjs";
import { DAY, MINUTE, api, createProgram, instant, openBrowser, runCronUntilDone, setClock, unique, until } from "./harness.mjs";
import { startMiniflare } from "./miniflare.mjs";
import { LANGUAGES, run, snippets } from "./snippets.mjs";

const blocks = snippets("docs/connect.md");
const languages = Object.keys(LANGUAGES);
const STEPS = ["1. Say who is logged in: the identity token", "3. Report the order", "4. Report what becomes of it", "5. Read what is owed", "6. Hand it over"];

// The block of a step in a language.
function block(step, language) {
  const found = blocks.filter((one) => one.heading === step && one.language === language);
  assert.equal(found.length, 1, `${step} in ${language}`);
  return found[0].text;
}

let worker;
let program;
let browser;
before(async () => {
  worker = await startMiniflare({ vars: { DEBUG: "on" } });
  program = await createProgram(worker);
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await worker?.stop();
});

const environment = (more) => ({
  PASSALONG_URL: worker.url,
  PROGRAM: program.id,
  SERVER_API_KEY: program.serverApiKey,
  IDENTITY_SECRET: program.identitySecret,
  ...more,
});

test("every code block of the guide is one that a test runs", () => {
  const steps = STEPS.flatMap((heading) => languages.map((language) => `${heading} ${language}`));
  const others = ["2. Carry the click token to the order html", "Where templates are all there is liquid", " sh"];
  assert.deepEqual(blocks.map(({ heading, language }) => `${heading} ${language}`).sort(), [...steps, ...others].sort());
});

test("the values of the guide are those a program is created with", () => {
  const [values] = blocks.filter(({ language }) => language === "sh");
  const names = [...values.text.matchAll(/^export (\w+)=/gm)].map(([, name]) => name);
  assert.deepEqual(names.sort(), Object.keys(environment()).sort());
  for (const [name, prefix] of [["SERVER_API_KEY", "sk_"], ["IDENTITY_SECRET", "is_"]]) {
    assert.match(values.text, new RegExp(`${name}=${prefix}teehaus_1_…`));
    assert.ok(environment()[name].startsWith(prefix));
  }
});

for (const language of languages) {
  test(`${language}: the identity token names the customer`, async () => {
    const id = unique(language);
    const token = (await run(language, block(STEPS[0], language), environment({ CUSTOMER_ID: id }))).trim();
    const me = await api(worker, token)("GET", "/v1/me");
    assert.equal(me.status, 200, me.text);
    assert.equal(me.body.code, await program.code(id));
    const foreign = (await run(language, block(STEPS[0], language), { ...environment({ CUSTOMER_ID: id }), IDENTITY_SECRET: `${program.identitySecret}\n` })).trim();
    const refused = await api(worker, foreign)("GET", "/v1/me");
    assert.equal(refused.status, 401);
    assert.match(refused.body.detail, /the identity_secret ends in a line break/);
  });
}

test("the form of the guide carries the click token", async () => {
  const [form] = blocks.filter(({ language }) => language === "html");
  const shop = createServer((_, answer) => answer.setHeader("content-type", "text/html; charset=utf-8").end(`<!doctype html>${form.text}`));
  await new Promise((listening) => shop.listen(0, "127.0.0.1", listening));
  try {
    const page = await browser.newPage();
    const address = `http://127.0.0.1:${shop.address().port}/`;
    await page.goto(`${address}?pa=${await program.click("10023")}`);
    const sent = await page.locator('input[name="pa"]').inputValue();
    assert.match(sent, /^[\w-]{35}$/);
    await page.goto(address);
    assert.equal(await page.locator('input[name="pa"]').inputValue(), "");
    await page.close();
  } finally {
    shop.close();
  }
});

test("in every language: an order is reported, delivered, earned and handed over", async () => {
  const stories = {};
  for (const language of languages) {
    const advocate = unique("advocate");
    const now = worker.now();
    const env = environment({
      ORDER_ID: `${unique("A")}/1`,
      CUSTOMER_ID: unique("friend"),
      EMAIL: ` ${unique("Erika")}@Example.org `,
      ORDERED_AT: instant(now),
      DELIVERED_AT: instant(now),
      SINCE: instant(now).slice(0, 10),
      PA: await program.click(advocate),
      REFERENCE: `voucher 881 ${language}`,
    });
    stories[language] = { advocate, env };
    const report = () => run(language, block(STEPS[1], language), env);
    const answer = JSON.parse(await report());
    assert.deepEqual([answer.attributed, answer.reason], [true, null], language);
    assert.deepEqual(JSON.parse(await report()), answer, `${language}: again`);
    const hint = createHash("sha256").update(env.EMAIL.trim().toLowerCase()).digest("hex");
    const same = { order_id: env.ORDER_ID, customer_id: env.CUSTOMER_ID, hints: [hint], first_order: undefined, occurred_at: env.ORDERED_AT, token: env.PA };
    assert.equal((await program.order(same)).status, 200, `${language}: the report is the one that is meant`);
    stories[language].id = answer.rewards.find((reward) => reward.for === "advocate").id;
    const event = JSON.parse(await run(language, block(STEPS[2], language), env));
    assert.equal(event.events?.[0]?.type ?? event.order_id, event.events ? "delivered" : env.ORDER_ID, language);
  }
  await setClock(worker, worker.now() + 21 * DAY + 15 * MINUTE);
  await runCronUntilDone(worker);
  for (const [language, { id, env, advocate }] of Object.entries(stories)) {
    const { rewards } = JSON.parse(await run(language, block(STEPS[3], language), env));
    const own = rewards.filter((reward) => reward.id === id);
    assert.deepEqual(own.map(({ order_id, customer_id, status }) => [order_id, customer_id, status]), [[env.ORDER_ID, advocate, "approved"]], language);
    const done = JSON.parse(await run(language, block(STEPS[4], language), { ...env, REWARD_ID: id }));
    assert.deepEqual([done.id, done.status], [id, "fulfilled"], language);
    const shown = await program.server("GET", `/v1/conversions/${encodeURIComponent(env.ORDER_ID)}`);
    assert.deepEqual(shown.body.events.map(({ event_id, type }) => [event_id, type]), [["delivery-1", "delivered"]], language);
    assert.equal(shown.body.rewards.find((reward) => reward.id === id).reference, env.REFERENCE, language);
  }
  await setClock(worker, null);
});

test("in every language: what is refused stops the shop's code with the reason", async () => {
  for (const language of languages) {
    const env = environment({ ORDER_ID: "A-1", CUSTOMER_ID: "0", EMAIL: "e@example.org", ORDERED_AT: instant(worker.now()), PA: "" });
    await assert.rejects(run(language, block(STEPS[1], language), env), /must be a real id/, language);
    const keyless = { ...env, SERVER_API_KEY: "sk_wrong", REWARD_ID: "rw_0", REFERENCE: "x", DELIVERED_AT: env.ORDERED_AT, SINCE: "2026-09-01" };
    for (const step of STEPS.slice(2)) await assert.rejects(run(language, block(step, language), keyless), /the key is malformed/, `${language} ${step}`);
  }
});

test("the Liquid of the thank-you page reports an order from a real page, and is taken at its word only", async () => {
  const [template] = blocks.filter(({ language }) => language === "liquid");
  // The filters a shop's template engine brings beside those of Liquid.
  const liquid = new Liquid();
  liquid.registerFilter("sha256", (text) => createHash("sha256").update(String(text)).digest("hex"));
  liquid.registerFilter("hmac_sha256", (text, key) => createHmac("sha256", key).update(String(text)).digest("hex"));
  const [guest, customer] = [null, { id: unique("friend") }];
  for (const [who, pa] of [[customer, await program.click("10023")], [guest, await program.click("10024")], [customer, null]]) {
    const order = {
      name: unique("#1"),
      email: `${unique("Erika")}@Example.org`,
      created_at: instant(worker.now()),
      subtotal_price: 4990,
      currency: "EUR",
      first_order: true,
      customer: who,
      attributes: { pa },
    };
    const html = await liquid.parseAndRender(template.text, { order, program: program.id, passalong_url: worker.url, conversion_secret: program.conversionSecret });
    assert.ok(!html.includes(program.conversionSecret), "the secret stays in the template");
    const shop = createServer((_, answer) => answer.setHeader("content-type", "text/html; charset=utf-8").end(`<!doctype html>${html}`));
    await new Promise((listening) => shop.listen(0, "127.0.0.1", listening));
    const page = await browser.newPage();
    try {
      // What the page's script hears, which is all that a browser lets through.
      await page.addInitScript(() => {
        const send = window.fetch;
        window.answered = new Promise((answered) => {
          window.fetch = async (url, request) => {
            const answer = await send(url, request);
            answered({ status: answer.status, body: await answer.clone().json(), sent: JSON.parse(request.body) });
            return answer;
          };
        });
      });
      await page.goto(`http://127.0.0.1:${shop.address().port}/`);
      const { status, body, sent } = await page.evaluate(() => window.answered);
      assert.equal(status, 201, JSON.stringify(body));
      assert.deepEqual([body.order_id, body.attributed, body.reason], pa ? [order.name, true, null] : [order.name, false, "no_referral"]);
      const shown = await until(async () => {
        const answer = await program.server("GET", `/v1/conversions/${encodeURIComponent(order.name)}`);
        return answer.status === 200 && answer;
      });
      assert.equal(shown.body.amount, 4990);
      assert.equal((await api(worker)("POST", "/v1/signed/conversions", { ...sent, amount: 499000 })).status, 401);
    } finally {
      await page.close();
      shop.close();
    }
  }
});
