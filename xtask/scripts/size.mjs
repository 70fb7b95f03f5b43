// Prints, as JSON, the bytes of every part of the built widget: as they are, with gzip, and with brotli.
// `transferred` is what one page view costs an empty cache: the loader, which carries the glue and
// the style sheet, the wasm module, and one language for a customer, of which the largest is counted.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dist = join(import.meta.dirname, "../../www/dist");
const [version, ...others] = readdirSync(join(dist, "pass-along"));
if (!version || others.length > 0) throw new Error("www/dist/pass-along holds not exactly one version");

const options = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
function measure(part, file) {
  const bytes = readFileSync(join(dist, file));
  return { part, file, raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length, brotli: brotliCompressSync(bytes, options).length };
}

const languages = readdirSync(join(dist, "pass-along", version, "me"))
  .map((file) => measure(file.replace(".json", ""), `pass-along/${version}/me/${file}`))
  .sort((one, other) => other.brotli - one.brotli);
const always = [
  measure("loader", "pass-along.js"),
  measure("wasm", `pass-along/${version}/widget.wasm`),
];
if (languages.length === 0) throw new Error("the widget has no language");

const transferred = { part: "transferred", language: languages[0].part };
for (const kind of ["raw", "gzip", "brotli"]) {
  transferred[kind] = [...always, languages[0]].reduce((sum, part) => sum + part[kind], 0);
}
console.log(JSON.stringify({ version, parts: [...always, ...languages], transferred }));
