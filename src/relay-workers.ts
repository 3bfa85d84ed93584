import type { Job } from "bullmq";
import type { Logger } from "pino";
import { type DispatchDeps, dispatchCompletion } from "./processors/dispatch-completion.ts";
import { PUBLISH_SETTINGS, type PublishPlatform } from "./processors/publish-task.ts";
import { publishToTarget } from "./processors/publish-to-target.ts";
import { summariseJobGroup } from "./processors/summarise-job-group.ts";
import type { Report } from "./producers/accept-report.ts";
import { reopen } from "./producers/report-completion.ts";
import { type ParsedReport, parseReport } from "./producers/report.ts";
import type { Metrics } from "./http/metrics.ts";
import type { BreakerStore } from "./queues/breaker-store.ts";
import type { CompletionRecords } from "./queues/completion-record.ts";
import type { Connections } from "./queues/connections.ts";
import { type Keys, publishQueue } from "./queues/names.ts";
import type { Outcome, Run } from "./queues/outcome.ts";
import { parsePlan } from "./queues/payloads.ts";
import type { TaskRecord } from "./queues/record.ts";
import type { TaskRecords } from "./queues/task-record.ts";
import { createWorker, type RunningWorker } from "./queues/worker.ts";
import { refreshSummary } from "./relay-core.ts";
import type { RelayQueues } from "./relay-queues.ts";
import type { PublishPlan, Rules, Target } from "./rules/model.ts";
import { completionId, taskId, taskKey } from "./rules/task-identity.ts";

/** A queue is held back no longer at a time; whoever asks then holds it back again. */
const HOLD_MAX_MS = 5_000;
/** A completion that could not be handled comes again: soon at first, then each minute. */
const KEEP_FIRST_MS = 2_000;
const KEEP_MAX_MS = 60_000;
/** Dispatch and summaries are short; so many run at once in a process. */
const SHORT_JOBS = 32;

export interface WorkerDeps {
  readonly connections: Connections;
  readonly keys: Keys;
  readonly queues: RelayQueues;
  readonly completions: CompletionRecords;
  readonly tasks: TaskRecords;
  readonly report: Report;
  readonly platform: PublishPlatform & DispatchDeps["platform"];
  readonly dispatch: Pick<DispatchDeps, "rules" | "fanOut">;
  readonly rules: Rules;
  /** How far apart the looks at a publish may become. */
  readonly followMaxMs: number;
  readonly breakers: BreakerStore;
  readonly metrics: Pick<Metrics, "ended">;
  /** One turnstile per target that has a pace. */
  readonly turnOf: (target: string) => <T>(call: () => Promise<T>) => Promise<T>;
  readonly log: Logger;
  /** Told of errors that no job is to blame for. */
  readonly onError: (error: Error) => void;
}

/** The workers of dispatch: completions, and the parents of job groups. */
export function startDispatchWorkers(deps: WorkerDeps): RunningWorker[] {
  const { connections, queues, completions, log, platform, dispatch } = deps;
  const common = { connection: connections.work, concurrency: SHORT_JOBS, onError: deps.onError };
  return [
    createWorker({
      ...common,
      queue: queues.completions,
      handle: (job, run) =>
        keep(job, log, async () => {
          const jobGroupId = await takeIn(deps, job);
          if (typeof jobGroupId !== "number") {
            // Its sender may have asked for a failed message to be removed: then this line is all that is left of it.
            if (jobGroupId.next === "fail") log.warn({ job: job.id, ...jobGroupId }, "a message was refused");
            return jobGroupId;
          }
          const records = completions;
          const startedAt = Date.now();
          const outcome = await dispatchCompletion(
            jobGroupId,
            { platform, records, now: Date.now, ...dispatch },
            run,
          );
          logHandled(log, "dispatch", { jobGroupId }, startedAt, outcome);
          return outcome;
        }),
      // A report may have come between the end of the dispatch and the end of its job.
      onCompleted: async (job) => {
        const id = jobGroupOf(job);
        if (id && (await completions.isUnhandled(id))) await reopen(queues.completions, completionId(id));
      },
    }),
    createWorker({
      ...common,
      queue: queues.jobGroups,
      handle: async (job) => {
        const { jobGroupId } = job.data as { jobGroupId: number };
        const { tasks } = await completions.read(jobGroupId);
        return { next: "done", value: summariseJobGroup(tasks) };
      },
    }),
  ];
}

/** One worker per target. */
export function startPublishWorkers(deps: WorkerDeps): RunningWorker[] {
  const { connections, queues, rules } = deps;
  return rules.targets.map((target) =>
    createWorker({
      connection: connections.work,
      queue: queues.of(publishQueue(target.name)),
      concurrency: target.concurrency,
      onError: deps.onError,
      handle: (job, run, token) => publish(deps, job, run, token, target),
    }),
  );
}

/**
 * A message may come from any BullMQ client, under any id: it is a report like all others. Answers the job group to
 * dispatch, or an outcome when this job is not the one that dispatches it.
 */
async function takeIn(deps: WorkerDeps, job: Job): Promise<number | Outcome> {
  const { merged, data } = readMessage(job.data);
  const own = jobGroupOf(job);
  const parsed = parseReport(data, "message");
  if (parsed.kind === "report" && parsed.report.jobGroupId === own) {
    if (merged) await deps.completions.ensure(own);
    else {
      await deps.completions.merge(own, { ...parsed.report, ...deliveryOf(job) });
      // Run once more, it must not undo what later reports brought.
      await job.updateData({ ...(data as object), merged: true });
    }
    return own;
  }
  const outcome = await takeElsewhere(deps, parsed, job);
  // The job has the id of a job group that was reported well, and the data of something else: the report counts.
  if (own === undefined || !(await deps.completions.isUnhandled(own))) return outcome;
  await job.updateData({ jobGroupId: own, merged: true });
  return own;
}

/** `merged` is our own mark on a message that the record holds already; it is no label. */
function readMessage(data: unknown): { merged: boolean; data: unknown } {
  if (typeof data !== "object" || data === null || Array.isArray(data)) return { merged: false, data };
  const { merged, ...rest } = data as { merged?: unknown };
  return { merged: merged === true, data: rest };
}

async function takeElsewhere(deps: WorkerDeps, parsed: ParsedReport, job: Job): Promise<Outcome> {
  switch (parsed.kind) {
    case "malformed":
      return { next: "fail", outcome: "failed", words: `This message was not understood: ${parsed.detail}` };
    case "test":
      return { next: "done", value: { outcome: "test", words: "A test delivery: nothing to publish" } };
    case "report": {
      const { completion, duplicate } = await deps.report({ ...parsed.report, ...deliveryOf(job) });
      return { next: "done", value: { outcome: "merged", completion, duplicate } };
    }
  }
}

/** A message's delivery is its job. */
const deliveryOf = ({ id }: Job): { delivery?: string } => (id === undefined ? {} : { delivery: id });

/** The job group whose completion a job is, by its id. */
function jobGroupOf({ id = "" }: Job): number | undefined {
  const jobGroupId = Number(/^jobgroup-([1-9]\d*)$/.exec(id)?.[1]);
  return Number.isSafeInteger(jobGroupId) ? jobGroupId : undefined;
}

/** Whatever goes wrong on our side, a report is not lost by it: the job comes again, also one that has no attempts. */
async function keep(job: Job, log: Logger, handle: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await handle();
  } catch (error) {
    const inMs = Math.min(KEEP_FIRST_MS * job.attemptsStarted, KEEP_MAX_MS);
    log.error({ err: error, job: job.id, inMs }, "a completion could not be handled: it comes again");
    return { next: "later", inMs };
  }
}

async function publish(
  deps: WorkerDeps,
  job: Job,
  run: Run,
  token: string,
  { rateLimit }: Target,
): Promise<Outcome> {
  const plan = readPlan(job);
  if (typeof plan === "string") return { next: "fail", outcome: "failed", words: plan };
  const startedAt = Date.now();
  const outcome = await publishToTarget(
    plan,
    {
      platform: deps.platform,
      hold: deps.tasks.hold(plan, token),
      park: (parked, record) => park(deps.queues, parked, record),
      breaker: breakerOf(deps, plan.target),
      turn: rateLimit ? deps.turnOf(plan.target) : atOnce,
      clock: { now: () => performance.now(), sleep, random: Math.random },
      settings: { ...PUBLISH_SETTINGS, followMaxMs: deps.followMaxMs },
    },
    run,
  );
  logHandled(deps.log, "publish", factsOf(plan, job), startedAt, outcome);
  if (outcome.next === "done" || outcome.next === "fail") {
    deps.metrics.ended(
      plan.target,
      outcome.next === "fail" ? outcome.outcome : String(Reflect.get(outcome.value, "outcome")),
    );
    await refreshSummary(deps, plan.jobGroupId);
  }
  return outcome;
}

/** Without a pace there is nothing to stand in line for: one after the other, each would wait for the others' answers. */
const atOnce = <T>(call: () => Promise<T>): Promise<T> => call();

/** A target's breaker: when it opens, the whole fleet stops starting there. */
function breakerOf({ breakers, queues, log }: WorkerDeps, target: string) {
  return {
    failed: async (words: string) => {
      const { failures, openMs } = await breakers.failed(target, words);
      if (openMs === 0) return;
      log.error(
        { target, failures, openMs, words },
        "the breaker of a target is open: nothing is started there, nothing is lost",
      );
      await queues.of(publishQueue(target)).rateLimit(Math.min(openMs, HOLD_MAX_MS));
    },
    succeeded: async () => {
      await breakers.succeeded(target);
      log.info({ target }, "a target publishes again");
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
async function park(queues: RelayQueues, plan: PublishPlan, record: TaskRecord): Promise<void> {
  const jobId = taskId(plan.jobGroupId, taskKey(plan));
  await queues.parked.remove(jobId);
  const name = `jobGroup ${plan.jobGroupId} -> ${plan.target}.${plan.schema}.${plan.table} (${plan.action})`;
  await queues.parked.add(name, { ...plan, evidence: record.evidence }, { jobId });
}

/** Brings back the jobs of open tasks, and completions that nobody dispatches. */
export function createSweeper(deps: WorkerDeps, sweep: SweepAll): () => Promise<void> {
  const { queues, completions, log } = deps;
  return async () => {
    await sweep(async ({ why, queue, jobId, jobGroupId, field }) => {
      const { tasks } = await completions.read(jobGroupId);
      const task = tasks.find(({ plan }) => `task:${taskKey(plan)}` === field);
      if (!task) return;
      log.warn({ why, queue, jobId }, "an open task had no job that brings it on: it has one now");
      if (why === "parked") return park(queues, task.plan, task.record);
      if (why === "ended") await queues.of(queue).remove(jobId);
      await deps.dispatch.fanOut.add(jobGroupId, [task.plan]);
    });
    for (const id of await completions.unhandled(Date.now() - UNHANDLED_AFTER_MS)) {
      await reopen(queues.completions, completionId(id));
    }
  };
}

type SweepAll = (
  found: (stray: {
    why: "gone" | "ended" | "parked";
    queue: string;
    jobId: string;
    jobGroupId: number;
    field: string;
  }) => Promise<void>,
) => Promise<void>;

/** A completion that was reported so long ago and not dispatched may have lost its job. */
const UNHANDLED_AFTER_MS = 30_000;

const factsOf = (plan: PublishPlan, job: Job) => ({
  taskId: job.id,
  jobGroupId: plan.jobGroupId,
  target: plan.target,
  table: `${plan.schema}.${plan.table}`,
  action: plan.action,
  rule: plan.rule,
  rulesVersion: plan.rulesVersion,
});

function logHandled(log: Logger, stage: string, facts: object, startedAt: number, outcome: Outcome): void {
  const fields = { stage, ...facts, durationMs: Date.now() - startedAt, ...outcome };
  switch (outcome.next) {
    case "done":
      log.info(fields, `${stage} ended`);
      break;
    case "fail":
      log.error(fields, `${stage} failed`);
      break;
    case "retry":
      log.warn(fields, `${stage} is tried again`);
      break;
    case "later":
    case "hold":
    case "hand-over":
    case "lost":
      log.debug(fields, `${stage} waits`);
  }
}

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
