// `<pass-along>`: the element's life on a page. It reads attributes and properties, fetches the parts and
// the answer in parallel, hands both to the wasm widget, which owns state and DOM from then on, and shows
// the plain card when that cannot start or breaks.

import { ask, noteShare } from "./api.js";
import { card } from "./card.js";
import { el } from "./dom.js";
import { widget } from "./host.js";
import { Identity } from "./identity.js";
import { choose } from "./languages.js";
import * as parts from "./parts.js";
import { CHANNELS, copy, href, nativeSheet, openSheet, pageLink } from "./share.js";
import { rules, skeleton } from "./skeleton.js";
import { words } from "./words.js";

const MINUTE_MS = 60_000;
const COPIED_MS = 4000;

// Attributes that say whose answer is wanted, and those that only say how it is put.
const WHOSE = ["program", "token-url", "token", "api"];
const HOW = ["lang", "address", "join-url"];

// What the wasm widget is told to listen to; it has no listeners of its own.
const HEARD = ["click", "input", "copy", "toggle"];

let origin = "";
// All elements on the page: they share one wasm instance, and a trap leaves it unusable for all of them.
const present = new Set();

// An address a link may have: of the web, or of this site.
function webAddress(text) {
  try {
    return text && /^https?:/.test(new URL(text, location.href).protocol) ? text : null;
  } catch {
    return null;
  }
}

class PassAlong extends HTMLElement {
  static observedAttributes = [...WHOSE, ...HOW];

  #root = this.attachShadow({ mode: "open" });
  #read = [];
  #token = null;
  #tokenProvider = null;
  #identity = null;
  #widget = null;
  #program = null;
  // The last answer, and the last one with content: a failed refresh leaves that on display.
  #last = null;
  #outcome = null;
  #customer = false;
  #askedAt = -Infinity;
  #round = 0;
  #changes = new Set();
  #started = false;
  #plain = false;
  #busy = false;
  #ready = false;
  #said = null;

  get tokenProvider() {
    return this.#tokenProvider;
  }

  set tokenProvider(provider) {
    this.#tokenProvider = provider;
    this.#changed("token");
  }

  get token() {
    return null;
  }

  set token(token) {
    this.#token = token || null;
    this.#changed("token");
  }

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [rules];
    // One of them does not bubble.
    for (const type of HEARD) this.#root.addEventListener(type, this.#hear, true);
  }

  connectedCallback() {
    for (const name of ["tokenProvider", "token"]) {
      // A property that was set before the element was defined hides the accessor of the class.
      if (Object.hasOwn(this, name)) {
        const value = this[name];
        delete this[name];
        this[name] = value;
      }
    }
    document.addEventListener("visibilitychange", this.#look);
    addEventListener("online", this.#online);
    present.add(this);
    this.#changed("program");
    this.#look();
  }

  disconnectedCallback() {
    // A move is a removal with an arrival behind it; only who stays away lets go.
    queueMicrotask(() => {
      if (this.isConnected) return;
      document.removeEventListener("visibilitychange", this.#look);
      removeEventListener("online", this.#online);
      present.delete(this);
    });
  }

  attributeChangedCallback(name, before, after) {
    if (before === after) return;
    if (name === "token") {
      if (after === null) return;
      // The token is read once and does not stay where any script or extension may read it.
      this.#token = after;
      this.removeAttribute("token");
    }
    this.#changed(name);
  }

  // Collects what changes within one task, so that two attributes cost one fetch.
  #changed(name) {
    if (this.#changes.size === 0) queueMicrotask(() => this.#apply());
    this.#changes.add(name);
  }

  #apply() {
    const changes = [...this.#changes];
    this.#changes.clear();
    if (!this.isConnected) return;
    if (!this.#started) {
      this.#started = true;
      this.#begin();
    } else if (!this.#sameSource()) {
      this.#begin();
    } else if (changes.some((name) => HOW.includes(name)) && this.#last) {
      this.#show(this.#last, this.#round);
    }
  }

  #source() {
    const get = (name) => this.getAttribute(name);
    return [get("program"), get("token-url"), get("api"), this.#token, this.#tokenProvider];
  }

  #sameSource() {
    const now = this.#source();
    return this.#read.every((value, index) => value === now[index]);
  }

  // From the start: a new identity, a new answer, the skeleton meanwhile.
  #begin() {
    this.#read = this.#source();
    const tokenUrl = this.getAttribute("token-url");
    this.#identity = new Identity({ token: this.#token, tokenUrl, tokenProvider: this.#tokenProvider });
    this.#customer = false;
    this.#last = this.#outcome = this.#said = null;
    this.#widget = null;
    this.#ready = false;
    this.#root.replaceChildren(skeleton(this.#identity.wanted ? "me" : "offer"));
    this.#load();
  }

  get #api() {
    return this.getAttribute("api")?.replace(/\/$/, "") || origin;
  }

  async #load() {
    const round = (this.#round += 1);
    this.#askedAt = Date.now();
    // Asked for now, awaited later: files and answer travel at the same time.
    parts.program().catch(() => {});
    const program = this.getAttribute("program") ?? "";
    const outcome = await ask({ api: this.#api, program, identity: this.#identity, known: this.#customer });
    if (round !== this.#round) return;
    this.#customer ||= outcome.kind === "me";
    if (outcome.body) this.#outcome = outcome;
    this.#last = outcome;
    await this.#show(outcome, round);
    if (round !== this.#round) return;
    if (!this.#ready) this.#emit("ready", { plain: this.#plain });
    this.#ready = true;
    if (outcome.kind === "me") this.#emit("status", { totals: outcome.body.totals });
    if (outcome.code) this.#emit("error", { code: outcome.code });
  }

  // Who last said how to address people: the page, else the program.
  #choose(outcome) {
    const program = (outcome.body ?? this.#outcome?.body)?.program;
    const page = this.closest("[lang]")?.lang;
    const address = this.getAttribute("address") ?? program?.address;
    return choose([page, ...navigator.languages].filter(Boolean), address);
  }

  async #show(outcome, round) {
    const choice = this.#choose(outcome);
    const whom = outcome.kind !== "offer" && this.#identity.wanted ? "me" : "offer";
    const wanted = [parts.texts(`${whom}/${choice.file}`), parts.program()];
    const [texts, program] = await Promise.all(wanted.map((part) => part.catch(() => null)));
    if (round !== this.#round) return;
    this.#said = { texts, choice };
    if (!program || !texts || this.#plain) {
      this.#showPlain();
    } else {
      this.#guard(() => {
        Object.assign(this.#lent, words(texts, choice.locale));
        this.#program = program;
        this.#widget ??= widget(this.#lent, this.#root);
        this.#widget(program.show, { ...outcome, about: this.#about(choice) });
      });
    }
  }

  // What the upper part of the card depends on: while it stays the same, a refresh leaves that alone, and
  // with it what the customer is typing.
  #about({ file, locale }) {
    const { program, link, alias, alias_reserved, offer, channels } = this.#outcome?.body ?? {};
    return JSON.stringify([file, locale, program, link, alias, alias_reserved, offer, channels]);
  }

  #showPlain() {
    const { texts, choice } = this.#said;
    this.#widget = null;
    this.#plain = true;
    const me = this.#customer ? this.#outcome.body : null;
    const on = { shared: (channel) => this.#shared(channel), copied: () => this.#copied() };
    this.#root.replaceChildren(card({ me, texts, language: choice.language, on }));
  }

  // Every call into wasm goes through here. What it throws is a trap or leaves it as unusable as one; the
  // elements share the instance, so all of them fall back to the plain card.
  #guard(call) {
    // A listener of the page may act on the widget while the widget speaks: one thing after the other.
    if (this.#busy) return queueMicrotask(() => this.#guard(call));
    this.#busy = true;
    try {
      call();
    } catch (error) {
      parts.spoil(error);
      this.#emit("error", { code: "widget", cause: String(error) });
      for (const element of present) if (element.#said) element.#showPlain();
    } finally {
      this.#busy = false;
    }
  }

  // What the widget may ask of the page and of the loader.
  #lent = {
    sheet: nativeSheet,
    href,
    page: pageLink,
    channels: () => CHANNELS,
    joinUrl: () => webAddress(this.getAttribute("join-url")),
    retry: () => this.#load(),
    shared: (channel) => this.#shared(channel),
    part: (details) => this.#fill(details),
    copy: (text, button) => {
      const field = button.parentNode.querySelector("input");
      const active = this.#root.activeElement;
      const select = () => {
        field.focus();
        field.select();
      };
      copy(text, select).then((done) => {
        // What could not be copied stays selected for the reader's own hands.
        if (done) active?.focus();
        // A code is the reader's own: to copy it is not to share.
        if (done && !button.dataset.code) this.#copied();
        this.#tell("copied", done);
        setTimeout(() => this.#tell("settled"), COPIED_MS);
      });
    },
    open: (_, url, text, title) => {
      openSheet(url, text, title).then((shared) => shared && this.#shared("native"));
    },
    // Whether the card outgrew the room that was kept for it while it loaded.
    over: (card) => card.offsetHeight > parseFloat(getComputedStyle(card).minHeight) + 1,
    put: (event, text) => {
      event.clipboardData.setData("text/plain", text);
      event.preventDefault();
    },
  };

  #hear = (event) => this.#tell("hear", event);

  #tell(what, about) {
    if (this.#widget) this.#guard(() => this.#widget?.(this.#program[what], about));
  }

  // Fills what a reader opened with what is fetched for it, once.
  async #fill(details) {
    if (details.childElementCount > 1) return;
    const { choice } = this.#said;
    const place = el("div", { "aria-busy": "true" });
    details.append(place);
    try {
      const [more, said] = await parts.more(choice.file);
      await more[details.dataset.part](place, {
        said,
        words: this.#lent,
        language: choice.language,
        known: () => this.#outcome.body,
        api: this.#api,
        identity: this.#identity,
        changed: (change, text) => this.#change(change, text),
      });
      place.removeAttribute("aria-busy");
    } catch {
      // What could not be had is asked for again when it is opened again.
      place.replaceChildren(this.#said.texts["trouble.part"]);
      details.addEventListener("toggle", () => place.remove(), { once: true });
    }
  }

  // What the customer just did is in the answer at once: the store may take a minute to say so.
  async #change(change, text) {
    this.#last = this.#outcome = { ...this.#outcome, body: { ...this.#outcome.body, ...change } };
    await this.#show(this.#last, this.#round);
    this.#root.querySelector(".sr")?.replaceChildren(text);
  }

  #shared(channel) {
    if (this.#customer) noteShare({ api: this.#api, identity: this.#identity }, channel);
    this.#emit("share", { channel });
  }

  #copied() {
    if (this.#customer) noteShare({ api: this.#api, identity: this.#identity }, "copy");
    this.#emit("copy", {});
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(`passalong:${name}`, { detail, bubbles: true, composed: true }));
  }

  // Who comes back to the tab sees the newest state, asked for at most once a minute.
  #look = () => {
    if (document.visibilityState === "visible" && Date.now() - this.#askedAt >= MINUTE_MS) this.#refresh();
  };

  #online = () => {
    if (this.#last?.kind === "offline") this.#refresh();
  };

  #refresh() {
    if (this.#started && !this.#plain) this.#load();
  }
}

export function define(scriptOrigin) {
  if (customElements.get("pass-along")) return;
  origin = scriptOrigin;
  parts.setOrigin(origin);
  customElements.define("pass-along", PassAlong);
}
