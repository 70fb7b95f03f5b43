// What the system knows of a process: its children, its memory, and the processor time it has used. The
// latter says what a request costs even where other programs keep the machine busy.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const ps = (...args) => execFileSync("ps", args, { encoding: "utf8" }).trim().split("\n");

/** Processes this one has started. */
export function children() {
  const rows = ps("-A", "-o", "pid=,ppid=,comm=").map((row) => row.trim().split(/\s+/));
  const own = rows.filter(([, parent, name]) => Number(parent) === process.pid && !name.endsWith("ps"));
  return own.map(([pid]) => Number(pid));
}

/** Memory in use, in MB. */
export const residentMb = (pid) => Number(ps("-o", "rss=", "-p", String(pid))[0]) / 1024;

/** Processor time used so far, in ms; none where the system has no /proc. */
export function cpuMs(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13);
    return (Number(user) + Number(system)) * 10;
  } catch {
    return null;
  }
}
