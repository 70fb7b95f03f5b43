// Files a merchant takes away, read back by an independent CSV library: every cell as it was, nothing that
// a spreadsheet would run, and each row once however many pages there are.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Papa from "papaparse";
import { DAY, HOUR, createProgram, instant, kvOperations, noon, runCronUntilDone, setClock } from "./harness.mjs";
import { startMiniflare } from "./miniflare.mjs";

let worker;
before(async () => {
  worker = await startMiniflare({ vars: { DEBUG: "on" } });
});
after(() => worker?.stop());

const NOW = { hold: { from: "order", days: 0, fallback_days: 0 } };

async function begin(overrides = {}) {
  await setClock(worker, noon());
  return createProgram(worker, { ...NOW, ...overrides });
}

async function order(program, order_id, fields = {}) {
  const answer = await program.order({ order_id, ...fields });
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
}

// All pages of a table, as bytes one behind the other; and the answers.
async function download(program, table, query = "") {
  const answers = [];
  let cursor = "";
  do {
    const answer = await fetch(`${worker.url}/v1/exports/${table}?${query}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`, {
      headers: { authorization: `Bearer ${program.serverApiKey}` },
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    assert.equal(answer.status, 200, bytes.toString());
    answers.push({ headers: answer.headers, bytes });
    cursor = answer.headers.get("x-next-cursor") ?? "";
    assert.ok(answers.length < 50);
  } while (cursor);
  return { bytes: Buffer.concat(answers.map(({ bytes }) => bytes)), answers };
}

// As objects by the names of the head.
function parse(bytes, delimiter) {
  const { data, errors } = Papa.parse(bytes.toString("utf8").replace(/^\ufeff/, ""), { header: true, delimiter, skipEmptyLines: true, newline: "\r\n" });
  assert.deepEqual(errors, []);
  return data;
}

const byOrder = (rows) => Object.fromEntries(rows.map((row) => [row.order_id, row]));

test("a German file opens in a German Excel, an English one in an English one", async () => {
  const program = await begin();
  // The advocate is known by an id, the friend only by what an order says.
  await program.me("10023");
  await order(program, "A-1", { amount: 4990, token: await program.click("10023") });
  await setClock(worker, noon() + 2 * HOUR);
  await runCronUntilDone(worker);
  const german = (await download(program, "rewards")).bytes;
  assert.deepEqual([...german.subarray(0, 3)], [0xef, 0xbb, 0xbf]);
  assert.equal(german.subarray(3).toString().split("\r\n")[0].split(";")[0], "reward_id");
  const [reward] = parse(german, ";");
  assert.deepEqual(
    { ...reward, reward_id: "" },
    {
      reward_id: "", for: "advocate", customer_id: "10023", order_id: "A-1", ordered_at: instant(noon()).replace("T", " ").replace("Z", ""),
      kind: "credit", amount: "9,98", currency: "EUR", percent: "", quantity: "", label: "", milestone: "", status: "approved", reason: "",
      since: instant(noon() + HOUR).replace("T", " ").replace("Z", ""), until: "", taken_back: "", reference: "",
    },
  );
  const english = await download(program, "rewards", "locale=en");
  assert.equal(english.bytes.subarray(0, 9).toString(), "reward_id");
  assert.equal(parse(english.bytes, ",")[0].amount, "9.98");
  assert.match(english.answers[0].headers.get("content-type"), /^text\/csv; charset=utf-8$/);
  assert.match(english.answers[0].headers.get("content-disposition"), new RegExp(`^attachment; filename="${program.id}-rewards-[-0-9]+\\.csv"$`));
  // A list for each month, one for the order, one for its advocate; one read for the friend's id.
  const { headers } = await program.server("GET", "/v1/exports/rewards");
  const months = new Set(Array.from({ length: 31 }, (_, back) => instant(noon() - back * DAY).slice(0, 7))).size;
  assert.deepEqual(kvOperations({ headers }), { read: 1, write: 0, list: months + 2, all: months + 3 });
});

test("amounts have the decimals of their currency", async () => {
  for (const [currency, csv, json, minor] of [["EUR", "49,90", "49.90", 4990], ["JPY", "4990", "4990", 4990], ["KWD", "4,990", "4.990", 4990]]) {
    const program = await begin({ currency });
    await order(program, "A-1", { amount: 4990, currency, token: await program.click("10023") });
    const [row] = parse((await download(program, "conversions")).bytes, ";");
    assert.deepEqual([row.amount, row.remaining, row.currency], [csv, csv, currency]);
    const line = JSON.parse((await download(program, "conversions", "format=jsonl")).bytes.toString());
    assert.deepEqual([line.amount, line.amount_minor, line.currency], [json, minor, currency]);
  }
});

test("what remains of an order, and why it is nobody's, is in its row", async () => {
  const program = await begin();
  for (const customer of ["10023", "f1"]) await program.me(customer);
  const token = await program.click("10023");
  await order(program, "A-1", { amount: 5000, customer_id: "f1", token });
  await order(program, "A-2", { amount: 5000, customer_id: "10023", token });
  await order(program, "A-3", { amount: 5000, customer_id: "f3" });
  await order(program, "S-1", { kind: "signup", amount: undefined, currency: undefined, customer_id: "f4", token });
  assert.equal((await program.event("A-1", { type: "refunded", amount: 1000 })).status, 201);
  assert.equal((await program.event("A-3", { type: "cancelled" })).status, 201);
  await setClock(worker, noon() + 2 * HOUR);
  await runCronUntilDone(worker);
  const rows = byOrder(parse((await download(program, "conversions", "locale=en")).bytes, ","));
  const of = (id) => ["kind", "amount", "remaining", "customer_id", "attributed", "reason", "advocate_id", "advocate_status"].map((name) => rows[id][name]);
  assert.deepEqual(of("A-1"), ["purchase", "50.00", "40.00", "f1", "true", "", "10023", "approved"]);
  assert.deepEqual(of("A-2"), ["purchase", "50.00", "50.00", "10023", "false", "self_referral", "", "refused"]);
  assert.deepEqual(of("A-3"), ["purchase", "50.00", "0.00", "", "false", "no_referral", "", ""]);
  assert.deepEqual(of("S-1"), ["signup", "", "", "", "true", "", "10023", ""]);
});

const FORMULA = /^[\s"\u00a0\ufeff]*[=+\-@\t\r＝＋－＠]/;
const NUMBER = /^-?\d+([.,]\d+)?$/;

test("nothing that shop or customer wrote is a formula, whatever program opens the file, and numbers are numbers", async () => {
  const attacks = [
    '=HYPERLINK("https://evil.example","Gutschein")', "+49 170 1234567", "-5", "@SUM(A1:A9)", 'x;=1+1', 'x,=1+1', 'x";"=1+1', '"=1+1', "  =1+1",
    "x|@A1", "＝1+1", "'=1+1", 'Tee, "fein"; lose', "-2,00", "2026-11-22",
  ];
  const program = await begin();
  const ids = {};
  for (const [n, attack] of attacks.entries()) {
    await program.me(`${attack} ${n}`);
    const { rewards } = await order(program, `${attack}`, { amount: 5000, token: await program.click(`${attack} ${n}`) });
    ids[rewards[0].id] = attack;
  }
  await setClock(worker, noon() + 2 * HOUR);
  await runCronUntilDone(worker);
  for (const [id, attack] of Object.entries(ids)) {
    const answer = await program.server("POST", `/v1/rewards/${id}/fulfil`, { reference: attack });
    assert.equal(answer.status, 200, answer.text);
    // What is taken back is a number below zero, and stays one.
    assert.equal((await program.event(attack, { type: "refunded", amount: 1000 })).status, 201);
  }
  for (const table of ["rewards", "conversions", "advocates"]) {
    for (const locale of ["de", "en"]) {
      for (const columns of ["default", "hubspot", "salesforce", "zoho"]) {
        const { bytes } = await download(program, table, `locale=${locale}&columns=${columns}`);
        assert.equal(parse(bytes, locale === "de" ? ";" : ",").length, attacks.length);
        // Also where a program takes another separator, or no notice of quotes.
        for (const delimiter of [";", ",", "\t", "|"]) {
          for (const quoteChar of ['"', "\u0001"]) {
            const cells = Papa.parse(bytes.toString("utf8").replace(/^\ufeff/, ""), { delimiter, quoteChar }).data.flat();
            assert.ok(cells.length > 1);
            const dangerous = cells.filter((cell) => FORMULA.test(cell) && !NUMBER.test(cell));
            assert.deepEqual(dangerous, [], `${table} ${locale} ${columns} ${delimiter} ${quoteChar}`);
          }
        }
      }
    }
  }
  const rewards = parse((await download(program, "rewards", "locale=de")).bytes, ";");
  for (const { reward_id, order_id, customer_id, reference, taken_back, amount } of rewards) {
    const attack = ids[reward_id];
    const plain = (cell) => cell.replace(/'(?=[=+\-@＝])/g, "");
    // Ids lose the spaces around them, and nothing else.
    assert.deepEqual([plain(order_id), plain(reference)], [plain(attack.trim()), plain(attack)]);
    assert.equal(plain(customer_id), plain(`${attack} ${attacks.indexOf(attack)}`.trim()));
    assert.deepEqual([amount, taken_back], ["10,00", "-2,00"]);
  }
  // For programs, JSON lines are what was written.
  const lines = (await download(program, "rewards", "format=jsonl")).bytes.toString().trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ order_id }) => order_id).sort(), attacks.map((attack) => attack.trim()).sort());
  assert.ok(lines.every(({ taken_back_minor, amount_minor }) => taken_back_minor === -200 && amount_minor === 1000));
});

test("several pages are one file, each order in it once", async () => {
  const program = await begin();
  const token = await program.click("10023");
  const ids = Array.from({ length: 170 }, (_, n) => `A-${n}`);
  await Promise.all(ids.map((id) => order(program, id, { token })));
  for (const table of ["conversions", "rewards"]) {
    const { bytes, answers } = await download(program, table);
    assert.equal(answers.length, 2);
    for (const { headers } of answers) assert.ok(kvOperations({ headers }).all <= 800);
    const rows = parse(bytes, ";");
    assert.deepEqual(rows.map(({ order_id }) => order_id).sort(), [...ids].sort());
  }
  await program.server("POST", "/v1/codes", { customer_ids: Array.from({ length: 130 }, (_, n) => `k-${n}`) });
  const { bytes, answers } = await download(program, "advocates");
  assert.equal(answers.length, 2);
  const rows = parse(bytes, ";");
  // 10023 has an id on record since `click` asked for the code.
  assert.deepEqual(rows.map(({ customer_id }) => customer_id).sort(), ["10023", ...Array.from({ length: 130 }, (_, n) => `k-${n}`)].sort());
  const advocate = rows.find(({ customer_id }) => customer_id === "10023");
  assert.equal(advocate.link, `${worker.url}/r/${program.id}/${await program.code("10023")}`);
  assert.deepEqual([advocate.purchases, advocate.pending, advocate.approved, advocate.earned], ["170", "170", "0", "0,00"]);
});

test("imports find the names and the formats that they expect", async () => {
  const program = await begin();
  await program.me("10023");
  await order(program, "A-1", { amount: 5000, token: await program.click("10023") });
  await order(program, "A-2", { amount: 3000, token: await program.click("10023") });
  assert.equal((await program.event("A-2", { type: "cancelled" })).status, 201);
  const day = instant(noon()).slice(0, 10);
  const deals = async (columns) => parse((await download(program, "conversions", `columns=${columns}`)).bytes, ",");
  const find = (rows, name, id) => rows.find((row) => row[name] === id);
  const hubspot = await deals("hubspot");
  const won = find(hubspot, "Deal Name", "A-1");
  assert.deepEqual([won.Pipeline, won["Deal Stage"], won.Amount, won["Close Date"], won["Referred By"]], ["Sales Pipeline", "Closed Won", "50.00", day, "10023"]);
  assert.deepEqual([find(hubspot, "Deal Name", "A-2")["Deal Stage"], find(hubspot, "Deal Name", "A-2").Amount], ["Closed Lost", "0.00"]);
  const salesforce = find(await deals("salesforce"), "Name", "A-1");
  assert.deepEqual([salesforce.StageName, salesforce.CloseDate, salesforce.Amount, salesforce.Order_ID__c], ["Closed Won", day, "50.00", "A-1"]);
  const zoho = find(await deals("zoho"), "Deal Name", "A-1");
  assert.deepEqual([zoho.Stage, zoho["Closing Date"], zoho.Amount], ["Closed Won", day, "50.00"]);
  const [reward] = parse((await download(program, "rewards", "columns=salesforce")).bytes, ",");
  assert.equal(reward.Reward_Since__c, instant(noon()), "a time that imports understand");
});
