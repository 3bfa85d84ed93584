import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { PUBLISH_SETTINGS } from "../src/processors/publish-task.ts";
import { keysOf } from "../src/queues/names.ts";
import { eventually } from "./support/eventually.ts";
import { openRedis, redisUrl, startPrivateRedis } from "./support/redis.ts";
import { nextRequest, only, openSite, statesOf, untilState } from "./support/relay.ts";

const load = { target: "sales", table: "orders", action: "load", settleAfter: "1s" };
const rules = {
  targets: { sales: { connection: 2, schema: "public" } },
  rules: [{ name: "all", when: "all", publish: [load] }],
};
/** The platform stops no second publish here: only the relay does. */
const simulator = { settings: { sameTarget: "append", concurrent: "append" } } as const;

test("a process that was stopped for longer than its lock, and goes on, writes nothing and sends nothing", {
  timeout: 60_000,
}, async () => {
  const site = await openSite({ rules, simulator });
  const frozen = await site.startProcess();
  // It has the job group, has asked what publish jobs there are, and would send next.
  const asked = nextRequest(site.simulator, ({ kind }) => kind === "jobs");
  site.simulator.addFault({ kind: "slow", on: "jobs", ms: 300, times: 1 });
  await frozen.report(2);
  await asked;
  frozen.process.signal("SIGSTOP");
  const stoppedAt = Date.now();

  await site.start();
  const { record } = only(await site.ended(2, 1, 30_000));
  expect(Date.now() - stoppedAt).toBeLessThan(20_000);
  expect(record).toMatchObject({ state: "published", attempts: 0 });
  const ended = JSON.stringify(record);

  const job = await site.onlyJob("publish.sales");
  frozen.process.signal("SIGCONT");
  await eventually(async () => (await fetch(`${frozen.url}/healthz`)).ok, {
    what: "the frozen process answers again",
  });
  // That nothing is sent cannot be awaited: longer than a PUT may leave a process after its state was written.
  await new Promise((resolve) => setTimeout(resolve, PUBLISH_SETTINGS.sendWindowMs + 500));
  expect(JSON.stringify(only(await site.tasks(2)).record)).toBe(ended);
  expect(await job.getState()).toBe("completed");
  expect(site.puts(2)).toHaveLength(1);
  expect(only(site.simulator.tables()).rows).toBe(100);
});

test("a full Redis is 503 at the door; tasks wait, and nothing is lost or published twice", {
  timeout: 60_000,
}, async () => {
  const redis = await startPrivateRedis();
  const site = await openSite({ rules, simulator, redisUrl: redis.url });
  const relay = await site.start();
  const control = openRedis(redis.url);
  site.simulator.addFault({ kind: "long", ms: 2_000, jobGroupId: 2 });
  await relay.report(2);
  await untilState(site, 2, "submitted");

  await control.config("SET", "maxmemory", "1");
  const refused = site.simulator.createJobGroup({ webhook: false });
  expect(await relay.report(refused)).toMatchObject({ status: 503 });
  expect((await fetch(`${relay.url}/readyz`)).status).toBe(503);
  await eventually(() => site.simulator.publishes(2)[0]?.status === "Complete", {
    what: "the platform's publish has ended",
  });
  await control.config("SET", "maxmemory", "0");

  expect(await relay.report(refused)).toMatchObject({ status: 202 });
  for (const id of [2, refused]) {
    expect(only(await site.ended(id, 1, 30_000)).record).toMatchObject({ state: "published", attempts: 0 });
    expect(site.puts(id)).toHaveLength(1);
  }
});

test("a Redis that came back empty leads to no second publish: every publish job is explained", async () => {
  const redis = await startPrivateRedis();
  const site = await openSite({ rules, simulator, redisUrl: redis.url });
  const relay = await site.start();
  await relay.report(2);
  await site.ended(2);
  await relay.stop();
  await openRedis(redis.url).flushall();

  const again = await site.start();
  expect(await again.report(2)).toMatchObject({ duplicate: false });
  const { record } = only(await site.ended(2));
  expect(record).toMatchObject({ state: "published" });
  expect(record.words).toContain("Already published");
  expect(site.puts(2)).toHaveLength(1);
});

test("a Redis that came back empty, and a tenant where a publish touches its job group: nothing is taken for older", async () => {
  const redis = await startPrivateRedis();
  const site = await openSite({
    rules,
    redisUrl: redis.url,
    simulator: { settings: { touchOnPublish: true, outputTables: "none", sameTarget: "append" } },
  });
  const relay = await site.start();
  await relay.report(2);
  await site.ended(2);
  await relay.stop();
  await openRedis(redis.url).flushall();
  const again = await site.start();
  await again.report(2);
  const { record } = only(await site.ended(2));
  expect(record).toMatchObject({
    state: "parked",
    words: expect.stringContaining("not in this relay's record"),
  });
  expect(site.puts(2)).toHaveLength(1);
});

test("a record that cannot be read holds up nobody else, and is left as it is", async () => {
  const site = await openSite({ rules, simulator });
  const relay = await site.start();
  const queue = site.queue("publish.sales");
  await queue.pause();
  const ids = [2, ...[1, 2, 3].map(() => site.simulator.createJobGroup({ recipeId: 27, webhook: false }))];
  for (const id of ids) {
    await relay.report(id);
    await site.dispatched(id);
    await (await queue.getJob(`jobgroup-${id}-2-public-orders`))?.remove();
  }
  await relay.stop();

  // As a newer version left it; all tasks look as old as if their jobs were lost long ago.
  const redis = openRedis();
  const keys = keysOf(site.namespace);
  const [strange = 0, ...others] = ids;
  const field = "task:2/public/orders";
  const written = (await redis.hget(keys.group(strange), field)) ?? "";
  const newer = written.replace('"v":1', '"v":2');
  await redis.hset(keys.group(strange), field, newer);
  for (const task of await redis.zrange(keys.open, "0", "-1"))
    await redis.zincrby(keys.open, -60_000_000, task);
  await queue.resume();
  await site.start();
  for (const id of others) expect(statesOf(await site.ended(id))).toEqual(["sales published"]);
  expect(await redis.hget(keys.group(strange), field)).toBe(newer);
  expect(site.puts(strange)).toEqual([]);
});

test("a record that version 1 wrote in the middle of a publish is read, and the publish is followed to its end", async () => {
  const site = await openSite({ rules, simulator });
  const dump = JSON.parse(await readFile(new URL("fixtures/record-v1.json", import.meta.url), "utf8")) as {
    group: Record<string, string>;
    open: string;
    job: { id: string; name: string; data: object };
  };
  const redis = openRedis(redisUrl());
  const keys = keysOf(site.namespace);
  await redis.hset(keys.group(2), dump.group);
  await redis.zadd(keys.open, 1, dump.open);
  await site.queue("publish.sales").add(dump.job.name, dump.job.data, { jobId: dump.job.id });
  // The PUT was applied, and its answer lost with the process.
  site.simulator.set({ publishMs: 10, appearMs: 1 });
  site.simulator.foreignPublish({
    jobGroupId: 2,
    connection: 2,
    schema: "public",
    table: "orders",
    action: "load",
  });

  await site.start();
  expect(statesOf(await site.ended(2))).toEqual(["sales published"]);
  expect(site.puts(2)).toEqual([]);
});
