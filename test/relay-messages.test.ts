import type { Job } from "bullmq";
import { expect, test } from "vitest";
import { keysOf } from "../src/queues/names.ts";
import { eventually } from "./support/eventually.ts";
import { openRedis, startPrivateRedis } from "./support/redis.ts";
import { openSite, type Site, statesOf } from "./support/relay.ts";

const rules = {
  targets: { sales: { connection: 2, schema: "public" }, finance: { connection: 3, schema: "reports" } },
  rules: [
    { name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] },
    {
      name: "prod",
      when: { labels: { env: "prod" } },
      publish: [{ target: "finance", table: "orders", action: "load" }],
    },
  ],
};
const open = () => openSite({ rules });

/** What its sender sees of a message, once it is done with. */
async function untilFinished(site: Site, { id = "" }: Job): Promise<Job> {
  return eventually(async () => {
    const job = (await site.queue("completions").getJob(id)) as Job | undefined;
    return job?.finishedOn ? job : undefined;
  });
}

test("a message of any BullMQ client is a report like all others, under any id or none", async () => {
  const site = await open();
  const relay = await site.start();
  const completions = site.queue("completions");
  const labelled = site.simulator.createJobGroup({ webhook: false });
  const named = await completions.add(
    "completion",
    { jobGroupId: 2, status: "Complete", labels: {} },
    { jobId: "jobgroup-2" },
  );
  const unnamed = await completions.add("completion", {
    jobGroupId: labelled,
    status: "Complete",
    labels: { env: "prod" },
  });
  expect((await untilFinished(site, named)).returnvalue).toMatchObject({ outcome: "dispatched", tasks: 1 });
  expect((await untilFinished(site, unnamed)).returnvalue).toEqual({
    outcome: "merged",
    completion: `jobgroup-${labelled}`,
    duplicate: false,
  });
  expect(statesOf(await site.ended(2))).toEqual(["sales published"]);
  expect(statesOf(await site.ended(labelled, 2))).toEqual(["finance published", "sales published"]);
  expect(await relay.story(labelled)).toMatchObject({ completion: { source: "message" } });

  // The same again, by message and by webhook: nothing new.
  const again = await completions.add("completion", { jobGroupId: labelled, labels: { env: "prod" } });
  expect((await untilFinished(site, again)).returnvalue).toMatchObject({ duplicate: true });
  expect(await relay.report(2)).toMatchObject({ duplicate: true });
  expect(site.simulator.twice()).toEqual([]);
  expect(site.puts(labelled)).toHaveLength(2);
});

test("a later webhook's labels stand against those of the message that came first", async () => {
  const site = await open();
  const relay = await site.start();
  const message = { jobGroupId: 2, status: "Complete", labels: { env: "test" } };
  const job = await site.queue("completions").add("completion", message, { jobId: "jobgroup-2" });
  await untilFinished(site, job);
  expect(await relay.report(2, { env: "prod" })).toMatchObject({ duplicate: false });
  expect(statesOf(await site.ended(2, 2))).toEqual(["finance published", "sales published"]);
  expect(await relay.story(2)).toMatchObject({ completion: { labels: { env: "prod" } } });
});

test.each([
  ["no job group", { status: "Complete" }, '"jobGroupId" is missing'],
  ["a wrong type", { jobGroupId: "thirty-one" }, "positive whole number"],
  ["no object", "31", "must be a JSON object"],
])("a message with %s fails, in words for its sender", async (_what, data, words) => {
  const site = await open();
  await site.start();
  const job = await site.queue("completions").add("completion", data);
  const failed = await untilFinished(site, job);
  expect(await failed.getState()).toBe("failed");
  expect(failed.failedReason).toMatch(/^This message was not understood: /);
  expect(failed.failedReason).toContain(words);
  expect(failed.attemptsMade).toBe(1);
});

test("messages without attempts are not lost when Redis dies and comes back while they are taken in", {
  timeout: 90_000,
}, async () => {
  const redis = await startPrivateRedis();
  const site = await openSite({ rules, redisUrl: redis.url });
  const queue = site.queue("completions");
  const ids = Array.from({ length: 300 }, () =>
    site.simulator.createJobGroup({ recipeId: 27, webhook: false }),
  );
  await queue.addBulk(
    ids.map((jobGroupId) => ({ name: "completion", data: { jobGroupId, status: "Complete", labels: {} } })),
  );
  await site.start();
  await eventually(async () => (await queue.getCompletedCount()) > 10, {
    what: "the first messages are taken in",
  });
  await redis.kill();
  await redis.start();
  for (const id of ids) await site.dispatched(id, 60_000);
  expect(await queue.getFailedCount()).toBe(0);
});

test("a good report counts, whatever stood in a job of its id before", { timeout: 90_000 }, async () => {
  const site = await openSite({ rules });
  const id = site.simulator.createJobGroup({ recipeId: 27, webhook: false });
  const queue = site.queue("completions");
  const relay = await site.start();
  await queue.add("completion", { jobGroupId: "oops" }, { jobId: `jobgroup-${id}` });
  await eventually(async () => (await queue.getFailedCount()) === 1, { what: "the message is refused" });
  expect(await relay.report(id)).toMatchObject({ status: 202 });
  // The sweep looks for reports that nobody dispatched: as if this one had waited long enough, and a minute had gone by.
  await openRedis().zadd(keysOf(site.namespace).unhandled, 1, String(id));
  await site.start();
  await site.ended(id, 1, 20_000);
});
