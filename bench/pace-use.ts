import { Queue } from "bullmq";
import { Redis } from "ioredis";
import type { Arrivals } from "./children/stub-platform.ts";
import { mostInWindow, type Section } from "./figures.ts";
import { RELAY_PREFIX, type Site } from "./site.ts";

const TARGETS = 3;
const CONCURRENCY = 8;
const PUBLISH_MS = 50;
/** The start of two processes is not part of the pace. */
const SETTLE_MS = 2_000;

export interface Limit {
  readonly max: number;
  readonly perMs: number;
}

/** How much of three targets' pace two processes use on full queues, and that no window ever holds too many. */
export async function measurePaceUse(site: Site, limits: readonly Limit[], runMs: number): Promise<Section> {
  const rows = [];
  const figures = [];
  for (const limit of limits) {
    const { granted, arrived } = await run(site, limit, runMs);
    const used = arrived.map((times) => share(times, limit) * 100);
    const most = (targets: readonly number[][]): number =>
      Math.max(...targets.map((times) => mostInWindow(times, limit.perMs)));
    rows.push({
      what: `${limit.max} per ${limit.perMs / 1_000} s: used, most in a window granted / arrived`,
      ours: `${Math.min(...used).toFixed(1)} %, ${most(granted)} / ${most(arrived)}`,
      naive: "",
      ratio: "",
    });
    figures.push({ limit, usedPercent: used, mostGranted: most(granted), mostArrived: most(arrived) });
  }
  return {
    title: `Pace of ${TARGETS} targets on full queues, two processes, the target that used least (${runMs / 1_000} s)`,
    rows,
    figures,
  };
}

async function run(
  site: Site,
  limit: Limit,
  runMs: number,
): Promise<{ granted: number[][]; arrived: number[][] }> {
  await site.redis.flushall();
  await fill(site, Math.ceil((runMs / limit.perMs) * limit.max * 1.5) + 20);
  const stub = await site.startStub(PUBLISH_MS);
  stub.tell({ expect: 0 });
  const grants = await listenToGrants(site);
  const rules = {
    targets: TARGETS,
    concurrency: CONCURRENCY,
    rateLimit: { max: limit.max, per: `${limit.perMs}ms` },
  };
  const relays = await Promise.all([1, 2].map(() => site.startRelay(stub, "dispatch,publish", rules)));
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS + runMs));
  const { byConnection } = await stub.ask<Arrivals>({ tell: true });
  const granted = grants.stop();
  await Promise.all(relays.map((relay) => relay.stop()));
  await stub.stop();
  return { granted, arrived: Object.values(byConnection) };
}

/** The part of the pace that was used once all had begun. */
function share(times: readonly number[], { max, perMs }: Limit): number {
  const steady = times.filter((time) => time > (times[0] ?? 0) + SETTLE_MS);
  const spanMs = (steady.at(-1) ?? 0) - (steady[0] ?? 0);
  return ((steady.length - 1) / spanMs / max) * perMs;
}

async function fill({ redisUrl }: Site, count: number): Promise<void> {
  const queue = new Queue("completions", { connection: { url: redisUrl }, prefix: RELAY_PREFIX });
  await queue.addBulk(
    Array.from({ length: count }, (_, i) => ({
      name: "completion",
      data: { jobGroupId: i + 1, status: "Complete", labels: {} },
      opts: { jobId: `jobgroup-${i + 1}` },
    })),
  );
  await queue.close();
}

/** Hears every start that the script grants, on Redis' clock: it keeps only the last ones itself. */
async function listenToGrants({ redisUrl }: Site): Promise<{ stop: () => number[][] }> {
  const client = new Redis(redisUrl);
  const monitor = await client.monitor();
  const byTarget = new Map<string, number[]>();
  monitor.on("monitor", (_time: string, [command, key = "", dueUs]: string[]) => {
    if (command?.toLowerCase() !== "lpush" || !key.startsWith(`${RELAY_PREFIX}:pace:`)) return;
    byTarget.set(key, [...(byTarget.get(key) ?? []), Number(dueUs) / 1_000]);
  });
  return {
    stop: () => {
      monitor.disconnect();
      client.disconnect();
      return [...byTarget.values()];
    },
  };
}
