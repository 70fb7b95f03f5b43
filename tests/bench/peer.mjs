// The peer of the benchmark: what a referral Worker in plain JS usually is. A code is looked up in KV, a
// click is one KV record, an account lists its records. It checks the same kind of identity token, and it
// knows neither bots nor refunds nor settlement.

const base64url = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

async function customerOf(request, env) {
  const [head, body, signature] = (request.headers.get("authorization") ?? "").replace("Bearer ", "").split(".");
  if (!signature) return null;
  const bytes = (text) => new TextEncoder().encode(text);
  const key = await crypto.subtle.importKey("raw", bytes(env.SECRET), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  const isGenuine = await crypto.subtle.verify("HMAC", key, base64url(signature), bytes(`${head}.${body}`));
  const claims = isGenuine ? JSON.parse(new TextDecoder().decode(base64url(body))) : {};
  return claims.exp > Date.now() / 1000 ? claims.sub : null;
}

export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    const code = pathname.match(/^\/r\/(\w+)$/)?.[1];
    if (code) {
      const advocate = await env.KV.get(`code/${code}`, "json");
      if (!advocate) return new Response("unknown code", { status: 404 });
      context.waitUntil(env.KV.put(`click/${advocate.customer}/${crypto.randomUUID()}`, "", { expirationTtl: 604_800 }));
      return Response.redirect(`${advocate.landing_url}?ref=${code}`, 302);
    }
    if (pathname === "/me") {
      const customer = await customerOf(request, env);
      if (!customer) return new Response("unauthenticated", { status: 401 });
      const { keys } = await env.KV.list({ prefix: `order/${customer}/` });
      const referrals = keys.map(({ metadata }) => metadata);
      return Response.json({ purchases: referrals.length, referrals });
    }
    return new Response("not found", { status: 404 });
  },
};
