// How each channel is opened, and how text reaches the clipboard. One table for the widget and for the
// plain card.

const enc = encodeURIComponent;

const OPEN = {
  whatsapp: (url, text) => `https://wa.me/?text=${enc(`${text} ${url}`)}`,
  email: (url, text, title) => `mailto:?subject=${enc(title)}&body=${enc(`${text}\r\n\r\n${url}`)}`,
  // `?&` is read by iOS and Android alike.
  sms: (url, text) => `sms:?&body=${enc(`${text} ${url}`)}`,
  telegram: (url, text) => `https://t.me/share/url?url=${enc(url)}&text=${enc(text)}`,
  x: (url, text) => `https://x.com/intent/post?text=${enc(text)}&url=${enc(url)}`,
  facebook: (url) => `https://www.facebook.com/sharer/sharer.php?u=${enc(url)}`,
  linkedin: (url) => `https://www.linkedin.com/sharing/share-offsite/?url=${enc(url)}`,
  xing: (url) => `https://www.xing.com/spi/shares/new?url=${enc(url)}`,
};

// The address that opens a channel, or `undefined` for one that has none (`native`, or a channel of a later version).
export const href = (channel, url, text, title) => OPEN[channel]?.(url, text, title);

export const nativeSheet = () => typeof navigator.share === "function";

// What a visitor is offered, for whom no program has chosen.
export const CHANNELS = ["whatsapp", "native", "email", "sms", "telegram", "x", "facebook", "linkedin", "xing"];

// Opens the system's own sheet. Resolves to whether something was shared; closing the sheet is no error.
export const openSheet = (url, text, title) =>
  navigator.share({ url, text, title }).then(
    () => true,
    () => false,
  );

// Copies, and says whether it worked. The clipboard is refused in frames and on http; there the text that
// `select` selects is copied the old way.
export async function copy(text, select) {
  // The old way speaks to the widget again, which must have ended its own turn by then.
  await null;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    select();
    return document.execCommand("copy");
  }
}

// The page's own link, for visitors and as the last resort: without the click token, which proves one
// person's visit and is not for passing on.
export function pageLink() {
  const url = new URL(location.href);
  url.searchParams.delete("pa");
  url.hash = "";
  return url.href;
}
