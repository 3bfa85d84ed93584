import { expect, test } from "vitest";
import { eventually } from "./support/eventually.ts";
import { keysOf } from "../src/queues/names.ts";
import { openRedis } from "./support/redis.ts";
import { openSite, statesOf } from "./support/relay.ts";

test("a target that fails again and again is left alone by the whole fleet, others go on, and one probe closes it", {
  timeout: 90_000,
}, async () => {
  const load = { table: "orders", action: "load", settleAfter: "1s", backoff: "100ms", attempts: 20 };
  const site = await openSite({
    rules: {
      targets: {
        sales: { connection: 2, schema: "public", concurrency: 2 },
        finance: { connection: 3, schema: "public" },
      },
      rules: [
        {
          name: "all",
          when: "all",
          publish: [
            { target: "sales", ...load },
            { target: "finance", ...load },
          ],
        },
      ],
    },
    simulator: { settings: { publishMs: 20, appearMs: 1, sameTarget: "append" } },
  });
  const broken = site.simulator.addFault({ kind: "fail", connection: 2 });
  const relay = await site.start();
  const other = await site.start();
  const ids = [1, 2, 3, 4].map(() => site.simulator.createJobGroup({ recipeId: 27, webhook: false }));
  for (const id of ids) await relay.report(id);

  const redis = openRedis();
  const breaker = keysOf(site.namespace).breaker("sales");
  const metrics = async (url: string): Promise<string> => (await fetch(`${url}/metrics`)).text();
  await eventually(
    async () => (await metrics(other.url)).includes('publish_relay_breaker_open{target="sales"} 1'),
    {
      timeoutMs: 20_000,
      what: "the breaker of sales is open",
    },
  );
  const openUntil = Number(await redis.hget(breaker, "openUntil"));
  expect(openUntil / 1_000 - Date.now()).toBeGreaterThan(5_000);
  const toSales = () =>
    site.simulator
      .requests({ kind: "publish" })
      .filter(({ body }) => JSON.stringify(body).includes('"id":2'));
  await eventually(async () => (await site.queue("publish.finance").getCompletedCount()) === ids.length, {
    timeoutMs: 30_000,
    what: "finance is published",
  });
  const sent = toSales().length;
  expect(sent).toBeLessThanOrEqual(5 + 2);
  await eventually(
    async () => (await (await fetch(`${relay.url}/board/api/queues`)).text()).includes("BREAKER OPEN"),
    {
      what: "the board says so",
    },
  );

  site.simulator.clearFaults(broken);
  // As if its time were over: the first publish after it is a probe, alone.
  await redis.hset(breaker, "openUntil", String(Date.now() * 1_000));
  for (const id of ids) {
    expect(statesOf(await site.ended(id, 2, 30_000))).toEqual(["finance published", "sales published"]);
  }
  expect(await metrics(relay.url)).toContain('publish_relay_breaker_open{target="sales"} 0');
  const [probe, next] = site.simulator
    .publishes()
    .filter(({ connection }) => connection === 2)
    .slice(sent);
  expect(Number(next?.acceptedAt)).toBeGreaterThanOrEqual(Number(probe?.endsAt));
});
