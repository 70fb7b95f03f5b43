// The plain card: link, copy and share buttons without wasm, for pages whose policy forbids it, files that
// never came, and a widget that broke. It knows the customer's link from `GET /v1/me`; without that answer
// it shares the page itself.

import { el } from "./dom.js";
import { CHANNELS, copy, href, nativeSheet, openSheet, pageLink } from "./share.js";

// In case that not even the language file can be had.
const LAST_WORDS = {
  de: { "plain.title": "Link teilen", copy: "Kopieren", copied: "Kopiert" },
  en: { "plain.title": "Share this link", copy: "Copy", copied: "Copied" },
};
const NAMES = {
  "channel.whatsapp": "WhatsApp",
  "channel.native": "…",
  "channel.email": "E-Mail",
  "channel.sms": "SMS",
  "channel.telegram": "Telegram",
  "channel.x": "X",
  "channel.facebook": "Facebook",
  "channel.linkedin": "LinkedIn",
  "channel.xing": "XING",
};

// `me` is the answer of /v1/me or `null`; `on` is `{ shared(channel), copied() }`.
export function card({ me, texts, language, on }) {
  const say = (key) => texts?.[key] ?? LAST_WORDS[language]?.[key] ?? LAST_WORDS.en[key] ?? NAMES[key] ?? key;
  const name = me?.program?.name ?? document.title;
  const link = me?.link ?? pageLink();
  const text = me && texts ? texts["share.plain"].replace("{name}", name) : name;

  const field = el("input", { class: "url", readonly: "", "aria-label": say("plain.title") });
  field.value = link;
  const status = el("p", { class: "quiet", role: "status" });
  const button = el("button", { class: "copy", type: "button" }, say("copy"));
  button.addEventListener("click", async () => {
    const done = await copy(link, () => field.select());
    status.textContent = done ? say("copied") : "";
    if (done) on.copied();
  });

  const share = (channel, index) => {
    const native = channel === "native";
    const url = me ? `${link}/${channel}` : link;
    const address = href(channel, url, text, name);
    if (native ? !nativeSheet() : !address) return [];
    const mine = { class: index === 0 ? "btn first" : "btn" };
    if (/^https:/.test(address)) Object.assign(mine, { target: "_blank", rel: "noopener" });
    const made = native
      ? el("button", { ...mine, type: "button" }, say("channel.native"))
      : el("a", { ...mine, href: address }, say(`channel.${channel}`));
    made.addEventListener("click", () => {
      if (native) openSheet(url, text, name).then((shared) => shared && on.shared(channel));
      else on.shared(channel);
    });
    return [made];
  };

  return el(
    "section",
    { class: "card plain", "aria-label": say("plain.title") },
    el("h2", {}, say("plain.title")),
    el("div", { class: "link" }, field, button),
    el("div", { class: "share" }, ...(me?.channels ?? CHANNELS).flatMap(share)),
    status,
  );
}
