import type { Job } from "bullmq";
import type { Logger } from "pino";
import type { Notices } from "./notifications/notices.ts";
import { logHandled } from "./outcome-log.ts";
import { type DispatchDeps, dispatchCompletion } from "./processors/dispatch-completion.ts";
import type { PublishPlatform } from "./processors/publish-task.ts";
import { summariseJobGroup } from "./processors/summarise-job-group.ts";
import type { Report } from "./producers/accept-report.ts";
import { reopen } from "./producers/report-completion.ts";
import { type ParsedReport, parseReport } from "./producers/report.ts";
import type { CompletionRecords, RememberedReport } from "./queues/completion-record.ts";
import type { Outcome } from "./queues/outcome.ts";
import { createWatchedWorker } from "./queues/watched-worker.ts";
import type { RunningWorker, WorkerOptions } from "./queues/worker.ts";
import { refreshSummary } from "./relay-core.ts";
import type { PublishParts } from "./relay-publish.ts";
import type { Targets } from "./relay-targets.ts";
import type { WatchOf } from "./relay-watch.ts";
import { completionId } from "./rules/task-identity.ts";

/** A completion that could not be handled comes again: soon at first, then each minute. */
const KEEP_FIRST_MS = 2_000;
const KEEP_MAX_MS = 60_000;
/** Dispatch and summaries are short; so many run at once in a process. */
const SHORT_JOBS = 32;

export interface WorkerDeps extends PublishParts {
  readonly targets: Pick<Targets, "find" | "list" | "onChange">;
  readonly report: Report;
  readonly platform: PublishPlatform & DispatchDeps["platform"];
  readonly fanOut: DispatchDeps["fanOut"];
  /** The rules in force at this moment; undefined: there are none yet. */
  readonly rulesNow: () => DispatchDeps["rules"] | undefined;
  readonly watchOf: WatchOf;
  /** Told of errors that no job is to blame for. */
  readonly onError: (error: Error) => void;
}

/** The workers of dispatch: completions, and the parents of job groups. */
export function startDispatchWorkers(deps: WorkerDeps): RunningWorker[] {
  const { connections, queues, completions, log, platform, fanOut, rulesNow } = deps;
  const common = { connection: connections.work, concurrency: SHORT_JOBS, onError: deps.onError };
  const watched = (options: WorkerOptions) => createWatchedWorker(options, deps.watchOf(options.queue.name));
  return [
    watched({
      ...common,
      queue: queues.completions,
      handle: (job, run) =>
        keep(job, log, async () => {
          const startedAt = Date.now();
          const jobGroupId = await takeIn(deps, job);
          if (typeof jobGroupId !== "number") {
            // Its sender may have asked for a failed message to be removed: then this line is all that is left of it.
            const fields = {
              stage: "message",
              job: job.id,
              durationMs: Date.now() - startedAt,
              ...jobGroupId,
            };
            if (jobGroupId.next === "fail") log.warn(fields, "a message was refused");
            else log.debug(fields, "a message ended");
            return jobGroupId;
          }
          const { records, newest } = rememberReport(completions);
          // One dispatch goes by one set of rules, whatever the file becomes meanwhile.
          const rules = rulesNow();
          if (!rules) throw new Error("There are no rules");
          const outcome = await dispatchCompletion(
            jobGroupId,
            { platform, records, now: Date.now, rules, fanOut },
            run,
          );
          const became = outcomeOf(outcome);
          if (became !== undefined) deps.metrics.completion(became);
          await refreshSummary(deps, jobGroupId);
          logHandled(log, "dispatch", { jobGroupId, ...newest() }, startedAt, outcome);
          await tellOfDispatch(deps.notifier.notices, jobGroupId, outcome);
          return outcome;
        }),
      // A report may have come between the end of the dispatch and the end of its job.
      onCompleted: async (job) => {
        const id = jobGroupOf(job);
        if (id && (await completions.isUnhandled(id))) await reopen(queues.completions, completionId(id));
      },
    }),
    watched({
      ...common,
      queue: queues.jobGroups,
      handle: async (job) => {
        const startedAt = Date.now();
        const { jobGroupId } = job.data as { jobGroupId: number };
        const { tasks, completion } = await completions.read(jobGroupId);
        const outcome: Outcome = { next: "done", value: summariseJobGroup(tasks, completion) };
        logHandled(log, "job group", { jobGroupId }, startedAt, outcome);
        return outcome;
      },
      // What came between the look at the record and the end of the job.
      onCompleted: (job) => refreshSummary(deps, (job.data as { jobGroupId: number }).jobGroupId),
    }),
  ];
}

/** Reads the record, made anew if it is gone. What a dispatch reads tells the log also which report it goes by, without another question to Redis. */
function rememberReport(completions: CompletionRecords) {
  let reports: readonly RememberedReport[] = [];
  const read: CompletionRecords["read"] = async (id) => {
    let found = await completions.read(id);
    if (!found.completion) {
      // Redis may have come back without its last second.
      await completions.ensure(id);
      found = await completions.read(id);
    }
    reports = found.completion?.reports ?? [];
    return found;
  };
  const newest = () => {
    const { source, delivery } = reports.at(-1) ?? {};
    return { source, delivery };
  };
  return { records: { ...completions, read }, newest };
}

async function tellOfDispatch(notices: Notices, jobGroupId: number, outcome: Outcome): Promise<void> {
  if (outcome.next === "fail") await notices.completionFailed(jobGroupId, outcome.words);
  if (outcome.next === "done" && Reflect.get(outcome.value, "outcome") === "dispatched")
    await notices.dispatched();
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
    if (!merged) {
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

/** What became of a completion; undefined while its dispatch has not ended. */
function outcomeOf(outcome: Outcome): string | undefined {
  if (outcome.next === "fail") return outcome.outcome;
  return outcome.next === "done" ? String(Reflect.get(outcome.value, "outcome")) : undefined;
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
