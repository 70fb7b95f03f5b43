// Code out of the documentation, to be run as it stands there: the fenced blocks of a Markdown file, and
// the languages they are in. A language this machine does not have is an error that says how to get it.

import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, temporaryDirectory } from "./harness.mjs";

// The blocks of a file, in order: the heading (of second level) they are under, their language, their text.
export function snippets(file) {
  const found = [];
  let heading = "";
  let open = null;
  for (const line of readFileSync(join(root, file), "utf8").split("\n")) {
    const fence = /^```(\w*)$/.exec(line);
    if (open && line === "```") {
      found.push({ heading, language: open.language, text: `${open.lines.join("\n")}\n` });
      open = null;
    } else if (open) {
      open.lines.push(line);
    } else if (fence) {
      open = { language: fence[1], lines: [] };
    } else {
      heading = /^## (.+)$/.exec(line)?.[1] ?? heading;
    }
  }
  if (open) throw new Error(`${file}: a block under "${heading}" does not end`);
  return found;
}

// What runs each language, the programs a block in it may call, and the Debian packages that bring them.
export const LANGUAGES = {
  bash: { run: ["bash", "-euo", "pipefail"], file: "snippet.sh", needs: ["bash", "curl", "openssl"], packages: "curl openssl" },
  js: { run: [join(root, "node_modules/.bin/node")], file: "snippet.mjs", needs: [], packages: "" },
  php: { run: ["php"], file: "snippet.php", needs: ["php"], packages: "php-cli" },
  python: { run: ["python3"], file: "snippet.py", needs: ["python3"], packages: "python3" },
  ruby: { run: ["ruby"], file: "snippet.rb", needs: ["ruby"], packages: "ruby" },
};

function execute(command, args, env) {
  return new Promise((ended, failed) => {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    const said = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"]) child[name].setEncoding("utf8").on("data", (text) => (said[name] += text));
    const patience = setTimeout(() => child.kill("SIGKILL"), 60_000);
    child.once("error", failed);
    child.once("close", (code) => {
      clearTimeout(patience);
      ended({ code, ...said });
    });
  });
}

async function available(program) {
  try {
    await execute(program, program === "openssl" ? ["version"] : ["--version"], {});
    return true;
  } catch {
    return false;
  }
}

// Fails with what mends it where a language is not there: what was not run was not tested.
export async function require(language) {
  const { needs, packages } = LANGUAGES[language];
  for (const program of needs) {
    if (!(await available(program))) {
      throw new Error(`there is no ${program} on this machine; install it: sudo apt-get install -y ${packages} (or brew install ${program})`);
    }
  }
}

// Runs a text in its language; resolves to what it printed, fails with what it complained about.
export async function run(language, text, env = {}) {
  await require(language);
  const { run: [command, ...args], file } = LANGUAGES[language];
  const path = join(temporaryDirectory("snippet"), file);
  writeFileSync(path, text);
  const { code, stdout, stderr } = await execute(command, [...args, path], env);
  if (code !== 0 || stderr !== "") throw new Error(`${language} ended with ${code}: ${stderr}${stdout}\n${text}`);
  return stdout;
}
