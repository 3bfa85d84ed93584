import type { RecordedTask } from "../queues/completion-record.ts";
import type { TaskRecord } from "../queues/record.ts";
import type { PublishPlan } from "../rules/model.ts";
import { taskId, taskKey } from "../rules/task-identity.ts";
import { hasJobEnded } from "./job-status.ts";
import type { PlatformJob } from "./publish-task.ts";

/** A person's word on a parked task. */
export interface ParkedDecision {
  /** `published`: the rows are in the table. `again`: they are not, publish once more. */
  readonly outcome: "published" | "again";
  readonly reason: string;
  readonly by: string;
}

export type Resolved =
  | {
      readonly kind: "resolved";
      readonly jobGroupId: number;
      readonly task: { readonly id: string; readonly state: string; readonly words: string };
    }
  | { readonly kind: "unknown" }
  | { readonly kind: "refused"; readonly detail: string };

export interface ResolveDeps {
  readonly read: (jobGroupId: number) => Promise<{ readonly tasks: readonly RecordedTask[] }>;
  /** Writes the record if it still reads `shown`; false when it does not. */
  readonly decide: (plan: PublishPlan, shown: string, record: TaskRecord) => Promise<boolean>;
  /** The platform's words when it does not answer. */
  readonly listJobs: (jobGroupId: number) => Promise<readonly PlatformJob[] | string>;
  /** Takes the task out of the queue in which it waits for a decision. */
  readonly unpark: (taskId: string) => Promise<void>;
  /** Puts the task on its target's queue once more. */
  readonly again: (plan: PublishPlan) => Promise<void>;
  /** Lets the task's job, which failed when it was parked, end as the record says now. */
  readonly conclude: (plan: PublishPlan) => Promise<void>;
  readonly now: () => number;
}

/** Carries out a person's decision on a parked task; who decided and why is kept in the record. */
export async function resolveParked(
  id: string,
  decision: ParkedDecision,
  deps: ResolveDeps,
): Promise<Resolved> {
  const jobGroupId = Number(/^jobgroup-(\d+)-/.exec(id)?.[1]);
  if (!Number.isSafeInteger(jobGroupId)) return { kind: "unknown" };
  const { tasks } = await deps.read(jobGroupId);
  const task = tasks.find(({ plan }) => taskId(jobGroupId, taskKey(plan)) === id);
  if (!task) return { kind: "unknown" };
  if (task.record.state !== "parked") {
    // A decision before may have been cut off before it took the task out of the queue.
    await deps.unpark(id);
    return {
      kind: "refused",
      detail: `Task ${id} is ${task.record.state}, not parked: there is nothing to decide`,
    };
  }

  const answer = await deps.listJobs(jobGroupId);
  const listed = typeof answer === "string" ? [] : answer;
  if (decision.outcome === "again") {
    if (typeof answer === "string") {
      return {
        kind: "refused",
        detail: `Before a publish is sent again the platform has to tell which publish jobs there are, and it does not answer: ${answer}`,
      };
    }
    const detail = notAgain(task, listed, tasks);
    if (detail !== undefined) return { kind: "refused", detail };
  }
  const record = decided(task.record, decision, listed, tasks, deps.now());
  if (!(await deps.decide(task.plan, task.json, record))) {
    return { kind: "refused", detail: `Task ${id} changed just now: look at it again, then decide` };
  }
  if (decision.outcome === "again") await deps.again(task.plan);
  else await deps.conclude(task.plan);
  await deps.unpark(id);
  return { kind: "resolved", jobGroupId, task: { id, state: record.state, words: record.words ?? "" } };
}

/** Why nothing may be sent again just now: a publish that may be this task's still runs, or has arrived meanwhile. */
function notAgain(
  { record }: RecordedTask,
  listed: readonly PlatformJob[],
  tasks: readonly RecordedTask[],
): string | undefined {
  const publishes = listed.filter(({ jobType }) => jobType === "publish");
  const others = tasks.flatMap((task) => (task.record === record ? [] : task.record.publishJobs));
  const running = publishes.find(({ id, status }) => !others.includes(id) && !hasJobEnded(status));
  if (running) {
    return `Publish job ${running.id} of this job group is "${running.status}": if it is this task's, it may still write the table. Cancel it on the platform or wait for its end, then decide`;
  }
  const arrived = publishes.find(
    ({ id, status }) => record.publishJobs.includes(id) && status === "Complete",
  );
  return (
    arrived &&
    `Publish job ${arrived.id}, which is this task's, is complete now: its rows are there. Decide "published"`
  );
}

/**
 * Whoever decides has seen the publish jobs that the platform lists: those that no task owns are explained from now
 * on, as this task's own (published) or as somebody else's (again).
 */
function decided(
  record: TaskRecord,
  { outcome, reason, by }: ParkedDecision,
  listed: readonly PlatformJob[],
  tasks: readonly RecordedTask[],
  at: number,
): TaskRecord {
  const owned = tasks.flatMap((task) => task.record.publishJobs);
  const strange = listed
    .filter(({ id, jobType }) => jobType === "publish" && !owned.includes(id))
    .map(({ id }) => id);
  const decisions = [...(record.decisions ?? []), { outcome, reason, by, at }];
  const words = `${by} decided: ${outcome === "published" ? "it is published" : "publish again"}. ${reason}`;
  if (outcome === "published") {
    const publishJobs = [...record.publishJobs, ...strange];
    return { ...record, state: "published", publishJobs, decisions, words, endedAt: at };
  }
  return {
    v: record.v,
    state: "planned",
    attempts: 0,
    crashes: 0,
    waits: 0,
    answeredMs: 0,
    publishJobs: record.publishJobs,
    foreign: [...(record.foreign ?? []), ...strange],
    decisions,
    words,
  };
}
