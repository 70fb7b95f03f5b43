// Results as a table for people.

const HEADS = {
  per_second: "per second",
  p50_ms: "p50 ms",
  p99_ms: "p99 ms",
  cpu_us: "CPU µs",
  writes_per_click: "writes/click",
  start_ms: "start ms",
  first_ms: "first ms",
  started_mb: "MB started",
  loaded_mb: "MB loaded",
};

const shown = (value) => (value === null || value === undefined ? "" : value.toLocaleString("en"));

export function print({ title, rows, ratios }) {
  const fields = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((field) => field !== "name");
  const width = Math.max(...rows.map(({ name }) => name.length), title.length) + 2;
  const line = (name, cells) => console.log(name.padEnd(width) + cells.map((cell) => cell.padStart(14)).join(""));
  console.log();
  line(title, fields.map((field) => HEADS[field] ?? field));
  for (const row of rows) line(row.name, fields.map((field) => shown(row[field])));
  for (const { name = "Passalong", against, ratio, least, most, by_cpu, target } of ratios) {
    const wanted = target === undefined ? "" : `, target ${target}`;
    const byCpu = by_cpu === undefined ? "" : `; ${by_cpu} by processor time`;
    console.log(`  ${name} ÷ ${against}: ${ratio} (${least} to ${most})${byCpu}${wanted}`);
  }
}
