import { DelayedError, type Job, type Queue, UnrecoverableError, WaitingError, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { inTime } from "./in-time.ts";
import { isReplayed } from "../rules/lane.ts";
import type { Outcome, Run } from "./outcome.ts";
import { createTellStep, type TellStep } from "./steps.ts";

/** A worker that dies is noticed after the lock plus two checks: 8 s + 2 x 3 s, so within 15 s. */
const LOCK_MS = 8_000;
const STALLED_CHECK_MS = 3_000;
/** BullMQ's guard would fail a task for good after this many crashes; ours parks it long before. */
const NEVER_BY_STALLS = 1_000_000;
/** The board draws how many jobs of a queue ended in each of so many minutes: a day. */
const MINUTES_CHARTED = 24 * 60;
/** After this the jobs that still run are left to another process. */
const CLOSE_MS = 11_000;
const CLOSE_WITHOUT_REDIS_MS = 500;

/** The error that makes BullMQ run a job again after `inMs`. */
class AgainError extends Error {
  readonly inMs: number;
  constructor(words: string, inMs: number) {
    super(words);
    this.inMs = inMs;
  }
}

export interface WorkerOptions {
  readonly queue: Queue;
  readonly connection: Redis;
  readonly concurrency: number;
  readonly handle: (job: Job, run: Run, token: string) => Promise<Outcome>;
  /** Called when a job has ended well. */
  readonly onCompleted?: (job: Job) => Promise<void>;
  /** Told of errors that no job is to blame for: connections, locks. */
  readonly onError: (error: Error) => void;
}

export interface RunningWorker {
  readonly isRunning: () => boolean;
  /** It took no job though it could, and its place was taken by another that has taken none yet. */
  readonly isStuck: () => boolean;
  /** How many jobs this process runs at once from now on; those beyond it end as they would. */
  readonly setConcurrency: (concurrency: number) => void;
  /** Takes no new job, asks those that run to hand over, and waits for them up to 11 s. */
  readonly close: () => Promise<void>;
}

/** A worker as whoever watches it sees it. */
export interface BareWorker extends Omit<RunningWorker, "isStuck"> {
  /** How many jobs it has taken so far. */
  readonly taken: () => number;
  /** Could it run one more job than it does? */
  readonly hasRoom: () => boolean;
  /** For one that may never end by itself: asks its jobs to hand over, waits for them up to 11 s, and leaves it. */
  readonly abandon: () => Promise<void>;
}

/** The one place where a handler's outcome becomes BullMQ's instructions. */
export function createWorker(options: WorkerOptions): BareWorker {
  const { queue, connection, concurrency, handle, onError } = options;
  const tellStep = createTellStep(connection, queue);
  /** One for each job that runs. (`AbortSignal.any` keeps what it made as long as the process lives.) */
  const running = new Set<AbortController>();
  /** What runs, up to what BullMQ was told of its end. */
  const following = new Set<Promise<object>>();
  let taken = 0;
  let stopped: Error | undefined;

  const worker = new Worker(
    queue.name,
    (job, token = "") => {
      const followed = runJob(job, token).finally(() => following.delete(followed));
      following.add(followed);
      return followed;
    },
    {
      connection,
      prefix: queue.opts.prefix ?? "bull",
      concurrency,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: NEVER_BY_STALLS,
      metrics: { maxDataPoints: MINUTES_CHARTED },
      settings: {
        backoffStrategy: (_attempts, _type, error) => (error instanceof AgainError ? error.inMs : 5_000),
      },
    },
  );
  worker.on("error", onError);
  worker.on("active", () => taken++);
  const { onCompleted } = options;
  if (onCompleted) worker.on("completed", (job) => void onCompleted(job).catch(onError));

  async function runJob(job: Job, token: string): Promise<object> {
    const controller = new AbortController();
    if (stopped) controller.abort(stopped);
    running.add(controller);
    const { run, flush } = runOf(job, controller.signal, tellStep);
    const outcome = await handle(job, run, token)
      .catch(afterRedisTrouble)
      .finally(() => {
        running.delete(controller);
        flush();
      });
    if (outcome.next === "hold") wakeAfter(worker, outcome.ms, onError);
    return follow(queue, job, token, outcome);
  }

  const handOver = (why: string): void => {
    stopped = new Error(why);
    for (const controller of running) controller.abort(stopped);
  };

  async function close(): Promise<void> {
    const closed = worker.close();
    handOver("The process stops");
    // With Redis away there is nothing to hand over to.
    const limitMs = connection.status === "ready" ? CLOSE_MS : CLOSE_WITHOUT_REDIS_MS;
    if (await inTime(closed, limitMs)) return;
    // The worker's own connection alone: `disconnect` would end the one that all share.
    await inTime(worker.getBackend().close(true), CLOSE_WITHOUT_REDIS_MS);
  }

  async function abandon(): Promise<void> {
    // It takes nothing more when a job of it ends.
    await worker.pause(true);
    handOver("The worker is made anew");
    await inTime(Promise.allSettled(following), CLOSE_MS);
    await inTime(worker.close(true), CLOSE_WITHOUT_REDIS_MS);
  }

  let closing: Promise<void> | undefined;
  return {
    isRunning: () => worker.isRunning(),
    taken: () => taken,
    hasRoom: () => running.size < worker.concurrency,
    abandon,
    setConcurrency: (next) => {
      if (worker.concurrency === next) return;
      const more = next > worker.concurrency;
      worker.concurrency = next;
      if (more) wakeAfter(worker, 0, onError);
    },
    close: () => (closing ??= close()),
  };
}

/** Redis is full, loading, or read-only: the job is not to blame, and no attempt is used. */
const REDIS_TROUBLE = /^(OOM|LOADING|READONLY|MISCONF|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS)\b/;
const AFTER_TROUBLE_MS = 2_000;

function afterRedisTrouble(error: unknown): Outcome {
  if (error instanceof Error && REDIS_TROUBLE.test(error.message))
    return { next: "later", inMs: AFTER_TROUBLE_MS };
  throw error;
}

/** BullMQ's loop looks at the end of a hold, or at a limit that was raised, only when nothing runs or something ends: pausing and going on wakes it. */
function wakeAfter(worker: Worker, ms: number, onError: (error: Error) => void): void {
  const timer = setTimeout(() => {
    if (worker.closing || worker.isPaused()) return;
    worker
      .pause(true)
      .then(() => worker.resume())
      .catch(onError);
  }, ms + 1);
  timer.unref();
}

/** Of pictures that follow each other closely only the last is drawn. */
const DRAW_AFTER_MS = 250;

function runOf(job: Job, signal: AbortSignal, tellStep: TellStep): { run: Run; flush: () => void } {
  // A picture or a line that is lost does no harm: the record is the truth.
  const ignore = (): void => undefined;
  let words = "";
  let picture: Parameters<Run["show"]>[0] | undefined;
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (words !== "" || picture) tellStep(job.id ?? "", words, picture).catch(ignore);
    words = "";
    picture = undefined;
  };
  const run: Run = {
    stalls: job.stalledCounter,
    signal,
    // With the picture that is shown along with it.
    tell: (line) => {
      if (words !== "") flush();
      words = line;
      queueMicrotask(flush);
    },
    show: (progress) => {
      picture = progress;
      timer ??= setTimeout(flush, DRAW_AFTER_MS);
    },
  };
  return { run, flush };
}

async function follow(queue: Queue, job: Job, token: string, outcome: Outcome): Promise<object> {
  switch (outcome.next) {
    case "done":
      return outcome.value;
    case "fail":
      throw new UnrecoverableError(outcome.words);
    case "retry":
      await standBehind(job);
      // An operator's retry of a job whose attempts are used up is one run; our own count may allow more.
      if (job.attemptsMade + 1 < (job.opts.attempts ?? 1)) throw new AgainError(outcome.words, outcome.inMs);
      await job.moveToDelayed(Date.now() + outcome.inMs, token);
      throw new DelayedError();
    case "later":
      await standBehind(job);
      await job.moveToDelayed(Date.now() + outcome.inMs, token);
      if (outcome.lookAgain && (await outcome.lookAgain())) await wake(queue, job.id ?? "");
      throw new DelayedError();
    case "hold":
      // A job that was woken stands in the list that goes before all others, where it would keep those that were
      // handed over from their turn.
      if (job.priority === 0) await job.changePriority({ priority: 1 });
      await queue.rateLimit(outcome.ms);
      throw Worker.RateLimitError();
    case "hand-over":
      if (!outcome.inTurn) await job.changePriority({ priority: 0 });
      await job.moveToWait(token);
      throw new WaitingError();
    case "lost":
      await job.moveToDelayed(Date.now() + 1_000, token).catch(() => undefined);
      throw new DelayedError();
  }
}

/** A replayed job that was handed over in the middle of its work stood in front for that alone. */
async function standBehind(job: Job): Promise<void> {
  const { priority = 0 } = job.opts;
  if (job.priority === 0 && isReplayed({ priority })) await job.changePriority({ priority });
}

/**
 * Brings a job that sleeps to the front of its queue, or, if it was replayed, behind all that were not. One that does
 * not sleep, or is gone, is left as it is: it will ask by itself.
 */
export async function wake(queue: Queue, jobId: string): Promise<void> {
  const backend = queue.getBackend();
  const client = await backend.client;
  const priority = Number(await client.hget(queue.toKey(jobId), "priority"));
  // Both in one round trip; Redis takes them in this order.
  const done = await Promise.allSettled([
    ...(priority === 0 || isReplayed({ priority }) ? [] : [backend.changePriority(jobId, 0)]),
    backend.promote(jobId),
  ]);
  for (const one of done) {
    if (one.status === "fulfilled") continue;
    const error: unknown = one.reason;
    if (!(error instanceof Error && /Missing|not in the delayed/i.test(error.message))) throw error;
  }
}
