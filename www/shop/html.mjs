// Writing HTML: a template tag which escapes every value, so that a page cannot forget to.

class Markup {
  constructor(text) {
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function render(value) {
  if (value instanceof Markup) return value.text;
  if (Array.isArray(value)) return value.map(render).join("");
  if (value === null || value === undefined || value === false) return "";
  return String(value).replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

/** html`<p>${text}</p>`: values are escaped, nested templates and arrays of them are not escaped twice. */
export function html(strings, ...values) {
  return new Markup(strings.reduce((page, string, index) => page + render(values[index - 1]) + string));
}
