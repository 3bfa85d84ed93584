import { connect } from "node:net";
import { expect, test } from "vitest";
import { keysOf } from "../src/queues/names.ts";
import { eventually } from "./support/eventually.ts";
import { openRedis, startPrivateRedis } from "./support/redis.ts";
import { scrape, valueOf } from "./support/scrape.ts";
import { nextRequest, openSite, untilState } from "./support/relay.ts";

const load = { target: "sales", table: "orders", action: "load", settleAfter: "1s", backoff: "100ms" };
const rules = {
  targets: { sales: { connection: 2, schema: "public" } },
  rules: [{ name: "all", when: "all", publish: [load] }],
};
const refusal = { exception: { name: "ValidationFailed", message: "no such table" } };

test("a task that was refused for good is not sent again when its process dies before the job is told", async () => {
  const site = await openSite({ rules });
  const relay = await site.start();
  site.simulator.addFault({ kind: "status", status: 400, body: refusal, times: 1 });
  await relay.report(2);
  await site.ended(2);
  await eventually(async () => (await site.onlyJob("publish.sales")).failedReason, {
    what: "the job has failed",
  });
  await relay.stop();

  // As kill -9 between the record and the job leaves it: active, and nobody holds its lock.
  const redis = openRedis();
  const queue = (suffix: string) => keysOf(site.namespace).queue("publish.sales", suffix);
  const id = "jobgroup-2-2-public-orders";
  await redis.zrem(queue("failed"), id);
  await redis.hdel(queue(id), "finishedOn", "failedReason", "returnvalue");
  await redis.lpush(queue("active"), id);
  await site.start();
  const job = await eventually(
    async () => {
      const found = await site.onlyJob("publish.sales");
      // It may have been read before it failed, and asked for its state after.
      return found.failedReason && (await found.getState()) === "failed" ? found : undefined;
    },
    { timeoutMs: 20_000, what: "the job has failed once more" },
  );
  expect(job.failedReason).toContain("no such table");
  expect(site.puts(2)).toHaveLength(1);

  // An operator's retry is another thing.
  await job.retry();
  await untilState(site, 2, "published");
  expect(site.puts(2)).toHaveLength(2);
});

test.each([
  [503, "the outcome is unknown"],
  [409, "another publish runs"],
])("Retry-After of a %i (%s) is honoured", async (status) => {
  const site = await openSite({ rules });
  const relay = await site.start();
  site.simulator.addFault({ kind: "status", status, headers: { "retry-after": "5" }, times: 1 });
  await relay.report(2);
  await untilState(site, 2, "published");
  const [first, second] = site.puts(2);
  expect(Number(second?.at) - Number(first?.answeredAt)).toBeGreaterThanOrEqual(4_900);
});

test("after SIGTERM nothing new is sent, though somebody holds the door open; and the process is gone in time", async () => {
  const site = await openSite({
    rules: { ...rules, targets: { sales: { connection: 2, schema: "public", concurrency: 1 } } },
  });
  const relay = await site.startProcess();
  const open = connect(Number(new URL(relay.url).port), "127.0.0.1");
  open.on("error", () => undefined);
  open.write(
    "POST /webhooks/designer-cloud HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{",
  );
  site.simulator.set({ publishMs: 500 });
  const ids = [1, 2, 3, 4, 5, 6].map(() => site.simulator.createJobGroup({ recipeId: 27, webhook: false }));
  const put = nextRequest(site.simulator);
  for (const id of ids) await relay.report(id);
  await put;
  relay.process.signal("SIGTERM");
  const stoppedAt = Date.now();
  expect(await relay.process.exited).toMatchObject({ code: 0 });
  expect(Date.now() - stoppedAt).toBeLessThan(15_000);
  open.destroy();
  const late = site.simulator.requests({ kind: "publish" }).filter(({ at }) => at > stoppedAt + 500);
  expect(late).toEqual([]);
});

test("a relay whose Redis is away stops in time, and says at once that it is away", {
  timeout: 60_000,
}, async () => {
  const redis = await startPrivateRedis();
  const site = await openSite({ rules, redisUrl: redis.url });
  const relay = await site.startProcess();
  await redis.kill();
  await eventually(async () => (await fetch(`${relay.url}/board/api/queues`)).status === 503, {
    what: "the board says that Redis is away",
  });
  const askedAt = Date.now();
  expect(valueOf(await scrape(relay), "publish_relay_redis_up")).toBe(0);
  expect(Date.now() - askedAt).toBeLessThan(3_000);
  relay.process.signal("SIGTERM");
  const stoppedAt = Date.now();
  expect(await relay.process.exited).toMatchObject({ code: 0 });
  expect(Date.now() - stoppedAt).toBeLessThan(14_000);
  await redis.start();
});

test("a relay that is started while Redis is away answers 503 at its door, and works once Redis is there", async () => {
  const redis = await startPrivateRedis();
  const site = await openSite({ rules, redisUrl: redis.url });
  await redis.kill();
  const relay = await site.startProcess("listening");
  expect((await fetch(`${relay.url}/healthz`)).status).toBe(200);
  expect((await fetch(`${relay.url}/readyz`)).status).toBe(503);
  expect(await relay.report(2)).toMatchObject({ status: 503 });
  expect((await fetch(`${relay.url}/board/api/queues`)).status).toBe(503);

  await redis.start();
  await relay.process.line(/"msg":"ready"/);
  expect((await fetch(`${relay.url}/readyz`)).status).toBe(200);
  expect(await relay.report(2)).toMatchObject({ status: 202 });
  await untilState(site, 2, "published");
});

test("a relay that is stopped before Redis is there ends at once, with 0", async () => {
  const redis = await startPrivateRedis();
  const site = await openSite({ rules, redisUrl: redis.url });
  await redis.kill();
  const relay = await site.startProcess("listening");
  relay.process.signal("SIGTERM");
  expect(await relay.process.exited).toMatchObject({ code: 0 });
  await redis.start();
});
