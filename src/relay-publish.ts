import type { Job } from "bullmq";
import type { Logger } from "pino";
import { ZodError } from "zod";
import type { Metrics } from "./http/metrics.ts";
import type { Notices } from "./notifications/notices.ts";
import { logHandled } from "./outcome-log.ts";
import { PUBLISH_SETTINGS, type PublishDeps, type PublishPlatform } from "./processors/publish-task.ts";
import { publishToTarget } from "./processors/publish-to-target.ts";
import type { BreakerStore } from "./queues/breaker-store.ts";
import type { CompletionRecords } from "./queues/completion-record.ts";
import type { Connections } from "./queues/connections.ts";
import { type Keys, publishQueue } from "./queues/names.ts";
import type { Outcome, Run } from "./queues/outcome.ts";
import { parsePlan } from "./queues/payloads.ts";
import type { TaskRecord } from "./queues/record.ts";
import type { TaskRecords } from "./queues/task-record.ts";
import { refreshSummary } from "./relay-core.ts";
import { publishEventsOf } from "./relay-metrics.ts";
import type { RelayQueues } from "./relay-queues.ts";
import type { Targets } from "./relay-targets.ts";
import { isReplayed } from "./rules/lane.ts";
import type { PublishPlan } from "./rules/model.ts";
import { taskId, taskKey } from "./rules/task-identity.ts";

/** A queue is held back no longer at a time; whoever asks then holds it back again. */
const HOLD_MAX_MS = 5_000;
/** A record that cannot be read is looked at again so often. */
const UNREADABLE_MS = 60_000;

/** What publish tasks need of the process. */
export interface PublishParts {
  readonly connections: Connections;
  readonly keys: Keys;
  readonly queues: RelayQueues;
  readonly completions: CompletionRecords;
  readonly tasks: TaskRecords;
  readonly platform: PublishPlatform;
  /** How far apart the looks at a publish may become. */
  readonly followMaxMs: number;
  readonly breakers: BreakerStore;
  readonly metrics: Metrics;
  readonly notifier: { readonly notices: Notices };
  readonly targets: Pick<Targets, "find">;
  /** One turnstile per target that has a pace. */
  readonly turnOf: (target: string) => <T>(call: () => Promise<T>) => Promise<T>;
  readonly log: Logger;
}

/** Runs a publish task's job. */
export async function publish(deps: PublishParts, job: Job, run: Run, token: string): Promise<Outcome> {
  const startedAt = Date.now();
  const plan = readPlan(job);
  if (typeof plan === "string") {
    const refused: Outcome = { next: "fail", outcome: "failed", words: plan };
    logHandled(deps.log, "publish", { taskId: job.id, queue: job.queueName }, startedAt, refused);
    return refused;
  }
  // A replayed task that waits for the pace keeps nobody from asking.
  const inTurn = deps.targets.find(plan.target)?.rateLimit !== undefined && !isReplayed(plan);
  const turn = inTurn ? deps.turnOf(plan.target) : atOnce;
  const outcome = await publishToTarget(plan, { ...publishDepsOf(deps, plan, token), turn }, run).catch(
    (error: unknown) => unreadable(deps.log, plan, job, error),
  );
  await ended(deps, plan, job, outcome, startedAt);
  return outcome;
}

/** Tells of a task that was handled: the log, the summary of its job group. */
export async function ended(
  deps: PublishParts,
  plan: PublishPlan,
  job: Pick<Job, "id">,
  outcome: Outcome,
  startedAt: number,
): Promise<void> {
  logHandled(deps.log, "publish", factsOf(plan, job), startedAt, outcome);
  if (outcome.next !== "done" && outcome.next !== "fail") return;
  await tellOfEnd(deps.notifier.notices, plan, outcome);
  await refreshSummary(deps, plan.jobGroupId);
}

/** A parked one is told of when it is parked: its job may be run again as often as somebody likes. */
async function tellOfEnd(notices: Notices, plan: PublishPlan, outcome: Outcome): Promise<void> {
  if (outcome.next === "fail" && outcome.outcome === "failed") await notices.taskFailed(plan, outcome.words);
}

/** Only a publish that was sent shows that the target takes some again: not what a person decided, or what was found done. */
function tellOfPublish({ notifier }: PublishParts, { target }: PublishPlan, record: TaskRecord): void {
  if (record.state === "published" && record.submittingAt !== undefined)
    void notifier.notices.published(target);
}

/** A record that a newer version wrote is left alone: that version goes on with it. */
function unreadable(log: Logger, plan: PublishPlan, job: Job, error: unknown): Outcome {
  if (!(error instanceof ZodError)) throw error;
  log.error(
    { err: error, ...factsOf(plan, job) },
    "a task's record cannot be read, it may be of a newer version: it waits",
  );
  return { next: "later", inMs: UNREADABLE_MS };
}

/** What the publish of a plan can do, in a run that holds its job's lock with this token. */
export function publishDepsOf(deps: PublishParts, plan: PublishPlan, token: string): PublishDeps {
  const events = publishEventsOf(deps.metrics, plan);
  return {
    platform: deps.platform,
    hold: deps.tasks.hold(plan, token),
    park: async (parked, record) => {
      await park(deps.queues, parked, record);
      await deps.notifier.notices.taskParked(parked, record);
    },
    breaker: breakerOf(deps, plan.target),
    turn: atOnce,
    clock: { now: () => performance.now(), sleep, random: Math.random },
    events: { ...events, ended: (record) => (events.ended(record), tellOfPublish(deps, plan, record)) },
    settings: { ...PUBLISH_SETTINGS, followMaxMs: deps.followMaxMs },
  };
}

/** Without a pace there is nothing to stand in line for: one after the other, each would wait for the others' answers. */
const atOnce = <T>(call: () => Promise<T>): Promise<T> => call();

/** A target's breaker: when it opens, the whole fleet stops starting there. */
function breakerOf({ breakers, queues, log, notifier: { notices } }: PublishParts, target: string) {
  return {
    failed: async (words: string) => {
      const { failures, openMs } = await breakers.failed(target, words);
      if (openMs === 0) return;
      log.error(
        { target, failures, openMs, words },
        "the breaker of a target is open: nothing is started there, nothing is lost",
      );
      await queues.of(publishQueue(target)).rateLimit(Math.min(openMs, HOLD_MAX_MS));
      await notices.breakerOpen(target, failures, words);
    },
    succeeded: async () => {
      if (!(await breakers.succeeded(target))) return;
      log.info({ target }, "a target publishes again");
      await notices.breakerClosed(target);
    },
  };
}

function readPlan(job: Job): PublishPlan | string {
  let plan: PublishPlan;
  try {
    plan = parsePlan(job.data);
  } catch (error) {
    return `This task's data was changed and cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  const id = taskId(plan.jobGroupId, taskKey(plan));
  if (job.id === id) return plan;
  return `This job is a copy, or its data was changed: the task of this table is ${id}. Nothing was published`;
}

/** Puts a parked task where it waits for a decision; one that is there already is replaced by what is known now. */
export async function park(queues: RelayQueues, plan: PublishPlan, record: TaskRecord): Promise<void> {
  const jobId = taskId(plan.jobGroupId, taskKey(plan));
  await queues.parked.remove(jobId);
  const name = `jobGroup ${plan.jobGroupId} -> ${plan.target}.${plan.schema}.${plan.table} (${plan.action})`;
  await queues.parked.add(name, { ...plan, evidence: record.evidence }, { jobId });
}

const factsOf = (plan: PublishPlan, job: Pick<Job, "id">) => ({
  taskId: job.id,
  jobGroupId: plan.jobGroupId,
  target: plan.target,
  table: `${plan.schema}.${plan.table}`,
  action: plan.action,
  rule: plan.rule,
  rulesVersion: plan.rulesVersion,
});

/** Ends early, without an error, when the signal aborts. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
