// What is rarely wanted, fetched once a reader opens it: the terms, the choice of a short code, and the
// report of a referral that is missing. Each fills a place of its own and lives as long as that; what it
// changes it hands back, and the widget shows it.
//
// They get `{ said, words, language, known(), api, identity, changed(change, text) }`: the texts of
// widget/texts/more, the words of words.js, the last answer, and where and as whom the API is reached.

/* global __MORE_STYLE__ */

import { el } from "./dom.js";

const rules = new CSSStyleSheet();
rules.replaceSync(__MORE_STYLE__);

// Each widget has a root of its own, and needs the rules once.
function dress(place) {
  const root = place.getRootNode();
  if (!root.adoptedStyleSheets.includes(rules)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, rules];
}

const PATIENCE_MS = 15_000;

async function call(url, options) {
  const answer = await fetch(url, { credentials: "omit", signal: AbortSignal.timeout(PATIENCE_MS), ...options });
  return { status: answer.status, body: await answer.json().catch(() => ({})) };
}

// As this customer; an expired token is renewed once. No status where the API cannot be reached, or nobody
// is logged in any more.
async function post({ api, identity }, path, message) {
  const send = (token) =>
    call(api + path, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(message),
    });
  try {
    let token = await identity.token();
    const answer = token ? await send(token) : { status: 401 };
    if (answer.status !== 401 || !identity.renewable) return answer;
    token = await identity.token(true);
    return token ? await send(token) : answer;
  } catch {
    return {};
  }
}

// In the language of the reader where there are terms in it.
export async function terms(place, { said, words, language, known, api }) {
  const query = new URLSearchParams({ program: known().program.id, lang: language === "de" ? "de" : "en" });
  dress(place);
  const { status, body } = await call(`${api}/v1/offer?${query}`);
  if (status !== 200) throw new Error(`offer: ${status}`);
  const sentences = body.terms ?? [];
  if (sentences.length > 0) place.append(el("ul", {}, ...sentences.map((sentence) => el("li", {}, sentence))));
  else place.append(el("p", {}, said["terms.none"]));
  place.append(el("p", {}, words.fill(said["terms.version"], "n", String(body.terms_version))));
}

// A form: `fields` are `{ name: [label, attributes] }`, `send` takes what is in them. What comes of it is said
// in a sentence below, which the focus goes to; what is wrong is said at the field it is about.
function form(place, { intro, fields, empty, button, other, send }) {
  dress(place);
  const note = el("p", { class: "note", tabindex: "-1", hidden: "" });
  const inputs = Object.entries(fields).map(([name, [label, attributes]]) => {
    const input = el("input", { name, required: "", ...attributes });
    return [el("label", {}, label, input), input];
  });
  const buttons = [el("button", { class: "btn send" }, button)];
  if (other) buttons.push(el("button", { class: "btn", type: "button" }, other));
  const made = el("form", { novalidate: "" }, el("p", {}, intro), ...inputs.map(([label]) => label), el("div", { class: "share" }, ...buttons), note);
  const tell = (text, wrong) => {
    note.hidden = false;
    note.textContent = text;
    for (const [, input] of inputs) input.removeAttribute("aria-invalid");
    if (wrong) wrong.setAttribute("aria-invalid", "true");
    (wrong || note).focus();
  };
  note.id = `${Object.keys(fields)[0]}-note`;
  for (const [, input] of inputs) input.setAttribute("aria-describedby", note.id);

  // One thing at a time; the buttons keep the focus meanwhile.
  let busy = false;
  const go = async (values) => {
    if (busy) return;
    busy = true;
    made.setAttribute("aria-busy", "true");
    const { done, text, wrong } = await send(values);
    busy = false;
    made.removeAttribute("aria-busy");
    if (done) made.replaceChildren(note);
    tell(text, wrong && made.elements[wrong]);
  };
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    const values = Object.fromEntries(inputs.map(([, input]) => [input.name, input.value.trim()]));
    const missing = inputs.find(([, input]) => !values[input.name]);
    if (missing) tell(empty, missing[1]);
    else go(values);
  });
  if (other) buttons[1].addEventListener("click", () => go({}));
  place.append(made);
}

// What an answer that is not a success means, in words; `own` are the keys of this form by status.
function trouble({ said }, status, own) {
  const key = own[status] ?? { 401: "expired", 429: "often" }[status] ?? "failed";
  return said[key];
}

export function choose(place, about) {
  const { said, words, changed } = about;
  form(place, {
    intro: said["choose.intro"],
    empty: said["choose.empty"],
    fields: { alias: [said["choose.label"], { maxlength: "20", autocomplete: "off", autocapitalize: "characters", spellcheck: "false" }] },
    button: said["choose.send"],
    other: said["choose.suggest"],
    send: async (values) => {
      const { status, body } = await post(about, "/v1/me/alias", values);
      if (status !== 200) {
        const text = trouble(about, status, { 400: "choose.bad", 409: "choose.taken" });
        return { text, wrong: (status === 400 || status === 409) && "alias" };
      }
      const text = words.fill(said["choose.done"], "alias", body.alias);
      // Who chose it long ago, on another device, has it for sure.
      const { alias, reserved_until: until } = body;
      changed(until ? { alias_reserved: { alias, until } } : { alias }, text);
      return { done: true, text };
    },
  });
}

export function claim(place, about) {
  const { said, known, changed } = about;
  const { as_of, program } = known();
  // As a field for dates wants it, where the shop is.
  const today = new Date(as_of).toLocaleDateString("sv", { timeZone: program.time_zone });
  form(place, {
    intro: said["claim.intro"],
    empty: said["claim.empty"],
    fields: {
      order_id: [said["claim.order"], { maxlength: "128", autocomplete: "off", spellcheck: "false" }],
      ordered_on: [said["claim.date"], { type: "date", max: today }],
    },
    button: said["claim.send"],
    send: async (values) => {
      const { status, body } = await post(about, "/v1/me/claims", values);
      if (status !== 201 && status !== 200) {
        const text = trouble(about, status, { 400: "claim.bad", 429: "claim.often" });
        return { text, wrong: status === 400 && "order_id" };
      }
      // When it was filed says the API, whose clock is not that of this device.
      const filed = { ordered_on: values.ordered_on, filed_at: as_of, ...body };
      const others = known().claims.filter((one) => one.order_number !== filed.order_number || one.ordered_on !== filed.ordered_on);
      const text = said[status === 200 ? "claim.known" : "claim.done"];
      changed({ claims: [filed, ...others] }, text);
      return { done: true, text };
    },
  });
}
