import { FlowProducer, type Job, type JobsOptions } from "bullmq";
import { beforeAll, describe, expect, test } from "vitest";
import { eventually } from "./support/eventually.ts";
import { openRedis } from "./support/redis.ts";
import { openSite, type Site, statesOf } from "./support/relay.ts";
import { releaseLater } from "./support/release.ts";

const open = () =>
  openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" }, finance: { connection: 3, schema: "reports" } },
      rules: [
        { name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] },
        {
          name: "prod",
          when: { labels: { env: "prod" } },
          publish: [{ target: "finance", table: "orders", action: "load" }],
        },
      ],
    },
  });

const HOUR_MS = 3_600_000;

async function untilFinished(site: Site, { id = "" }: Job): Promise<Job> {
  return eventually(async () => {
    const job = (await site.queue("completions").getJob(id)) as Job | undefined;
    return job?.finishedOn ? job : undefined;
  });
}

function openFlows({ namespace }: Site): FlowProducer {
  const flows = new FlowProducer({ connection: openRedis(), prefix: `{${namespace}}` });
  releaseLater(() => flows.close());
  return flows;
}

const OPTIONS: Array<[string, JobsOptions]> = [
  ["1000 attempts", { attempts: 1_000, backoff: { type: "exponential", delay: 60_000 } }],
  ["a backoff that nobody knows", { attempts: 3, backoff: { type: "nobody-knows" } }],
  ["a delay", { delay: 200 }],
  ["lifo", { lifo: true }],
  ["the last of all priorities", { priority: 2_097_151 }],
  ["an id of ours", { jobId: "jobgroup-99" }],
  ["an id that looks like ours", { jobId: "jobgroup-099-x" }],
  ["a deduplication", { deduplication: { id: "once", ttl: 60_000 } }],
  ["a history that is kept short", { removeOnComplete: 1, removeOnFail: 1, keepLogs: 1, stackTraceLimit: 0 }],
];

describe("a message that does not parse", () => {
  let site: Site;
  beforeAll(async () => {
    site = await open();
    await site.start();
  });

  test.each(OPTIONS)("with %s fails at once, names the field and holds up no other", async (_, opts) => {
    const queue = site.queue("completions");
    const bad = await queue.add("completion", { jobGroupId: "thirty-one" }, opts);
    const good = site.simulator.createJobGroup({ webhook: false });
    await queue.add("completion", { jobGroupId: good });
    const failed = await untilFinished(site, bad);
    expect(await failed.getState()).toBe("failed");
    expect(failed.failedReason).toMatch(/^This message was not understood: "jobGroupId" must be/);
    expect([failed.attemptsMade, failed.attemptsStarted]).toEqual([1, 1]);
    expect(statesOf(await site.ended(good))).toEqual(["sales published"]);
  });
});

test("messages that parse are published, whatever their options", async () => {
  const site = await open();
  await site.start();
  const ids = await Promise.all(
    OPTIONS.map(async ([, opts]) => {
      const id = site.simulator.createJobGroup({ webhook: false });
      await site.queue("completions").add("any-name", { jobGroupId: id, labels: { env: "prod" } }, opts);
      return id;
    }),
  );
  for (const id of ids) {
    expect(statesOf(await site.ended(id, 2))).toEqual(["finance published", "sales published"]);
    expect(site.puts(id)).toHaveLength(2);
  }
});

test("of a refused message that is removed at once, the log still tells", async () => {
  const site = await open();
  const relay = await site.startProcess();
  const queue = site.queue("completions");
  const { id = "" } = await queue.add("completion", { status: 3 }, { removeOnFail: true });
  const [line] = await relay.process.line(/^.*a message was refused.*$/);
  expect(JSON.parse(line)).toMatchObject({
    level: 40,
    job: id,
    words: 'This message was not understood: "status" must be a string of at most 100 characters, not 3.',
  });
  await eventually(async () => (await queue.getJob(id)) === undefined, { what: "its job is removed" });
});

test("each message of a repeated job is judged by itself", async () => {
  const site = await open();
  const queue = site.queue("completions");
  await site.start();
  const id = site.simulator.createJobGroup({ webhook: false });
  const scheduler = { every: 200, limit: 3 };
  await queue.upsertJobScheduler("bad", scheduler, { name: "completion", data: { jobGroupId: 1.5 } });
  await queue.upsertJobScheduler("good", scheduler, { name: "completion", data: { jobGroupId: id } });
  await eventually(async () => (await queue.getFailedCount()) === 3, { what: "three refused messages" });
  for (const { failedReason, attemptsMade } of await queue.getFailed()) {
    expect(failedReason).toContain('"jobGroupId" must be');
    expect(attemptsMade).toBe(1);
  }
  expect(statesOf(await site.ended(id))).toEqual(["sales published"]);
  expect(site.puts(id)).toHaveLength(1);
});

test("a message that is a child of its sender's job tells its parent how it ended", async () => {
  const site = await open();
  const flows = openFlows(site);
  await site.start();
  const id = site.simulator.createJobGroup({ webhook: false });
  const child = (data: object) => ({ name: "completion", queueName: "completions", data });
  const { job: parent } = await flows.add({
    name: "night",
    queueName: "sender",
    children: [
      { ...child({ jobGroupId: id }), opts: { failParentOnFailure: true } },
      { ...child({ jobGroupId: -1 }), opts: { ignoreDependencyOnFailure: true } },
    ],
  });
  expect(statesOf(await site.ended(id))).toEqual(["sales published"]);
  await eventually(async () => (await parent.getState()) === "waiting", { what: "the parent may go on" });
  const { ignored } = await parent.getDependencies({ ignored: {} });
  expect(Object.values(ignored ?? {})).toEqual([expect.stringContaining('"jobGroupId" must be')]);
});

describe("a message under a completion's own id does not hold the completion up", () => {
  test("when its sender delayed it", async () => {
    const site = await open();
    const relay = await site.start();
    const id = site.simulator.createJobGroup({ webhook: false });
    const jobId = `jobgroup-${id}`;
    const data = { jobGroupId: id, labels: { env: "prod" } };
    await site.queue("completions").add("completion", data, { jobId, delay: HOUR_MS });
    expect(await relay.report(id)).toMatchObject({ status: 202, duplicate: false });
    // What the message says counts with it.
    expect(statesOf(await site.ended(id, 2))).toEqual(["finance published", "sales published"]);
  });

  test("when it was refused, or its record is long gone", async () => {
    const site = await open();
    const relay = await site.start();
    const id = site.simulator.createJobGroup({ webhook: false });
    const data = { jobGroupId: "oops" };
    const bad = await site.queue("completions").add("completion", data, { jobId: `jobgroup-${id}` });
    await untilFinished(site, bad);
    expect(await relay.report(id)).toMatchObject({ status: 202, duplicate: false });
    expect(statesOf(await site.ended(id))).toEqual(["sales published"]);
  });

  test("when it waits for jobs of its sender's", async () => {
    const site = await open();
    const relay = await site.start();
    const id = site.simulator.createJobGroup({ webhook: false });
    const { children = [] } = await openFlows(site).add({
      name: "completion",
      queueName: "completions",
      data: { jobGroupId: id, labels: { env: "prod" } },
      opts: { jobId: `jobgroup-${id}` },
      children: [{ name: "prepare", queueName: "sender", data: {} }],
    });
    expect(await relay.report(id)).toMatchObject({ status: 202, duplicate: false });
    expect(statesOf(await site.ended(id, 2))).toEqual(["finance published", "sales published"]);
    // The sender's own job is left alone.
    expect(await children[0]?.job.getState()).toBe("waiting");
  });
});
