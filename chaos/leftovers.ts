import { Queue } from "bullmq";
import { summariseJobGroup } from "../src/processors/summarise-job-group.ts";
import { COMPLETIONS, JOB_GROUPS, PARKED, publishQueue } from "../src/queues/names.ts";
import { hasEnded } from "../src/rules/task-state.ts";
import { type PlannedGroup, TARGETS } from "./plan.ts";
import type { Site } from "./site.ts";

const RUNNING = ["active", "waiting", "prioritized", "delayed", "waiting-children"] as const;

/** What the relay should not have left when nothing runs any more; a line each. */
export async function findLeftovers(
  site: Site,
  groups: readonly PlannedGroup[],
  parked: number,
): Promise<string[]> {
  return [
    ...(await inQueues(site, groups, parked)),
    ...(await inKeys(site, parked)),
    ...(await inRecords(site, groups)),
  ];
}

/** Nothing runs or waits; the parents of job groups have all ended, with what the record says. */
async function inQueues(site: Site, groups: readonly PlannedGroup[], parked: number): Promise<string[]> {
  const left: string[] = [];
  for (const name of [COMPLETIONS, JOB_GROUPS, ...TARGETS.map((target) => publishQueue(target.name))]) {
    const queue = openQueue(site, name);
    const counts = await queue.getJobCounts(...RUNNING);
    for (const [state, n] of Object.entries(counts)) if (n > 0) left.push(`${n} ${state} in ${name}`);
    await queue.close();
  }
  const waiting = openQueue(site, PARKED);
  const shown = (await waiting.getJobCounts("waiting"))["waiting"];
  if (shown !== parked) left.push(`${shown} in the queue of parked tasks, ${parked} in the records`);
  await waiting.close();

  const stale: number[] = [];
  for (const { jobGroupId } of groups) {
    const parent = site.keys.queue(JOB_GROUPS, `jobgroup-${jobGroupId}`);
    const told = await site.redis.hget(parent, "returnvalue");
    const { words } = summariseJobGroup((await site.records.read(jobGroupId)).tasks);
    if (told === null || (JSON.parse(told) as { words: string }).words !== words) stale.push(jobGroupId);
  }
  if (stale.length > 0) left.push(`the parent of job group ${list(stale)} does not say what the record says`);
  return left;
}

/** No key of ours names somebody who waits, holds or is open. */
async function inKeys({ redis, keys }: Site, parked: number): Promise<string[]> {
  const left: string[] = [];
  const all = await redis.keys(`${keys.prefix}:*`);
  for (const [what, key] of [
    ["waiters of job groups", /:waiters:/],
    ["orders of tables", /\}:table:/],
    ["locks", /:lock$/],
  ] as const) {
    const found = all.filter((name) => key.test(name));
    if (found.length > 0) left.push(`${found.length} ${what}: ${list(found)}`);
  }
  const open = await redis.zcard(keys.open);
  if (open !== parked) left.push(`${open} tasks are listed as open, ${parked} are parked`);
  const unhandled = await redis.zcard(keys.unhandled);
  if (unhandled > 0) left.push(`${unhandled} completions are listed as not dispatched`);
  return left;
}

async function inRecords({ records }: Site, groups: readonly PlannedGroup[]): Promise<string[]> {
  const open: number[] = [];
  for (const { jobGroupId } of groups) {
    const { tasks } = await records.read(jobGroupId);
    if (tasks.some(({ record }) => !hasEnded(record.state))) open.push(jobGroupId);
  }
  return open.length > 0 ? [`job groups with open tasks: ${list(open)}`] : [];
}

function openQueue({ redis, keys }: Site, name: string): Queue {
  const queue = new Queue(name, { connection: redis, prefix: keys.prefix });
  queue.on("error", () => undefined);
  return queue;
}

const SHOWN = 5;
const list = (all: readonly (string | number)[]): string =>
  [...all.slice(0, SHOWN), ...(all.length > SHOWN ? [`and ${all.length - SHOWN} more`] : [])].join(", ");
