import type { Redis } from "ioredis";
import type { Keys } from "./names.ts";

/** How long ago the oldest completion was reported that is not dispatched yet, in milliseconds; 0: there is none. */
export async function oldestCompletionMs(redis: Redis, keys: Keys): Promise<number> {
  const [[, atUs], [seconds]] = await Promise.all([
    redis.zrange(keys.unhandled, "0", "0", "WITHSCORES"),
    redis.time(),
  ]);
  return atUs === undefined ? 0 : Math.max(0, Number(seconds) * 1_000 - Number(atUs) / 1_000);
}
