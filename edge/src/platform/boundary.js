// Where JavaScript and the Worker's wasm meet on every request. A call across costs more than what most
// calls do, so a request goes over as one text, and so do an answer's head and a page of a list.

// Method, origin, path, query, then a name and a value in turn for each of `names` that is there; one to
// a line, which none of them can hold.
export function read(request, names) {
  let text = `${request.method}\n${partsOf(request.url)}`;
  const { headers } = request;
  for (const name of names.split(" ")) {
    const value = headers.get(name);
    if (value !== null) text += `\n${name}\n${value}`;
  }
  return text;
}

// What a URL parser would leave as it is needs none, and most of the time that is all there is.
const UNUSUAL = /[^\w\-/:?=&%.~+,;@[\]]|\/\.|\/%2e/i;

function partsOf(url) {
  const path = url.indexOf("/", url.indexOf("//") + 2);
  if (path < 0 || UNUSUAL.test(url)) {
    const { origin, pathname, search } = new URL(url);
    return `${origin}\n${pathname}\n${search.slice(1)}`;
  }
  const query = url.indexOf("?", path);
  const end = query < 0 ? url.length : query;
  return `${url.slice(0, path)}\n${url.slice(path, end)}\n${url.slice(end + 1)}`;
}

// Most answers differ in their location and body only. Headers that are there already are copied in a
// third of the time it takes to make them.
const heads = new Map();
const HEADS = 64;

function headersOf(head) {
  let headers = heads.get(head);
  if (headers === undefined) {
    const lines = head.split("\n");
    headers = new Headers();
    for (let at = 0; at + 1 < lines.length; at += 2) headers.set(lines[at], lines[at + 1]);
    if (heads.size === HEADS) heads.clear();
    heads.set(head, headers);
  }
  return headers;
}

// `head`: a name and a value in turn, one to a line. `body` lies in the wasm's memory, which goes on to
// other things before it is sent.
export function answer(status, head, location, body) {
  const response = new Response(body?.slice(), { status, headers: headersOf(head) });
  if (location !== undefined) response.headers.set("location", location);
  return response;
}

export async function list(env, binding, options) {
  return JSON.stringify(await env[binding].list(JSON.parse(options)));
}

// A POST to somebody else: the status, or -1 where nobody is there, -2 where nobody answers in time.
export async function post(url, head, body, limit) {
  const lines = head.split("\n");
  const headers = new Headers();
  for (let at = 0; at + 1 < lines.length; at += 2) headers.set(lines[at], lines[at + 1]);
  try {
    const signal = AbortSignal.timeout(limit);
    const response = await fetch(url, { method: "POST", redirect: "manual", headers, body, signal });
    // What a receiver says besides its status is nobody's business.
    response.body?.cancel().catch(() => {});
    return response.status;
  } catch (error) {
    return error?.name === "TimeoutError" ? -2 : -1;
  }
}

// Whether there is a queue of this name; the text is in it then.
export async function enqueue(env, binding, text, delaySeconds) {
  const queue = env[binding];
  if (queue === undefined) return false;
  await queue.send(text, { contentType: "text", delaySeconds });
  return true;
}

// What the queue brings, one to a line.
export function bodies(batch) {
  return batch.messages.map(({ body }) => body).join("\n");
}

// Lets the queue bring these again, as what they need is not visible here yet: in a minute, and each time a
// minute later, so that a hundred times are three days.
export function retry(batch, indices) {
  for (const index of indices) {
    const message = batch.messages[index];
    message.retry({ delaySeconds: Math.min(60 * message.attempts, 3_600) });
  }
}
