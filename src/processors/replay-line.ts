import type { PublishPlan } from "../rules/model.ts";
import { taskId, taskKey } from "../rules/task-identity.ts";

/** How a task stands to a replay; `no-rule`, `note`, `refused` and `unknown` are also said of a whole job group. */
export const REPLAY_STATES = [
  /** It was not published before. */
  "new",
  "failed",
  "published",
  "running",
  "waiting",
  "parked",
  /** A newer job group comes first in its table. */
  "superseded",
  /** It cannot be done, whatever else is asked for; the words say what to do. */
  "refused",
  /** The platform did not tell just now: another time it may. */
  "unknown",
  "no-rule",
  /** Something that the rules say beside. */
  "note",
] as const;

/** What is done: a publish request is sent; or the task is run and finds its results in the table; or nothing. */
export const REPLAY_ENDS = ["publish", "note as published", "nothing"] as const;

/** What a replay does with one task, or why it does nothing with a job group. */
export interface ReplayLine {
  readonly jobGroupId: number;
  readonly state: (typeof REPLAY_STATES)[number];
  readonly does: (typeof REPLAY_ENDS)[number];
  readonly words: string;
  readonly task?: {
    readonly id: string;
    readonly rule: string;
    readonly target: string;
    readonly schema: string;
    readonly table: string;
    readonly action: string;
  };
  /** After a replay that was not dry: was it put to the queue? */
  readonly done?: boolean;
}

/** A line about a task, or, without its plan, about the job group. */
export function lineOf(
  jobGroupId: number,
  state: ReplayLine["state"],
  does: ReplayLine["does"],
  words: string,
  plan?: PublishPlan,
): ReplayLine {
  if (!plan) return { jobGroupId, state, does, words };
  const { rule, target, schema, table, action } = plan;
  const id = taskId(jobGroupId, taskKey(plan));
  return { jobGroupId, state, does, words, task: { id, rule, target, schema, table, action } };
}

/** In one sentence, what a replay does or has done. */
export function summariseReplay(lines: readonly ReplayLine[], dryRun: boolean): string {
  const groups = new Set(lines.map(({ jobGroupId }) => jobGroupId)).size;
  const acted = lines.filter((line) => (dryRun ? line.does !== "nothing" : line.done === true)).length;
  const counts = new Map<string, number>();
  for (const { state } of lines) if (state !== "note") counts.set(state, (counts.get(state) ?? 0) + 1);
  const states = [...counts].map(([state, n]) => `${n} ${state}`).join(", ");
  const what = `${acted} ${acted === 1 ? "task" : "tasks"} of ${groups} ${groups === 1 ? "job group" : "job groups"}`;
  return `${dryRun ? `Would replay ${what}` : `Replayed ${what}`}${states && ` (${states})`}`;
}
