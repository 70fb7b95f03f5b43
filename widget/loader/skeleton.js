// What stands in the widget's place until it can speak: a card of the final size, so that nothing on the
// page moves when the words arrive.

/* global __STYLE__ */

import { el } from "./dom.js";

// widget/style.css, which the build puts in here: one file less to wait for, and looks are never missing.
export const rules = new CSSStyleSheet();
rules.replaceSync(__STYLE__);

// `whom` is "me" for a customer and "offer" for a visitor, whose card is smaller.
export const skeleton = (whom) =>
  el(
    "div",
    { class: "card", "data-for": whom, "aria-busy": "true" },
    ...Array.from({ length: whom === "me" ? 8 : 4 }, () => el("div", { class: "bone" })),
  );
