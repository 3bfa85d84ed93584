import type { Redis } from "ioredis";
import type { Keys } from "./names.ts";
import { registerScript, words } from "./script.ts";
import { OLDEST } from "./scripts/oldest.ts";

/** So many are looked at in one step: Redis does nothing else meanwhile. */
const STEP = 5_000;
/** No more of the open tasks are looked at. */
const LOOK_AT = 50_000;

/**
 * Tells how old the oldest task of each queue is that has not ended and is not parked, in milliseconds by queue; 0 for a
 * queue without one. One that is not found among the 50,000 oldest of all is left out: it is not known.
 */
export type OldestTasks = (queues: readonly string[]) => Promise<ReadonlyMap<string, number>>;

/** Looks at the open tasks on this connection. */
export function createOldestTasks(redis: Redis, keys: Keys, step = STEP, most = LOOK_AT): OldestTasks {
  const oldest = registerScript(redis, "relayOldest", OLDEST, 1);
  return async (queues) => {
    const ages = new Map<string, number>();
    for (let from = 0; from < most; from += step) {
      const missing = queues.filter((queue) => !ages.has(queue));
      if (missing.length === 0) break;
      const [end, ...told] = words(await oldest([keys.open], [keys.prefix, from, step, ...missing]));
      for (let i = 0; i < told.length; i += 2) ages.set(told[i] ?? "", Number(told[i + 1]));
      if (end !== "1") continue;
      for (const queue of missing) if (!ages.has(queue)) ages.set(queue, 0);
    }
    return ages;
  };
}
