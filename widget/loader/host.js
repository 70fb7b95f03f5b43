// The browser's side of the wasm widget. Rust speaks in numbers, places in a table: first nothing, then the
// constant texts, then a few slots in which an element's state is kept, then whatever came up during a call.
// Each element has a table of its own, so that its state goes when it goes; wasm is the same for all.

let texts = [];
let slots = 0;
let memory;
// Of the element that speaks.
let table;

// `null`, `undefined` and `false` are the nothing at place 0.
const keep = (value) => (value == null || value === false ? 0 : table.push(value) - 1);

const host = {
  learn(at, length, count) {
    texts = new TextDecoder().decode(new Uint8Array(memory.buffer, at, length)).split("|");
    texts[0] = undefined;
    slots = count;
  },
  get: (object, key) => keep(table[object]?.[table[key]]),
  call: (object, method, argument) => keep(table[object][table[method]](...(argument ? [table[argument]] : []))),
  lent: (method, ...all) => keep(table[texts.length][table[method]](...all.map((one) => table[one]))),
  item: (list, index) => keep(table[list][index]),
  hold: (slot, value) => {
    table[slot] = table[value];
  },
  element: (parent, tag, name, text) => {
    const made = document.createElement(table[tag]);
    if (name) made.className = table[name];
    if (text) made.append(table[text]);
    table[parent]?.append(made);
    return keep(made);
  },
  attribute: (node, name, value) => {
    if (value) table[node]?.setAttribute(table[name], table[value]);
    else table[node]?.removeAttribute(table[name]);
  },
  known: (text) => table.indexOf(table[text]),
  same: (one, other) => table[one] === table[other],
  truthy: (value) => Boolean(table[value]),
  integer: (value) => table[value],
  number: keep,
};

// Starts the module. `response` may still be on its way.
export async function start(response) {
  const { instance } = await WebAssembly.instantiateStreaming(response, { host });
  memory = instance.exports.memory;
  instance.exports.start();
  return instance.exports;
}

// A new element's widget: a function that calls one of the module's, about what is given. `lent` is what
// Rust may ask for by name, `root` where it builds.
export function widget(lent, root) {
  const own = [...texts, lent, root];
  const size = (own.length = texts.length + slots);
  return (call, given) => {
    // The page may hear of what one widget does, and make another speak meanwhile.
    const before = table;
    table = own;
    own[texts.length + 2] = given;
    try {
      call();
    } finally {
      own[texts.length + 2] = undefined;
      own.length = size;
      table = before;
    }
  };
}
