import { pino } from "pino";
import { readConfig } from "../../src/config.ts";
import type { ReplayLine } from "../../src/processors/replay-line.ts";
import { keysOf } from "../../src/queues/names.ts";
import { runReplay, type ReplayArguments } from "../../src/replay-command.ts";
import { hasEnded } from "../../src/rules/task-state.ts";
import { eventually } from "./eventually.ts";
import { openRedis } from "./redis.ts";
import type { Site } from "./relay.ts";

interface Told {
  readonly ok: boolean;
  readonly summary: string;
  readonly lines: readonly ReplayLine[];
}

/** What the command answers with `--json`. */
export async function replay(
  site: Site,
  args: Partial<ReplayArguments>,
  onWait: (ms: number) => void = () => {},
): Promise<Told> {
  const all = { failed: false, force: false, yes: false, json: true, by: "ada", ...args };
  const log = pino({ level: "silent" });
  const { text, ok } = await runReplay(all, readConfig({ ...site.env }), log, undefined, { onWait });
  return { ...(JSON.parse(text) as Omit<Told, "ok">), ok };
}

/** `finance new -> publish`, in the order of the targets' names. */
export const inShort = (lines: readonly ReplayLine[]): string[] =>
  lines.map(({ task, state, does }) => `${task?.target ?? "-"} ${state} -> ${does}`).sort();

/** Resolves once all tasks of the job groups have ended. */
export async function allEnded(site: Site, ids: readonly number[], timeoutMs = 20_000): Promise<void> {
  await eventually(
    async () => {
      const tasks = (await Promise.all(ids.map((id) => site.tasks(id)))).flat();
      const open = tasks.filter(({ record }) => !hasEnded(record.state));
      if (open.length > 0) throw new Error(JSON.stringify(open.map(({ plan, record }) => [plan, record])));
      return true;
    },
    { timeoutMs, what: "the end of all tasks" },
  );
}

/** BullMQ's retention has removed all jobs of a job group. */
export async function evictJobs(site: Site, jobGroupId: number, targets: readonly string[]): Promise<void> {
  const tasks = await site.tasks(jobGroupId);
  for (const target of targets) {
    const queue = site.queue(`publish.${target}`);
    const jobs = await queue.getJobs();
    for (const job of jobs) if (job.data.jobGroupId === jobGroupId) await job.remove();
  }
  for (const name of ["job-groups", "completions"]) await site.queue(name).remove(`jobgroup-${jobGroupId}`);
  if (tasks.length === 0) throw new Error(`job group ${jobGroupId} had no tasks`);
}

/** And the ledger's retention has removed its record. */
export async function evictRecord(site: Site, jobGroupId: number, targets: readonly string[]): Promise<void> {
  await evictJobs(site, jobGroupId, targets);
  const keys = keysOf(site.namespace);
  const redis = openRedis(site.env["REDIS_URL"]);
  await redis.del(keys.group(jobGroupId));
  for (const key of await redis.keys(`${keys.prefix}:newest:*`)) await redis.del(key);
}
