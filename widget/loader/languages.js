// Which language files there are, and which one a page gets.
//
// A new language is a file in widget/texts and in each folder there, and its name here. A language that addresses people in two
// ways has two files, `-du` (informal) and `-sie` (formal); the one listed first is used as long as the
// programme has not said which.

export const FILES = ["de-sie", "de-du", "en"];

// The best file for the wanted languages (BCP 47, best first) and the wanted address, and the locale for
// numbers and dates: the page's own (`de-AT`) where it is of that language.
export function choose(wanted, address) {
  for (const locale of wanted) {
    const language = locale.toLowerCase().split("-")[0];
    const file =
      FILES.find((name) => name === `${language}-${address}`) ??
      FILES.find((name) => name.split("-")[0] === language);
    if (file) return { file, language, locale };
  }
  return { file: "en", language: "en", locale: "en" };
}
