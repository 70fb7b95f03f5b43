// The one file a merchant's page names: `<script async src="https://HOST/pass-along.js"></script>`.
//
// It defines `<pass-along>` and, where the script tag carries `data-` attributes, puts an element behind
// itself. Everything else is left to element.js.

import { define } from "./element.js";

// A module script has no `currentScript`; its tag can still be told by its address.
const script = document.currentScript ?? document.querySelector('script[src*="/pass-along.js"]');

define(new URL(script.src, location.href).origin);

if (script.dataset.program && !script.passalong) {
  script.passalong = true;
  const element = document.createElement("pass-along");
  for (const { name, value } of [...script.attributes]) {
    if (name.startsWith("data-")) element.setAttribute(name.slice(5), value);
  }
  script.removeAttribute("data-token");
  if (script.closest("head")) {
    // Nothing is shown in the head: the element goes to the end of the page, once there is one.
    const append = () => document.body.append(element);
    if (document.body) append();
    else addEventListener("DOMContentLoaded", append, { once: true });
  } else {
    script.after(element);
  }
}
