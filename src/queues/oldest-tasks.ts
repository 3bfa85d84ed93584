import type { Redis } from "ioredis";
import type { Keys } from "./names.ts";
import { registerScript, words } from "./script.ts";
import { OLDEST } from "./scripts/oldest.ts";

/** No more of the open tasks are looked at: Redis does nothing else meanwhile. */
const LOOK_AT = 5_000;

/**
 * Tells how old the oldest task of each queue is that has not ended and is not parked, in milliseconds by queue. A
 * queue without one, or whose oldest is not among the 5,000 oldest of all, is left out.
 */
export type OldestTasks = (queues: readonly string[]) => Promise<ReadonlyMap<string, number>>;

/** Looks at the open tasks on this connection. */
export function createOldestTasks(redis: Redis, keys: Keys): OldestTasks {
  const oldest = registerScript(redis, "relayOldest", OLDEST, 1);
  return async (queues) => {
    const told = words(await oldest([keys.open], [keys.prefix, LOOK_AT, ...queues]));
    return new Map(queues.flatMap((queue) => agesOf(told, queue)));
  };
}

function agesOf(told: readonly string[], queue: string): [string, number][] {
  const at = told.findIndex((word, i) => i % 2 === 0 && word === queue);
  return at === -1 ? [] : [[queue, Number(told[at + 1])]];
}
