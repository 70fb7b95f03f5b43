// The calls of the HTTP API that every card makes, and their outcome as one value:
// `{ kind: "me" | "offer" | "expired" | "offline" | "error", body, code, test_clock }`.

const PATIENCE_MS = 15_000;

async function get(url, token) {
  const answer = await fetch(url, {
    headers: token ? { authorization: `Bearer ${token}` } : {},
    credentials: "omit",
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const body = await answer.json().catch(() => ({}));
  const test_clock = Boolean(body.test_clock || answer.headers.get("x-passalong-test-clock"));
  return { status: answer.status, body, test_clock };
}

function outcome(kind, { status, body, test_clock }) {
  if (status === 200) return { kind, body, code: null, test_clock };
  return { kind: status === 401 ? "expired" : "error", body: null, code: body.code ?? `http_${status}`, test_clock };
}

async function me(api, identity) {
  let token = await identity.token();
  if (!token) return null;
  let answer = await get(`${api}/v1/me`, token);
  if (answer.status === 401 && identity.renewable) {
    token = await identity.token(true);
    if (token) answer = await get(`${api}/v1/me`, token);
  }
  return outcome("me", answer);
}

async function offer(api, program) {
  const pa = new URLSearchParams(location.search).get("pa");
  const query = new URLSearchParams(pa ? { program, pa } : { program });
  return outcome("offer", await get(`${api}/v1/offer?${query}`));
}

// The customer's own view where somebody is logged in, else the offer for a visitor. `known` says that a
// customer was seen before: who is logged out meanwhile is told so, not greeted as a stranger.
export async function ask({ api, program, identity, known }) {
  try {
    const found = identity.wanted ? await me(api, identity) : null;
    if (found) return found;
    if (known) return { kind: "expired", body: null, code: "logged_out", test_clock: false };
    return await offer(api, program);
  } catch (error) {
    const offline = navigator.onLine === false;
    const code = offline ? "offline" : /^token_url/.test(error.message) ? error.message : "network";
    return { kind: offline ? "offline" : "error", body: null, code, test_clock: false };
  }
}

// Notes that the customer shared. `keepalive` lets it outlive the page the tap may leave.
export async function noteShare({ api, identity }, channel) {
  const token = await identity.token();
  if (!token) return;
  await fetch(`${api}/v1/me/shares`, {
    method: "POST",
    keepalive: true,
    credentials: "omit",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ channel }),
  }).catch(() => {});
}
