import type { Logger } from "pino";
import type { Metrics } from "./http/metrics.ts";
import type { BreakerStore } from "./queues/breaker-store.ts";
import type { GateStore } from "./queues/gate-store.ts";
import type { Watch } from "./queues/watched-worker.ts";

/** A worker that takes nothing for so long, though it could, is made anew. */
export const STUCK_AFTER_MS = 60_000;

export interface WatchParts {
  readonly gate: Pick<GateStore, "look">;
  readonly breakers: Pick<BreakerStore, "look">;
  readonly metrics: Pick<Metrics, "workerStuck">;
  readonly log: Logger;
  readonly stuckAfterMs: number;
}

/** How the worker of a queue is watched; `target`: it publishes there. */
export type WatchOf = (queue: string, target?: string) => Watch;

/** Builds the watch over a process' workers: while the gate is shut or a breaker open, nothing is asked of them. */
export function createWatchOf({ gate, breakers, metrics, log, stuckAfterMs }: WatchParts): WatchOf {
  return (queue, target) => ({
    stuckAfterMs,
    mayRun: async () =>
      (await gate.look()).ms === 0 && (target === undefined || !(await breakers.look(target)).open),
    onStuck: () => {
      metrics.workerStuck(queue);
      log.error({ queue }, "a worker takes no jobs though there are some: it is made anew");
    },
  });
}
