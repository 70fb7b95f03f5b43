// What stands in the widget's place until it can speak: a card of the final size, so that nothing on the
// page moves when the words arrive. It has its own few rules, because style.css is still on its way; the
// heights here and there are the same variables.

import { el } from "./dom.js";

const text = `
:host{all:initial;display:block;container-type:inline-size;color-scheme:light;--h:824px;--narrow:1008px}
:host([hidden]){display:none}
:host([theme=dark]){color-scheme:dark}
:host([theme=auto]){color-scheme:inherit}
.card{box-sizing:border-box;min-height:var(--h);padding:24px;border:1px solid #8883;border-radius:16px;background:var(--passalong-card,light-dark(#fff,#151d1e))}
.card[data-for=offer]{--h:430px;--narrow:520px}
@container(max-width:479px){.card{min-height:var(--narrow);padding:20px}}
.bone{height:48px;margin:0 0 20px;border-radius:12px;background:#8882;animation:bone 1.6s ease-in-out infinite}
.bone:first-child{height:28px;width:60%;margin-bottom:8px}
.bone:nth-child(2){height:40px}
.bone:nth-child(3),.bone:nth-child(4){margin-bottom:12px}
.bone:nth-child(n+5){margin-top:24px;height:84px}
@keyframes bone{50%{opacity:.45}}
@media(prefers-reduced-motion){.bone{animation:none}}`;

export const rules = new CSSStyleSheet();
rules.replaceSync(text);

// `whom` is "me" for a customer and "offer" for a visitor, whose card is smaller.
export const skeleton = (whom) =>
  el(
    "div",
    { class: "card", "data-for": whom, "aria-busy": "true" },
    ...Array.from({ length: whom === "me" ? 8 : 4 }, () => el("div", { class: "bone" })),
  );
