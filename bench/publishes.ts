import { Queue } from "bullmq";
import { type Child, cpuMs } from "./child.ts";
import type { Arrivals } from "./children/stub-platform.ts";
import { median, millis, perSecond, ratio, type Section } from "./figures.ts";
import { NAIVE_PREFIX, RELAY_PREFIX, type Site } from "./site.ts";

const TARGETS = 3;
const CONCURRENCY = 100;
const CHUNK = 1_000;
/** After the last PUT. */
const ENDS_WITHIN_MS = 30_000;

interface Run {
  /** From the first to the last PUT at the platform. */
  readonly putsPerSecond: number;
  /** From the first PUT to the end of the last task. */
  readonly tasksPerSecond: number;
  readonly redisCommandsPerTask: number;
  readonly requestsPerTask: number;
  readonly cpuMsPerTask: number | undefined;
  readonly redisCpuMsPerTask: number | undefined;
}

interface Side {
  readonly prefix: string;
  /** The queues whose jobs are the tasks. */
  readonly queues: readonly string[];
  readonly start: (stub: Child) => Promise<Child>;
}

/** Completions on a full queue to 3 publishes each over HTTP, beside a pipeline without any safety. */
export async function measurePublishes(site: Site, rounds: number, completions: number): Promise<Section> {
  const relay = (serializeJobGroups: boolean): Side => ({
    prefix: RELAY_PREFIX,
    queues: Array.from({ length: TARGETS }, (_, i) => `publish.target${i + 1}`),
    start: (stub) =>
      site.startRelay(stub, "dispatch,publish", {
        targets: TARGETS,
        concurrency: CONCURRENCY,
        serializeJobGroups,
      }),
  });
  const sides: Record<"ours" | "naive" | "atOnce", Side> = {
    ours: relay(true),
    naive: {
      prefix: NAIVE_PREFIX,
      queues: ["publish"],
      start: (stub) =>
        site.startNaive(stub, "work", {
          TARGETS: String(TARGETS),
          CONCURRENCY: String(CONCURRENCY * TARGETS),
        }),
    },
    atOnce: relay(false),
  };
  const runs: Record<keyof typeof sides, Run[]> = { ours: [], naive: [], atOnce: [] };
  for (let round = 0; round < rounds; round++) {
    for (const name of ["ours", "naive", "atOnce"] as const) {
      runs[name].push(await run(site, sides[name], completions));
    }
  }
  return report(runs, completions);
}

/** The queue is full before the workers start; each run has a process of its own, warm-up and all. */
async function run(site: Site, side: Side, completions: number): Promise<Run> {
  const { redis } = site;
  await redis.flushall();
  await preload(site, side.prefix, completions);
  const tasks = completions * TARGETS;
  const stub = await site.startStub();
  const arrived = stub.ask<Arrivals>({ expect: tasks });
  const commandsBefore = await commandsOf(site);
  const redisBefore = cpuMs(site.redisPid);
  const child = await side.start(stub);
  const { firstAt, lastAt, requests } = await arrived;
  await ended(site, side, tasks);
  const endedAt = Number(process.hrtime.bigint()) / 1e6;
  const used = cpuMs(child.pid);
  const usedByRedis = difference(cpuMs(site.redisPid), redisBefore);
  const commands = (await commandsOf(site)) - commandsBefore;
  await child.stop();
  await stub.stop();
  return {
    putsPerSecond: ((tasks - 1) / (lastAt - firstAt)) * 1_000,
    tasksPerSecond: (tasks / (endedAt - firstAt)) * 1_000,
    redisCommandsPerTask: commands / tasks,
    requestsPerTask: requests / tasks,
    cpuMsPerTask: used === undefined ? undefined : used / tasks,
    redisCpuMsPerTask: usedByRedis === undefined ? undefined : usedByRedis / tasks,
  };
}

async function preload({ redisUrl }: Site, prefix: string, count: number): Promise<void> {
  const queue = new Queue("completions", { connection: { url: redisUrl }, prefix });
  for (let from = 1; from <= count; from += CHUNK) {
    const ids = Array.from({ length: Math.min(CHUNK, count - from + 1) }, (_, i) => from + i);
    await queue.addBulk(
      ids.map((jobGroupId) => ({
        name: "completion",
        data: { jobGroupId, status: "Complete", labels: {} },
        opts: { jobId: `jobgroup-${jobGroupId}` },
      })),
    );
  }
  await queue.close();
}

async function ended({ redis }: Site, { prefix, queues }: Side, tasks: number): Promise<void> {
  const deadline = Date.now() + ENDS_WITHIN_MS;
  for (;;) {
    if (Date.now() > deadline) throw new Error(`Not all of ${tasks} tasks of ${prefix} ended well`);
    const counts = await Promise.all(queues.map((queue) => redis.zcard(`${prefix}:${queue}:completed`)));
    if (counts.reduce((sum, count) => sum + count, 0) >= tasks) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** All commands that Redis ran, those inside of scripts among them. */
async function commandsOf({ redis }: Site): Promise<number> {
  const stats = await redis.info("commandstats");
  return [...stats.matchAll(/calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0);
}

const difference = (after: number | undefined, before: number | undefined): number | undefined =>
  after === undefined || before === undefined ? undefined : after - before;

function report(runs: Record<"ours" | "naive" | "atOnce", Run[]>, completions: number): Section {
  const row = (what: string, side: readonly Run[], of: keyof Run, say: (value: number) => string) => {
    const figure = (all: readonly Run[]): number => median(all.map((one) => one[of] ?? Number.NaN));
    const pairs = side.map((one, i) => (one[of] ?? Number.NaN) / (runs.naive[i]?.[of] ?? Number.NaN));
    return { what, ours: say(figure(side)), naive: say(figure(runs.naive)), ratio: ratio(median(pairs)) };
  };
  const count = (value: number): string => value.toFixed(1);
  return {
    title: `Completion to ${TARGETS} publishes (median of ${runs.ours.length} x ${completions} completions)`,
    rows: [
      row("PUTs, first to last", runs.ours, "putsPerSecond", perSecond),
      row("tasks ended", runs.ours, "tasksPerSecond", perSecond),
      row("PUTs, job groups not one at a time", runs.atOnce, "putsPerSecond", perSecond),
      row("tasks ended, job groups not one at a time", runs.atOnce, "tasksPerSecond", perSecond),
      row("HTTP requests a task", runs.ours, "requestsPerTask", count),
      row("Redis commands a task", runs.ours, "redisCommandsPerTask", count),
      row("processor time a task", runs.ours, "cpuMsPerTask", millis),
      row("Redis' processor time a task", runs.ours, "redisCpuMsPerTask", millis),
    ],
    figures: runs,
  };
}
