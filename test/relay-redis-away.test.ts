import { expect, test } from "vitest";
import { eventually } from "./support/eventually.ts";
import { only, openSite, untilState } from "./support/relay.ts";
import { startPrivateRedis } from "./support/redis.ts";

test("while Redis is away a webhook is answered 503 within a second; then all goes on by itself, once", async () => {
  const redis = await startPrivateRedis();
  const site = await openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" } },
      rules: [{ name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] }],
    },
    redisUrl: redis.url,
    simulator: { settings: { sameTarget: "append", concurrent: "append" } },
  });
  const { simulator } = site;
  const relay = await site.start();
  const ready = async () => (await fetch(`${relay.url}/readyz`)).status;
  expect(await ready()).toBe(200);
  simulator.addFault({ kind: "long", ms: 1_500, jobGroupId: 2 });
  await relay.report(2);
  await untilState(site, 2, "submitted");

  await redis.kill();
  const another = simulator.createJobGroup({ webhook: false });
  for (let i = 0; i < 3; i++) {
    const askedAt = Date.now();
    expect(await relay.report(another)).toEqual({ status: 503 });
    expect(Date.now() - askedAt).toBeLessThan(1_000);
  }
  expect(await ready()).toBe(503);
  // The publish that is under way ends while nobody can write it down.
  await eventually(() => simulator.publishes(2)[0]?.status === "Complete");

  await redis.start();
  const told = await eventually(async () => {
    const answer = await relay.report(another);
    return answer.status === 202 ? answer : undefined;
  });
  expect(told).toEqual({ status: 202, completion: `jobgroup-${another}`, duplicate: false });
  expect(await relay.report(another)).toMatchObject({ duplicate: true });
  for (const id of [2, another]) {
    expect(only(await site.ended(id)).record).toMatchObject({ state: "published", attempts: 0 });
    expect(site.puts(id)).toHaveLength(1);
  }
  expect(only(simulator.tables()).rows).toBe(200);
  await eventually(async () => (await ready()) === 200);
});
