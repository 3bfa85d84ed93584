import { type GateReason, LostTaskError, PlatformError } from "../errors.ts";
import type { Outcome, Run } from "../queues/outcome.ts";
import type { TaskRecord } from "../queues/record.ts";
import type { TaskState } from "../rules/task-state.ts";
import type { Sibling, TaskHold } from "../queues/task-record.ts";
import type { WaitCause } from "../queues/waits.ts";
import type { PublishPlan } from "../rules/model.ts";
import { taskId, taskKey } from "../rules/task-identity.ts";

/** A sub-job of a job group, as far as a publish needs to know it. */
export interface PlatformJob {
  readonly id: number;
  readonly status: string;
  readonly jobType: string;
  readonly percentComplete?: number;
  /** Epoch milliseconds of the platform's clock. */
  readonly createdAt?: number;
  readonly updatedAt?: number;
  readonly error?: string;
}

/** A table that the platform says was written with a job group's results. */
export interface OutputTable {
  readonly path: readonly string[];
  readonly table: string;
  /** Is it in the database of the plan's connection? Absent when the platform does not say. */
  readonly place?: "ours" | "elsewhere";
}

/** What a publish asks of the platform. */
export interface PublishPlatform {
  listJobs(jobGroupId: number, signal?: AbortSignal): Promise<readonly PlatformJob[]>;
  /** Job groups in which a publish of this plan may show as a run of its own. */
  listOwnGroups(plan: PublishPlan, signal?: AbortSignal): Promise<readonly number[]>;
  listTables(plan: PublishPlan, signal?: AbortSignal): Promise<readonly OutputTable[]>;
  /** Sends the PUT at most once; `guard` is asked at the last moment before anything leaves the process. */
  publish(
    jobGroupId: number,
    body: PublishBody,
    guard: { mayStillSend(): boolean },
    signal?: AbortSignal,
  ): Promise<{ readonly jobGroupId?: number; readonly requestId?: string }>;
}

/** The body of the PUT. Source: the platform's task page "Publish results" and its endpoint page (`flowNodeId`). */
export interface PublishBody {
  readonly connection: { readonly id: number };
  readonly path: readonly string[];
  readonly table: string;
  readonly action: string;
  readonly inputFormat: string;
  readonly flowNodeId?: number;
}

export interface PublishDeps {
  readonly platform: PublishPlatform;
  readonly hold: TaskHold;
  /** Puts the task where it waits for a person. */
  readonly park: (plan: PublishPlan, record: TaskRecord) => Promise<void>;
  /** The target's circuit breaker. */
  readonly breaker: { failed(words: string): Promise<void>; succeeded(): Promise<void> };
  /** Runs one such call of a target at a time in this process, in the order in which they came. */
  readonly turn: <T>(call: () => Promise<T>) => Promise<T>;
  readonly clock: {
    /** Milliseconds that never go back and do not stop while the process is frozen. */
    now(): number;
    /** Ends early, without an error, when the signal aborts. */
    sleep(ms: number, signal: AbortSignal): Promise<void>;
    random(): number;
  };
  readonly events: PublishEvents;
  readonly settings: PublishSettings;
}

/** Why a publish is sent once more. From "busy" on no attempt is used up. */
export type RetryReason =
  | "job-failed"
  | "not-applied"
  | "not-started"
  | "cannot-tell"
  | "platform-error"
  | "busy"
  | "not-sent"
  | GateReason;

/** Told of what becomes of a publish, once each time it happens, for whoever counts. */
export interface PublishEvents {
  /** A PUT is sent now. */
  readonly started: () => void;
  readonly retried: (why: RetryReason) => void;
  /** The task ended, and its record says so. */
  readonly ended: (record: TaskRecord) => void;
}

export interface PublishSettings {
  /** The PUT may leave the process only so long after its state was written. */
  readonly sendWindowMs: number;
  /** A PUT in flight is waited for so long when the process stops. */
  readonly stopGraceMs: number;
  readonly followFirstMs: number;
  readonly followMaxMs: number;
  /** Whoever waits for a job group or a table is woken; this is only for a wake-up that was lost. */
  readonly waitFallbackMs: number;
}

export const PUBLISH_SETTINGS: PublishSettings = {
  sendWindowMs: 3_000,
  stopGraceMs: 8_000,
  followFirstMs: 100,
  followMaxMs: 5_000,
  waitFallbackMs: 15_000,
};

/** One run of one publish task: its plan, its record as last written, and what the run may do. */
export interface PublishTask extends PublishDeps {
  readonly plan: PublishPlan;
  readonly run: Run;
  /** The record as it was last written. */
  record: TaskRecord;
  /** Names this life of Redis; empty when it does not tell. */
  readonly redisLife: string;
  /** The target failed before this task started: its success is news to the breaker. */
  probes: boolean;
  /** Redis' clock, epoch milliseconds, kept on by this process' own: never behind it, ahead by `aheadMs` at most. */
  readonly nowMs: () => number;
  /** The other tasks of the job group; asked only while this one has it. */
  readonly listSiblings: () => Promise<readonly Sibling[]>;
  /** So long the claim took, in which Redis told its time: a process may be frozen meanwhile. */
  readonly aheadMs: number;
}

/** Writes the next state, and only then goes on from it. */
export async function save(
  task: PublishTask,
  state: TaskState,
  change: Partial<TaskRecord> = {},
  letGo?: boolean,
  waitsFor?: WaitCause,
): Promise<void> {
  const next: TaskRecord = { ...task.record, ...change, state };
  await task.hold.write([task.record.state], next, letGo, waitsFor);
  task.record = next;
}

/**
 * Gives the job group free: the task is where it was before it was admitted, and knows nothing of that sending. From
 * now on it waits for `waitsFor`.
 */
export async function release(
  task: PublishTask,
  waitsFor: WaitCause,
  change: Partial<TaskRecord> = {},
  letGo = true,
): Promise<void> {
  const rest = { ...task.record };
  delete rest.baseline;
  delete rest.submittingAt;
  delete rest.redisLife;
  delete rest.sendableUntil;
  delete rest.submittedAt;
  delete rest.publishJobId;
  delete rest.shownIn;
  delete rest.endedAt;
  delete rest.endedStalls;
  delete rest.notBefore;
  delete rest.saysBusy;
  delete rest.putWords;
  task.record = rest;
  await save(task, "planned", change, letGo, waitsFor);
}

/**
 * Ends the task; `words` say why in one sentence. What an earlier attempt may have written is not called failed:
 * that is for a person.
 */
export async function end(
  task: PublishTask,
  state: "published" | "failed" | "superseded",
  words: string,
  change: Partial<TaskRecord> = {},
): Promise<Outcome> {
  if (state === "failed" && task.record.untold) {
    task.record = { ...task.record, ...change };
    return park(task, `${words}; an earlier attempt may have been applied, and nothing tells`);
  }
  await save(task, state, {
    ...change,
    words,
    endedAt: Math.round(task.nowMs()),
    endedStalls: task.run.stalls,
  });
  task.events.ended(task.record);
  task.run.tell(words);
  task.run.show({ progress: 100, stage: state, words });
  if (state === "failed") return { next: "fail", outcome: "failed", words };
  return { next: "done", value: { outcome: state, words } };
}

/** Leaves the task to a person, with all that is known: what was sent and when, what the platform lists now, and why. */
export async function park(task: PublishTask, why: string): Promise<Outcome> {
  const { plan, run, record } = task;
  const { submittingAt, submittedAt, baseline, publishJobId, requestId } = record;
  const id = taskId(plan.jobGroupId, taskKey(plan));
  const words = `Parked: ${why}. Decide with: publish-relay resolve ${id} --published | --again --reason "..."`;
  await save(task, "parked", {
    words: why,
    endedAt: Math.round(task.nowMs()),
    evidence: {
      why,
      sent: bodyOf(plan),
      submittingAt: timeOf(submittingAt),
      submittedAt: timeOf(submittedAt),
      baseline,
      publishJobId,
      requestId,
      listed: await listForPerson(task),
    },
  });
  task.events.ended(task.record);
  await task.park(plan, task.record);
  run.tell(words);
  run.show({ progress: 100, stage: "parked", words: why });
  return { next: "fail", outcome: "parked", words };
}

async function listForPerson({ plan, platform, run, record, nowMs }: PublishTask): Promise<object> {
  const groups = [plan.jobGroupId, ...(record.shownIn === undefined ? [] : [record.shownIn])];
  try {
    const [tables, ...lists] = await Promise.all([
      platform.listTables(plan, run.signal),
      ...groups.map((id) => platform.listJobs(id, run.signal)),
    ]);
    const jobs = lists
      .flat()
      .filter(({ jobType }) => jobType === "publish")
      .map((job) => ({ ...job, createdAt: timeOf(job.createdAt), updatedAt: timeOf(job.updatedAt) }));
    return { at: timeOf(Math.round(nowMs())), jobs, tables };
  } catch (error) {
    return { unknown: platformFailure(error).message };
  }
}

/** As people read it. */
const timeOf = (at: number | undefined): string | undefined =>
  at === undefined ? undefined : new Date(at).toISOString();

/**
 * Uses up an attempt: again after the backoff, or the end when none is left.
 * Nothing of the attempt reached the table, so it may be sent again.
 */
export async function useAttempt(
  task: PublishTask,
  why: RetryReason,
  words: string,
  atLeastMs = 0,
): Promise<Outcome> {
  const attempts = task.record.attempts + 1;
  await task.breaker.failed(words);
  if (attempts >= task.plan.attempts) {
    return end(task, "failed", `${words} (attempt ${attempts} of ${task.plan.attempts})`, { attempts });
  }
  const asked = Math.max(atLeastMs, (task.record.notBefore ?? 0) - task.nowMs());
  const inMs = Math.round(Math.max(backoffMs(task.plan, attempts, task.clock.random()), asked));
  await release(task, "retry", { attempts, words });
  task.events.retried(why);
  task.run.tell(`${words}; attempt ${attempts} of ${task.plan.attempts}, again in ${seconds(inMs)}`);
  task.run.show({ progress: 0, stage: "waits to try again", words, attempts });
  return { next: "retry", inMs, words };
}

/** First the floor, then doubling up to the cap, plus 0-20 %: a backoff is a promise, so jitter only adds. */
function backoffMs(plan: PublishPlan, attempts: number, random: number): number {
  const { floorMs, capMs } = plan.backoff;
  return Math.round(Math.min(floorMs * 2 ** (attempts - 1), capMs) * (1 + 0.2 * random));
}

/** Stops in the middle: the record stays as it is, and another process goes on from there. */
export const handOver = (): Outcome => ({ next: "hand-over" });

export function bodyOf(plan: PublishPlan): PublishBody {
  return {
    connection: { id: plan.connection },
    path: [plan.schema],
    table: plan.table,
    action: plan.action,
    inputFormat: plan.format,
    ...(plan.flowNodeId !== undefined && { flowNodeId: plan.flowNodeId }),
  };
}

/** The failure of a platform call; anything else is a mistake of ours or a lost task, and goes on up. */
export function platformFailure(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  throw error;
}

export const isLost = (error: unknown): boolean => error instanceof LostTaskError;

export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
