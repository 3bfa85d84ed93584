import type { Queue } from "bullmq";
import type { Redis } from "ioredis";

/** BullMQ keeps the time of a delayed job in the upper part of its score. */
const PER_MS = 0x1000;
/** A delayed job that is due is made ready by whichever worker looks next. */
const DUE_FOR_MS = 1_000;

/**
 * Could a worker take a job of this queue now? Not while it is paused, held back by its limiter, or has as many active
 * jobs as its global concurrency allows, whichever process they run in.
 */
export async function isRunnable(queue: Queue, redis: Redis): Promise<boolean> {
  const key = (name: string): string => queue.toKey(name);
  const [[paused, concurrency, max], waiting, prioritized, active, [, first], held, heldMs, [seconds]] =
    await Promise.all([
      redis.hmget(key("meta"), "paused", "concurrency", "max"),
      redis.llen(key("wait")),
      redis.zcard(key("prioritized")),
      redis.llen(key("active")),
      redis.zrange(key("delayed"), "0", "0", "WITHSCORES"),
      redis.get(key("limiter")),
      redis.pttl(key("limiter")),
      redis.time(),
    ]);
  if (paused || (concurrency && active >= Number(concurrency))) return false;
  if (max && heldMs > 0 && Number(held) >= Number(max)) return false;
  const due = first !== undefined && Number(first) / PER_MS < Number(seconds) * 1_000 - DUE_FOR_MS;
  return waiting + prioritized > 0 || due;
}
