import type { Redis } from "ioredis";

/** How Redis itself stands. */
export interface RedisLook {
  readonly pingMs: number;
  readonly usedBytes: number;
  /** 0: no limit is set. */
  readonly maxBytes: number;
}

/** Asks Redis how it stands; rejects when it does not answer. */
export async function lookAtRedis(redis: Redis): Promise<RedisLook> {
  const askedAt = performance.now();
  await redis.ping();
  const pingMs = performance.now() - askedAt;
  const memory = await redis.info("memory");
  const figure = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(memory)?.[1] ?? 0);
  return { pingMs, usedBytes: figure("used_memory"), maxBytes: figure("maxmemory") };
}
