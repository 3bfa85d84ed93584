import { randomUUID } from "node:crypto";
import { everyMinute } from "./every-minute.ts";
import { followOnly } from "./processors/publish-to-target.ts";
import { reopen } from "./producers/report-completion.ts";
import type { RecordedTask } from "./queues/completion-record.ts";
import { createGroupIndex } from "./queues/group-index.ts";
import { inTime } from "./queues/in-time.ts";
import { type Borrow, createLoans } from "./queues/loan.ts";
import { createTellStep } from "./queues/steps.ts";
import { createSweep, type Stray } from "./queues/sweep.ts";
import { ended, park, publishDepsOf } from "./relay-publish.ts";
import type { WorkerDeps } from "./relay-workers.ts";
import { completionId, taskKey } from "./rules/task-identity.ts";

/** A completion that was reported so long ago and not dispatched may have lost its job. */
const UNHANDLED_AFTER_MS = 30_000;
/** A publish whose job lies in a paused queue is followed for so long at a time, on a lock that outlives it. */
const FOLLOW_MS = 45_000;
const LOAN_MS = 60_000;
const FOLLOW_CLOSE_MS = 2_000;

/**
 * Now and each minute: brings back the jobs of open tasks, and completions that nobody dispatches, and follows the
 * publishes whose jobs lie in paused queues. The function it returns ends that.
 */
export function startSweeps(deps: WorkerDeps): () => Promise<void> {
  const { queues, completions, log } = deps;
  const sweep = createSweep(deps.connections.work, deps.keys);
  const borrow = createLoans(deps.connections.work);
  const groups = createGroupIndex(deps.connections.work, deps.keys);
  const stopped = new AbortController();
  const followed = new Set<Promise<void>>();

  async function once(): Promise<void> {
    await sweep((stray) =>
      mend(stray).catch((error: unknown) =>
        log.error({ err: error, ...stray }, "an open task cannot be looked after: the others go on"),
      ),
    );
    await groups.forgetGone();
    for (const id of await completions.unhandled(Date.now() - UNHANDLED_AFTER_MS)) {
      await reopen(queues.completions, completionId(id));
    }
  }

  async function mend(stray: Stray): Promise<void> {
    const { why, queue, jobId, jobGroupId, field } = stray;
    const { tasks } = await completions.read(jobGroupId);
    const task = tasks.find(({ plan }) => `task:${taskKey(plan)}` === field);
    if (!task) return;
    if (why === "paused") {
      if (stopped.signal.aborted) return;
      const work = followPaused({ ...deps, borrow }, stray, task, stopped.signal)
        .catch((error: unknown) => log.warn({ err: error, jobId }, "a publish could not be followed"))
        .finally(() => followed.delete(work));
      followed.add(work);
      return;
    }
    log.warn({ why, queue, jobId }, "an open task had no job that brings it on: it has one now");
    if (why === "parked") return park(queues, task.plan, task.record);
    if (why === "ended") await queues.of(queue).remove(jobId);
    await deps.fanOut.add(jobGroupId, [task.plan]);
  }

  const stopSweeps = everyMinute("the sweep", once, log);
  return async () => {
    stopped.abort(new Error("The process stops"));
    await stopSweeps();
    await inTime(Promise.all(followed), FOLLOW_CLOSE_MS);
  };
}

/**
 * A paused queue gives no job away; but a publish of it that runs keeps its job group from going on, and somebody
 * has to see its end. Nothing is started here.
 */
async function followPaused(
  deps: WorkerDeps & { readonly borrow: Borrow },
  { queue, jobId }: Stray,
  { plan }: RecordedTask,
  stopped: AbortSignal,
): Promise<void> {
  const job = await deps.queues.of(queue).getJob(jobId);
  if (!job) return;
  const token = `sweep-${randomUUID()}`;
  const giveBack = await deps.borrow(deps.keys.queue(queue, `${jobId}:lock`), token, LOAN_MS);
  if (!giveBack) return;
  const enough = new AbortController();
  const stop = (): void => enough.abort(stopped.reason);
  stopped.addEventListener("abort", stop, { once: true });
  const timer = setTimeout(stop, FOLLOW_MS);
  const ignore = (): void => undefined;
  const tellStep = createTellStep(deps.connections.work, deps.queues.of(queue));
  try {
    const startedAt = Date.now();
    const outcome = await followOnly(plan, publishDepsOf(deps, plan, token), {
      // The job's own run comes later, and finds what was found here: nobody asks for another try with it.
      stalls: job.stalledCounter - 1,
      signal: enough.signal,
      tell: (words) => void tellStep(jobId, words).catch(ignore),
      show: (progress) => void job.updateProgress(progress).catch(ignore),
    });
    if (outcome) await ended(deps, plan, job, outcome, startedAt);
  } finally {
    clearTimeout(timer);
    stopped.removeEventListener("abort", stop);
    await giveBack();
  }
}
