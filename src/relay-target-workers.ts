import { publishQueue } from "./queues/names.ts";
import { createWatchedWorker } from "./queues/watched-worker.ts";
import type { RunningWorker } from "./queues/worker.ts";
import { publish } from "./relay-publish.ts";
import type { KnownTarget } from "./queues/known-targets.ts";
import type { WorkerDeps } from "./relay-workers.ts";

/** One worker per target, as long as there is the target. */
export interface TargetWorkers {
  /** Starts and ends workers so that each of these targets has one, with the concurrency that it has now. */
  readonly follow: (targets: readonly KnownTarget[]) => void;
  readonly all: () => readonly RunningWorker[];
  /** For good: what runs is handed over. */
  readonly close: () => Promise<void>;
}

/** The publish workers of this process; none until `follow`. */
export function createTargetWorkers(deps: WorkerDeps): TargetWorkers {
  const workers = new Map<string, RunningWorker>();
  const closing = new Set<Promise<void>>();
  let closed = false;

  const start = ({ name, concurrency }: KnownTarget): RunningWorker =>
    createWatchedWorker(
      {
        connection: deps.connections.work,
        queue: deps.queues.of(publishQueue(name)),
        concurrency,
        onError: deps.onError,
        handle: (job, run, token) => publish(deps, job, run, token),
      },
      deps.watchOf(publishQueue(name), name),
    );

  const end = (name: string, worker: RunningWorker): void => {
    workers.delete(name);
    const done: Promise<void> = worker
      .close()
      .catch(deps.onError)
      .finally(() => closing.delete(done));
    closing.add(done);
  };

  return {
    follow: (targets) => {
      if (closed) return;
      const names = new Set(targets.map(({ name }) => name));
      for (const [name, worker] of workers) if (!names.has(name)) end(name, worker);
      for (const target of targets) {
        const worker = workers.get(target.name);
        if (worker) worker.setConcurrency(target.concurrency);
        else workers.set(target.name, start(target));
      }
    },
    all: () => [...workers.values()],
    close: async () => {
      closed = true;
      for (const [name, worker] of workers) end(name, worker);
      await Promise.all(closing);
    },
  };
}
