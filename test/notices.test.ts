import { setTimeout as wait } from "node:timers/promises";
import { Queue } from "bullmq";
import { pino } from "pino";
import { expect, test } from "vitest";
import { readAddresses } from "../src/notifications/addresses.ts";
import { look } from "../src/notifications/look.ts";
import type { Notification } from "../src/notifications/notification.ts";
import { createNotices } from "../src/notifications/notices.ts";
import { createSendOut } from "../src/notifications/way-out.ts";
import { createCompletionRecords } from "../src/queues/completion-record.ts";
import { keysOf, NOTIFICATIONS } from "../src/queues/names.ts";
import { PLANNED, taskField, writeTaskRecord } from "../src/queues/record.ts";
import { createNoticeStore, type NoticeStore } from "../src/queues/notice-store.ts";
import { createLookAtOpenTasks } from "../src/queues/open-tasks.ts";
import type { PublishPlan, Target } from "../src/rules/model.ts";
import { newNamespace, openRedis } from "./support/redis.ts";
import { releaseLater } from "./support/release.ts";

const WINDOW_MS = 250;
const SALES: Target = { name: "sales", connection: 2, schema: "public", concurrency: 4 };

const planOf = (jobGroupId: number, finishedAt = Date.now()): PublishPlan => ({
  v: 1,
  jobGroupId,
  finishedAt,
  rule: "orders",
  rulesVersion: "1",
  target: "sales",
  connection: 2,
  schema: "public",
  table: "orders",
  action: "load",
  format: "avro",
  attempts: 8,
  backoff: { floorMs: 5_000, capMs: 600_000 },
  deadlineMs: 60_000,
  settleAfterMs: 1_000,
  priority: 1000,
  stale: "supersede",
  serialize: true,
});

/** What processes of one namespace tell; nobody sends it, so the queue holds it all. */
function openFleet() {
  const namespace = newNamespace();
  const keys = keysOf(namespace);
  const redis = openRedis();
  const queue = new Queue(NOTIFICATIONS, { connection: redis, prefix: keys.prefix });
  releaseLater(() => queue.close());
  const process = (sends = true) => {
    const store = createNoticeStore(openRedis(), keys, { firstMs: WINDOW_MS, longestMs: 4 * WINDOW_MS });
    const send = createSendOut(
      queue,
      store,
      readAddresses(["http://127.0.0.1:9/a"]),
      "https://relay.example",
    );
    const notices = createNotices({
      store,
      send: sends ? send : () => Promise.reject(new Error("it died")),
      log: pino({ level: "silent" }),
    });
    return { store, send, notices };
  };
  const told = async (): Promise<Notification["body"][]> => {
    const jobs = await queue.getJobs(["waiting"], 0, -1, true);
    return jobs.map(({ data }) => (data as { notification: Notification }).notification.body);
  };
  return { keys, redis, queue, process, told };
}

const lookAt = (
  { store, send, notices }: ReturnType<ReturnType<typeof openFleet>["process"]>,
  more: Partial<Parameters<typeof look>[0]> = {},
) =>
  look({
    store,
    send,
    notices,
    targets: () => [SALES],
    openTasks: () => Promise.resolve(new Map([["sales", { parked: 1, late: 0 }]])),
    unhandled: () => Promise.resolve([]),
    tasksOf: () => Promise.resolve([]),
    isGateShut: () => Promise.resolve(true),
    isBreakerOpen: () => Promise.resolve(true),
    ...more,
  });

test("fifty failures on one target are one notification and one summary, whichever processes meet them", async () => {
  const { process, told } = openFleet();
  const last = process();
  const processes = [process(), process(), last];
  await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      (processes[i % 3] ?? last).notices.taskFailed(
        planOf(i + 1),
        "Designer Cloud answered 400: no such table",
      ),
    ),
  );
  expect(await told()).toHaveLength(1);
  await wait(WINDOW_MS + 20);
  await Promise.all(processes.map((one) => lookAt(one)));
  const [first, summary, ...more] = await told();
  expect(more).toEqual([]);
  expect(first).toMatchObject({ type: "task.failed", data: { count: 1, target: "sales", rule: "orders" } });
  expect(first?.data.text).toMatch(
    /^Task jobgroup-\d+-2-public-orders \(job group \d+ to sales, public.orders\) failed: Designer Cloud/,
  );
  expect(first?.data.link).toMatch(/^https:\/\/relay\.example\/job-groups\/\d+$/);
  expect(summary).toMatchObject({ type: "task.failed", data: { count: 49, summary: true, target: "sales" } });
  expect(summary?.data.text).toMatch(
    /^49 more tasks failed on sales since \d{4}-\d\d-\d\d \d\d:\d\d UTC\. The last: /,
  );
});

test("the window doubles with each summary, and after a quiet one the next failure is told at once", async () => {
  const { process, told, redis, keys } = openFleet();
  const one = process();
  const fail = (id: number) => one.notices.taskFailed(planOf(id), "no");
  const key = keys.notices.of("task.failed/sales/refused");
  await fail(1);
  await fail(2);
  await wait(WINDOW_MS + 20);
  await lookAt(one);
  expect(await told()).toHaveLength(2);
  expect(await redis.hget(key, "windowMs")).toBe(String(2 * WINDOW_MS));
  await fail(3);
  await lookAt(one);
  expect(await told()).toHaveLength(2);
  await wait(2 * WINDOW_MS + 20);
  await lookAt(one);
  expect((await told()).map(({ data }) => data.count)).toEqual([1, 1, 1]);
  await wait(4 * WINDOW_MS + 20);
  await lookAt(one);
  await fail(4);
  expect((await told()).at(-1)).toMatchObject({ data: { count: 1, jobGroupId: 4 } });
  expect(await redis.pttl(key)).toBeGreaterThan(0);
});

test("the end of a trouble is told once, and only if its beginning was", async () => {
  const { process, told } = openFleet();
  const [one, two] = [process(), process()];
  await one.notices.published("sales");
  expect(await told()).toEqual([]);
  await one.notices.taskFailed(planOf(1), "no");
  await one.notices.taskFailed(planOf(2), "no");
  await Promise.all([one, two, one, two].map(({ notices }) => notices.published("sales")));
  expect((await told()).map(({ type }) => type)).toEqual(["task.failed", "recovered"]);
  expect((await told())[1]?.data).toMatchObject({ trouble: "task.failed", target: "sales", count: 1 });
  // It comes and goes within the window: neither is told by itself.
  await two.notices.taskFailed(planOf(3), "no");
  await one.notices.published("sales");
  expect(await told()).toHaveLength(2);
  await wait(WINDOW_MS + 20);
  await lookAt(one);
  expect((await told())[2]?.data).toMatchObject({ summary: true, count: 1 });
  expect((await told())[2]?.data.text).toContain("It is over for now");
});

test("a gate that shuts again and again while it is shut is one trouble, and three processes tell of it once", async () => {
  const { process, told } = openFleet();
  const all = [process(), process(), process()];
  const shut = () =>
    Promise.all(all.map(({ notices }) => notices.gateShut({ reason: "away", words: "no connection" })));
  await shut();
  await shut();
  await Promise.all(all.map(({ notices }) => notices.gateOpen()));
  await wait(WINDOW_MS + 20);
  await Promise.all(all.map((one) => lookAt(one)));
  expect((await told()).map(({ type }) => type)).toEqual(["gate.shut", "gate.open"]);
});

test("what a process did not bring on its way before it died is brought by another, once", async () => {
  const { process, told } = openFleet();
  await process(false).notices.breakerOpen("sales", 5, "timeouts");
  expect(await told()).toEqual([]);
  const [one, two] = [process(), process()];
  await Promise.all([lookAt(one), lookAt(two)]);
  await lookAt(one);
  expect((await told()).map(({ data }) => data.text)).toEqual([
    "The breaker of sales is open: nothing is started there, nothing is lost. 5 failures in a row: timeouts. https://relay.example/board",
  ]);
});

test("a freshness goal that an open task is past is told once, and again when none is", async () => {
  const { process, told, keys } = openFleet();
  const one = process();
  const redis = openRedis();
  const records = createCompletionRecords(redis, keys, 60_000);
  const openTasks = createLookAtOpenTasks(redis, keys);
  const targets = () => [
    { ...SALES, freshnessMs: 60_000 },
    { ...SALES, name: "slow", freshnessMs: 86_400_000 },
  ];
  await records.restore(planOf(31, Date.now() - 61_000));
  await records.restore(planOf(32, Date.now() - 90_000));
  await records.restore(planOf(33, Date.now() - 1_000));
  await records.restore({ ...planOf(34, Date.now() - 90_000), target: "slow" });
  await lookAt(one, { openTasks, targets });
  await lookAt(process(), { openTasks, targets });
  const [missed, ...more] = await told();
  expect(more).toEqual([]);
  expect(missed).toMatchObject({
    type: "freshness.missed",
    data: {
      target: "sales",
      jobGroupId: 32,
      late: 2,
      goal: "1m",
      link: "https://relay.example/job-groups/32",
    },
  });
  expect(missed?.data.text).toMatch(
    /^sales misses its freshness goal: 2 open tasks are over the goal of 1m, the oldest of job group 32/,
  );
  await redis.del(keys.group(31), keys.group(32));
  await lookAt(one, { openTasks, targets });
  await lookAt(one, { openTasks, targets });
  expect((await told()).at(-1)?.data.text).toMatch(
    /^No open task of sales is over its freshness goal any more/,
  );
  expect((await told()).map(({ type, data }) => `${type} ${data.trouble}`)).toEqual([
    "freshness.missed freshness.missed",
    "recovered freshness.missed",
  ]);
});

test("a parked task that its process did not tell of before it died is told by the look, once", async () => {
  const { process, told, keys } = openFleet();
  const [one, two] = [process(), process()];
  const redis = openRedis();
  const records = createCompletionRecords(redis, keys, 60_000);
  const plan = planOf(31);
  const park = async (endedAt: number) => {
    const record = { ...PLANNED, state: "parked" as const, words: `parked at ${endedAt}`, endedAt };
    await redis.hset(keys.group(31), taskField(plan), writeTaskRecord(record));
    return record;
  };
  await records.restore(plan);
  await park(1_000);
  const more = {
    openTasks: createLookAtOpenTasks(redis, keys),
    tasksOf: async (id: number) => (await records.read(id)).tasks,
  };
  await Promise.all([lookAt(one, more), lookAt(two, more)]);
  await lookAt(two, more);
  // The process that parked it comes late with it.
  await one.notices.taskParked(plan, { words: "late", endedAt: 1_000 });
  await wait(WINDOW_MS + 20);
  await lookAt(one, more);
  expect((await told()).map(({ type, data }) => [type, data.count, data.why])).toEqual([
    ["task.parked", 1, "parked at 1000"],
  ]);
  // Sent again and parked again, told by its process: the look has nothing to add.
  await one.notices.taskParked(plan, await park(10_000));
  await lookAt(two, more);
  await wait(2 * WINDOW_MS + 20);
  await lookAt(two, more);
  expect((await told()).map(({ data }) => [data.count, data.why])).toEqual([
    [1, "parked at 1000"],
    [1, "parked at 10000"],
  ]);
});

test("completions that are not dispatched for long are told once, and again when none is", async () => {
  const { process, told, keys } = openFleet();
  const one = process();
  const redis = openRedis();
  const { merge, unhandled } = createCompletionRecords(redis, keys, 60_000);
  for (const id of [31, 32]) await merge(id, { source: "webhook", labels: {} });
  await lookAt(one, { unhandled });
  expect(await told()).toEqual([]);
  await redis.zadd(keys.unhandled, (Date.now() - 21 * 60_000) * 1_000, "32");
  await lookAt(one, { unhandled });
  await lookAt(process(), { unhandled });
  const [waits, ...more] = await told();
  expect(more).toEqual([]);
  expect(waits).toMatchObject({ type: "completion.waits", data: { jobGroupId: 32, waiting: 1 } });
  expect(waits?.data.text).toMatch(
    /^Completions are not dispatched: 1 was reported over 20m ago, the first of job group 32; the queue completions/,
  );
  await redis.zrem(keys.unhandled, "32");
  await lookAt(one, { unhandled });
  await lookAt(one, { unhandled });
  expect((await told()).map(({ type }) => type)).toEqual(["completion.waits", "recovered"]);
});

test("an end that nobody saw is found: nothing is parked, the breaker closed, the gate open", async () => {
  const { process, told } = openFleet();
  const one = process();
  await one.notices.taskParked(planOf(1), { words: "its outcome is unknown" });
  await one.notices.breakerOpen("sales", 5, "no");
  await one.notices.gateShut({ reason: "unauthorized", words: "401" });
  await lookAt(one);
  expect(await told()).toHaveLength(3);
  await lookAt(one, {
    openTasks: () => Promise.resolve(new Map()),
    isGateShut: () => Promise.resolve(false),
    isBreakerOpen: () => Promise.resolve(false),
  });
  expect(
    (await told())
      .slice(3)
      .map(({ type }) => type)
      .sort(),
  ).toEqual(["breaker.closed", "gate.open", "recovered"]);
});

test("a store that fails, or does not answer, holds up and breaks nothing", async () => {
  const never: Pick<NoticeStore, "trouble" | "recovered"> = {
    trouble: () => Promise.reject(new Error("OOM command not allowed")),
    recovered: () => new Promise(() => {}),
  };
  const notices = createNotices({
    store: never,
    send: () => Promise.resolve(),
    log: pino({ level: "silent" }),
  });
  const startedAt = Date.now();
  await notices.taskFailed(planOf(1), "no");
  await notices.published("sales");
  expect(Date.now() - startedAt).toBeLessThan(4_000);
});
