import { setTimeout as wait } from "node:timers/promises";
import { Queue, Worker } from "bullmq";
import { pino } from "pino";
import { afterEach, expect, test, vi } from "vitest";
import { readConfig } from "../src/config.ts";
import type { Outcome, Run } from "../src/queues/outcome.ts";
import { createWatchedWorker } from "../src/queues/watched-worker.ts";
import { createRelay } from "../src/relay.ts";
import { eventually } from "./support/eventually.ts";
import { newNamespace, openRedis } from "./support/redis.ts";
import { openSite } from "./support/relay.ts";
import { releaseLater } from "./support/release.ts";
import { scrape, valueOf } from "./support/scrape.ts";

const STUCK_AFTER_MS = 360;

afterEach(() => vi.restoreAllMocks());

/** Fetches that hang; at the end of a test they answer that there is nothing. */
const hung = new Set<() => void>();

/** From now on whatever worker of the queue fetches a job waits for ever, until this is let go; then new ones are well. */
function hangFetches(queueName: string): () => void {
  let hangs = true;
  const prototype = Worker.prototype as unknown as { moveToActive(...args: unknown[]): Promise<unknown> };
  const fetch = prototype.moveToActive;
  vi.spyOn(prototype, "moveToActive").mockImplementation(function (this: Worker, ...args: unknown[]) {
    if (!hangs || this.name !== queueName) return fetch.apply(this, args);
    return new Promise((resolve) => hung.add(() => resolve(undefined)));
  });
  return () => {
    hangs = false;
  };
}

async function openWatched(
  handle: (run: Run, data: unknown) => Promise<Outcome>,
  mayRun: () => boolean | Promise<boolean> = () => true,
) {
  const connection = openRedis();
  const name = newNamespace();
  const queue = new Queue(name, { connection, prefix: "{stuck-worker}" });
  await queue.setGlobalConcurrency(2);
  await queue.setGlobalRateLimit(1_000_000, 1_000);
  releaseLater(() => queue.close());
  let alarms = 0;
  const open = () => {
    const worker = createWatchedWorker(
      {
        queue,
        connection,
        concurrency: 2,
        handle: (job, run) => handle(run, job.data),
        onError: () => undefined,
      },
      { stuckAfterMs: STUCK_AFTER_MS, mayRun: async () => mayRun(), onStuck: () => alarms++ },
    );
    releaseLater(async () => {
      for (const end of hung) end();
      await worker.close();
    });
    return worker;
  };
  return { queue, open, alarms: () => alarms };
}

const done = async (): Promise<Outcome> => ({ next: "done", value: {} });
/** Long enough for three alarms. */
const noAlarm = async (alarms: () => number): Promise<void> => {
  await wait(3 * STUCK_AFTER_MS);
  expect(alarms()).toBe(0);
};

test("a worker that takes no task though it could is told of, and made anew until the task is published", async () => {
  const site = await openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" } },
      rules: [{ name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] }],
    },
    simulator: { settings: { appearMs: 1, publishMs: 20 } },
  });
  const lines: string[] = [];
  const log = pino({ level: "error" }, { write: (line: string) => void lines.push(line) });
  const relay = createRelay(readConfig({ ...site.env, PORT: "0" }), log, { stuckAfterMs: STUCK_AFTER_MS });
  releaseLater(() => relay.stop());
  const { port } = await relay.start();
  const url = `http://127.0.0.1:${port}`;
  const ready = async () => (await fetch(`${url}/readyz`)).status;
  expect(await ready()).toBe(200);

  const letGo = hangFetches("publish.sales");
  const headers = { "content-type": "application/json", authorization: "Bearer api-token" };
  const body = JSON.stringify({ jobGroupId: 2, status: "Complete" });
  expect((await fetch(`${url}/v1/completions`, { method: "POST", headers, body })).status).toBe(202);
  await eventually(async () => (await ready()) === 503);
  expect(await (await fetch(`${url}/readyz`)).text()).toContain("1 of 3 workers take no jobs");
  const stuck = valueOf(await scrape({ url }), "publish_relay_worker_stuck_total", {
    queue: "publish.sales",
  });
  expect(stuck).toBeGreaterThanOrEqual(1);
  expect(lines.join("")).toContain("a worker takes no jobs though there are some");
  expect(site.puts(2)).toHaveLength(0);

  letGo();
  expect(await site.ended(2)).toMatchObject([{ record: { state: "published" } }]);
  expect(site.puts(2)).toHaveLength(1);
  await eventually(async () => (await ready()) === 200);
});

test("what a stuck worker still runs is handed over to the one that takes its place", async () => {
  const runs: string[] = [];
  const { queue, open, alarms } = await openWatched(async (run, data) => {
    runs.push(String(data));
    if (runs.length > 1) return { next: "done", value: {} };
    await new Promise((resolve) => run.signal.addEventListener("abort", resolve, { once: true }));
    return { next: "hand-over" };
  });
  open();
  await queue.add("task", "first");
  await eventually(() => runs.length === 1);
  const letGo = hangFetches(queue.name);
  await queue.add("task", "second");
  await eventually(() => alarms() === 1);
  letGo();
  await eventually(async () => (await queue.getCompletedCount()) === 2, { timeoutMs: 20_000 });
  expect(runs.sort()).toEqual(["first", "first", "second"]);
});

test("a paused queue is not stuck", async () => {
  const { queue, open, alarms } = await openWatched(done);
  await queue.pause();
  await queue.add("task", "one");
  const letGo = hangFetches(queue.name);
  open();
  await noAlarm(alarms);
  await queue.resume();
  await eventually(() => alarms() > 0, { what: "the same worker is stuck once the queue goes on" });
  letGo();
});

test("a queue that is held back by its limiter is not stuck", async () => {
  const { queue, open, alarms } = await openWatched(done);
  await queue.rateLimit(60_000);
  await queue.add("task", "one");
  const letGo = hangFetches(queue.name);
  open();
  await noAlarm(alarms);
  await queue.removeRateLimitKey();
  await eventually(() => alarms() > 0, { what: "the same worker is stuck once the hold is over" });
  letGo();
});

test("a queue whose global concurrency another process uses up is not stuck", async () => {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { queue, open, alarms } = await openWatched(done);
  let taken = 0;
  const other = new Worker(queue.name, () => (taken++, released), {
    connection: openRedis(),
    prefix: "{stuck-worker}",
    concurrency: 2,
  });
  releaseLater(async () => {
    release();
    for (const end of hung) end();
    await other.close();
  });
  await queue.addBulk(["one", "two", "three"].map((data) => ({ name: "task", data })));
  await eventually(() => taken === 2);
  const letGo = hangFetches(queue.name);
  open();
  await noAlarm(alarms);
  await other.pause(true);
  release();
  await eventually(() => alarms() > 0, { what: "the same worker is stuck once there is room" });
  letGo();
});

test("while the gate is shut or the breaker open, nothing is asked of a worker", async () => {
  let shut = true;
  const { queue, open, alarms } = await openWatched(done, () => !shut);
  await queue.add("task", "one");
  const letGo = hangFetches(queue.name);
  open();
  await noAlarm(alarms);
  shut = false;
  await eventually(() => alarms() > 0);
  letGo();
});

test("a look that does not come back is given up, and the next one is taken", async () => {
  let looks = 0;
  const { queue, open, alarms } = await openWatched(
    done,
    () => ++looks > 1 || new Promise<boolean>(() => {}),
  );
  await queue.add("task", "one");
  const letGo = hangFetches(queue.name);
  open();
  await eventually(() => alarms() > 0);
  letGo();
});

test("it stays stuck from the alarm until the worker in its place has taken a job", async () => {
  const { queue, open, alarms } = await openWatched(done);
  await queue.add("task", "one");
  const letGo = hangFetches(queue.name);
  const worker = open();
  await eventually(() => alarms() === 1);
  // Over many looks, up to the next alarm.
  const seen = new Set<boolean>();
  await eventually(() => seen.add(worker.isStuck()) && alarms() === 2);
  expect([...seen]).toEqual([true]);
  letGo();
  await eventually(async () => (await queue.getCompletedCount()) === 1);
  await eventually(() => !worker.isStuck());
});
