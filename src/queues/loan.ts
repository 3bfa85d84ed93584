import type { Redis } from "ioredis";
import { registerScript } from "./script.ts";

/** Gives back a lock that is still ours. KEYS: lock. ARGV: token. */
const GIVE_BACK = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`;

/** Takes the lock of a job that no worker runs; undefined when somebody has it. */
export type Borrow = (lock: string, token: string, ms: number) => Promise<(() => Promise<void>) | undefined>;

/**
 * Lends the locks of jobs. A worker that takes a job takes its lock too, whoever has it, and then nothing can be written
 * with ours any more.
 */
export function createLoans(redis: Redis): Borrow {
  const giveBack = registerScript(redis, "relayGiveBack", GIVE_BACK, 1);
  return async (lock, token, ms) => {
    if ((await redis.set(lock, token, "PX", ms, "NX")) === null) return undefined;
    return async () => void (await giveBack([lock], [token]));
  };
}
