import type { RecordedTask } from "../queues/completion-record.ts";
import type { NoticeEntry, NoticeStore, Trouble } from "../queues/notice-store.ts";
import type { OpenTasks } from "../queues/open-tasks.ts";
import { formatDuration } from "../rules/duration.ts";
import type { Target } from "../rules/model.ts";
import type { Notices } from "./notices.ts";

export interface LookDeps {
  readonly store: Pick<NoticeStore, "standing" | "sumUp" | "outbox">;
  readonly notices: Pick<Notices, "freshnessMissed" | "taskParked" | "completionsWait" | "recovered">;
  readonly send: (entry: NoticeEntry) => Promise<void>;
  readonly targets: () => readonly Target[];
  /** What stands open of each target's tasks; late by these goals, in milliseconds. */
  readonly openTasks: (goals: ReadonlyMap<string, number>) => Promise<ReadonlyMap<string, OpenTasks>>;
  /** Job groups whose completions were reported before this time (epoch milliseconds) and not dispatched, the first in front. */
  readonly unhandled: (beforeMs: number) => Promise<readonly number[]>;
  readonly tasksOf: (jobGroupId: number) => Promise<readonly Pick<RecordedTask, "plan" | "record">[]>;
  readonly isGateShut: () => Promise<boolean>;
  readonly isBreakerOpen: (target: string) => Promise<boolean>;
}

/**
 * A completion that is not dispatched for so long is told: longer than dispatch waits for the platform to know a job
 * group before it ends as unknown (15 minutes, and up to a quarter more until the next look).
 */
const WAITS_LONG_MS = 20 * 60_000;

/**
 * Finds what no event tells of, or told of before a process died: tasks that were parked, freshness goals that are missed, completions that wait, troubles that ended unseen, summaries that are due, and
 * notifications that a process did not bring on their way before it died.
 */
export async function look(deps: LookDeps): Promise<void> {
  const { store, notices, send } = deps;
  const goals = new Map(
    deps
      .targets()
      .flatMap(({ name, freshnessMs }) => (freshnessMs === undefined ? [] : [[name, freshnessMs]])),
  );
  const standing = await store.standing();
  const open = await deps.openTasks(goals);
  for (const jobGroupId of new Set([...open.values()].flatMap(({ untold = [] }) => untold))) {
    for (const { plan, record } of await deps.tasksOf(jobGroupId)) {
      if (record.state === "parked") await notices.taskParked(plan, record);
    }
  }
  for (const [target, goalMs] of goals) {
    const { late = 0, oldest } = open.get(target) ?? {};
    if (oldest) await notices.freshnessMissed(target, lateFacts(goalMs, late, oldest));
  }
  const [first, ...others] = await deps.unhandled(Date.now() - WAITS_LONG_MS);
  if (first !== undefined) await notices.completionsWait(waitFacts(first, others.length + 1));
  for (const trouble of standing) {
    if (await isOver(deps, { open, waits: first !== undefined }, trouble)) await notices.recovered(trouble);
  }
  await store.sumUp();
  for (const entry of await store.outbox()) await send(entry);
}

function lateFacts(goalMs: number, late: number, oldest: NonNullable<OpenTasks["oldest"]>) {
  const { finishedAt, jobGroupId, taskId } = oldest;
  const finished = new Date(finishedAt).toISOString();
  const many = late === 1 ? "1 open task is" : `${late} open tasks are`;
  return {
    why: `${many} over the goal of ${formatDuration(goalMs)}, the oldest of job group ${jobGroupId}, which finished at ${finished}`,
    jobGroupId,
    task: taskId,
    late,
    goal: formatDuration(goalMs),
  };
}

function waitFacts(jobGroupId: number, waiting: number) {
  const many = waiting === 1 ? "1 was" : `${waiting} were`;
  const causes = `the queue completions may be paused or behind, the platform away, or the job group not ended yet`;
  return {
    why: `${many} reported over ${formatDuration(WAITS_LONG_MS)} ago, the first of job group ${jobGroupId}; ${causes}`,
    jobGroupId,
    waiting,
  };
}

async function isOver(
  deps: LookDeps,
  { open, waits }: { readonly open: ReadonlyMap<string, OpenTasks>; readonly waits: boolean },
  { kind, target = "" }: Trouble,
): Promise<boolean> {
  const { parked = 0, late = 0 } = open.get(target) ?? {};
  switch (kind) {
    case "task.failed":
    case "completion.failed":
      // Only one that goes well shows it.
      return false;
    case "task.parked":
      return parked === 0;
    case "freshness.missed":
      return late === 0;
    case "breaker.open":
      return !(await deps.isBreakerOpen(target));
    case "completion.waits":
      return !waits;
    case "gate.shut":
      return !(await deps.isGateShut());
  }
}
