import { inTime } from "./in-time.ts";
import { isRunnable } from "./runnable.ts";
import { createWorker, type RunningWorker, type WorkerOptions } from "./worker.ts";

/** When a worker counts as stuck, and who is told. */
export interface Watch {
  /** So long something was runnable, and this process' worker took nothing. */
  readonly stuckAfterMs: number;
  /** False while jobs are held back on purpose, so that nothing is to be expected of the worker. */
  readonly mayRun: () => Promise<boolean>;
  /** Told each time, before the worker is made anew. */
  readonly onStuck: () => void;
}

/** Counted in looks, not by the clock: a process that was frozen has not watched. */
const LOOKS = 12;
/** A look that takes longer says nothing of the worker: it is Redis that does not answer. */
const LOOK_MAX_MS = 5_000;

/**
 * A worker that is watched: one that takes no job though it could is left behind, and another takes its place. What the
 * old one runs is handed over.
 */
export function createWatchedWorker(options: WorkerOptions, watch: Watch): RunningWorker {
  const { queue, connection, onError } = options;
  let { concurrency } = options;
  let current = createWorker(options);
  const leaving = new Set<Promise<void>>();
  let takenBefore = 0;
  let inARow = 0;
  let stuck = false;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  async function look(): Promise<void> {
    const asked = couldTake();
    const limitMs = Math.min(LOOK_MAX_MS, watch.stuckAfterMs);
    if (!(await inTime(asked, limitMs)))
      throw new Error(`Redis did not tell within ${limitMs} ms how the queue ${queue.name} stands`);
    const could = await asked;
    if (closed) return;
    if (!could || current.taken() !== takenBefore) {
      takenBefore = current.taken();
      inARow = 0;
      stuck = false;
      return;
    }
    inARow++;
    if (inARow >= LOOKS) renew();
  }

  const couldTake = async (): Promise<boolean> =>
    current.hasRoom() && (await isRunnable(queue, connection)) && (await watch.mayRun());

  function renew(): void {
    stuck = true;
    watch.onStuck();
    const left: Promise<void> = current
      .abandon()
      .catch(onError)
      .finally(() => leaving.delete(left));
    leaving.add(left);
    current = createWorker({ ...options, concurrency });
    takenBefore = 0;
    inARow = 0;
  }

  function lookLater(): void {
    timer = setTimeout(() => {
      look()
        .catch((error: unknown) => {
          // Nothing is known of this moment.
          inARow = 0;
          onError(error instanceof Error ? error : new Error(String(error)));
        })
        .finally(() => {
          if (!closed) lookLater();
        });
    }, watch.stuckAfterMs / LOOKS);
  }
  lookLater();

  return {
    isRunning: () => current.isRunning(),
    isStuck: () => stuck,
    setConcurrency: (next) => {
      concurrency = next;
      current.setConcurrency(next);
    },
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await Promise.all([current.close(), ...leaving]);
    },
  };
}
