// The demo's calendar. Passalong has a test clock, and the shop follows it so that its dates make sense
// beside Passalong's. A real shop has no such file: there, now is `new Date()`.

export function demoClock({ url, operatorKey, call }) {
  let testTime = null;

  async function read() {
    try {
      const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(1500) });
      const health = await answer.json();
      testTime = health.test_clock && health.now ? new Date(health.now) : null;
      return { now: testTime ?? new Date(), test: Boolean(health.test_clock), reachable: answer.ok };
    } catch {
      // Out of reach: go on from the last time it told us.
      return { now: testTime ?? new Date(), test: false, reachable: false };
    }
  }

  const operator = (path, body) => call("POST", path, body, { key: operatorKey });

  return {
    read,
    now: async () => (await read()).now,
    /** Sets Passalong's clock so many days ahead of what it shows now, or back to real time. */
    async forward(days) {
      const { now } = await read();
      const later = new Date(now.getTime() + days * 86_400_000).toISOString().replace(/\.\d+/, "");
      await operator("/v1/clock", { now: later });
    },
    reset: () => operator("/v1/clock", { now: null }),
    runCron: () => operator("/v1/cron"),
  };
}
