// A shop on an origin of its own, and a browser in it: pages and answers come from the test, the Worker is
// reached under the https name that the shops' templates are configured with.

import { createServer } from "node:http";
import { openBrowser } from "./harness.mjs";

export const HOST = "referrals.test";

/**
 * Starts a browser and a shop whose `routes` answer `(request) => { status, type, body }` by path; `request`
 * has `method`, `path`, `query`, `body` and `customer`, who is logged in by cookie (or none).
 */
export async function openShop(worker) {
  const browser = await openBrowser();
  const routes = new Map();
  const server = createServer(async (request, answer) => {
    const { pathname, searchParams } = new URL(request.url, "http://shop");
    let body = "";
    for await (const part of request) body += part;
    const customer = /(?:^|; )customer=([^;]+)/.exec(request.headers.cookie ?? "")?.[1] ?? null;
    const route = routes.get(pathname);
    const made = route ? await route({ method: request.method, path: pathname, query: searchParams, body, customer }) : { status: 404, body: "" };
    answer.writeHead(made.status ?? 200, { "content-type": made.type ?? "text/html; charset=utf-8", "cache-control": "no-store" });
    answer.end(made.body ?? "");
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const url = `http://127.0.0.1:${server.address().port}`;
  return {
    url,
    routes,
    // A page of the shop in a window of its own, with what its console said.
    async open(path, { customer = null, before } = {}) {
      const context = await browser.newContext({ locale: "de-DE" });
      if (customer) await context.addCookies([{ name: "customer", value: customer, url }]);
      await context.route(`https://${HOST}/**`, async (route) => {
        const asked = new URL(route.request().url());
        await route.fulfill({ response: await route.fetch({ url: worker.url + asked.pathname + asked.search }) });
      });
      const page = await context.newPage();
      const said = [];
      page.on("console", (message) => said.push(message.text()));
      page.on("pageerror", (error) => said.push(String(error)));
      if (before) await page.addInitScript(before);
      await page.goto(url + path);
      return { page, said, close: () => context.close() };
    },
    async stop() {
      await browser.close();
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
