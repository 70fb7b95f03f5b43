// Who the customer is, as far as the page says: a token given once, an address of the shop that answers
// with one, or a function of the page. Tokens are kept in memory alone.

// A JWT, or a template identity (`t1.…`). Anything else, such as the HTML of a login page a shop
// redirects to, means that nobody is logged in.
const TOKEN = /^[\w-]+(\.[\w-]+){2,4}$/;

export class Identity {
  #token = null;
  #given = null;

  constructor({ token, tokenUrl, tokenProvider }) {
    this.#given = token;
    this.tokenUrl = tokenUrl;
    this.tokenProvider = tokenProvider;
  }

  // Whether the page speaks of a customer at all. Without one, the widget addresses a visitor.
  get wanted() {
    return Boolean(this.#given || this.tokenUrl || this.tokenProvider);
  }

  // Whether a token can be had again after it expired.
  get renewable() {
    return Boolean(this.tokenUrl || this.tokenProvider);
  }

  // A token, or `null` where nobody is logged in. `renew` asks again instead of using the one at hand.
  async token(renew = false) {
    if (renew) this.#given = this.#token = null;
    this.#token ??= this.#given ?? (await this.#ask());
    return this.#token;
  }

  async #ask() {
    const found = this.tokenProvider ? await this.tokenProvider() : await this.#fetch();
    const text = String(found ?? "").trim();
    return TOKEN.test(text) ? text : null;
  }

  async #fetch() {
    if (!this.tokenUrl) return null;
    const answer = await fetch(this.tokenUrl, { cache: "no-store", credentials: "same-origin" });
    // 401 and 403 say that nobody is logged in; the rest is a fault of the shop.
    if (answer.status === 401 || answer.status === 403) return null;
    if (!answer.ok) throw new Error(`token_url_${answer.status}`);
    const text = await answer.text();
    return /^\s*\{/.test(text) ? JSON.parse(text).token : text;
  }
}
