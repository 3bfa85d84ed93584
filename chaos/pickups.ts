import type { Redis } from "ioredis";
import type { Keys } from "../src/queues/names.ts";

/** How long tasks of killed processes lay there, in milliseconds. */
export interface PickupTimes {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
  /** Those during which Redis was killed too are told apart: nobody can pick up then. */
  readonly maxWhileRedisLived: number;
}

interface Waiting {
  readonly jobKey: string;
  readonly killedAt: number;
}

const LOOK_EVERY_MS = 250;

/**
 * Measures, for each task that a killed process held, the time from the kill to its next run (or its end): BullMQ
 * writes both times into the job.
 */
export function createPickups(redis: Redis, keys: Keys, queues: readonly string[]) {
  const waiting = new Map<string, Waiting>();
  const times: { ms: number; redisDied: boolean }[] = [];
  const redisKills: number[] = [];

  /** Which tasks did it hold? Their locks, that nobody renews now, begin with one of its workers' ids. */
  async function note(workers: ReadonlySet<string>, killedAt: number): Promise<void> {
    for (const queue of queues) {
      const active = await redis.lrange(keys.queue(queue, "active"), 0, -1);
      if (active.length === 0) continue;
      const locks = await redis.mget(active.map((id) => keys.queue(queue, `${id}:lock`)));
      for (const [i, id] of active.entries()) {
        const holder = locks[i]?.slice(0, 36) ?? "";
        const jobKey = keys.queue(queue, id);
        // Killed again before anybody took it up: the time counts from the first kill.
        if (workers.has(holder) && !waiting.has(jobKey)) waiting.set(jobKey, { jobKey, killedAt });
      }
    }
  }

  async function look(): Promise<void> {
    for (const { jobKey, killedAt } of waiting.values()) {
      const [processed, finished] = await redis.hmget(jobKey, "processedOn", "finishedOn");
      const at = [processed, finished].map(Number).find((time) => time > killedAt);
      if (at === undefined) continue;
      waiting.delete(jobKey);
      times.push({
        ms: at - killedAt,
        redisDied: redisKills.some((kill) => kill > killedAt - 1_000 && kill < at),
      });
    }
  }

  let looking = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking.then(look).catch(() => undefined);
  }, LOOK_EVERY_MS);

  return {
    killed: (workers: ReadonlySet<string>, killedAt: number): void =>
      void note(workers, killedAt).catch(() => undefined),
    redisKilled: (at: number): void => void redisKills.push(at),
    close: (): void => clearInterval(timer),
    times: (): PickupTimes => {
      const sorted = times.map(({ ms }) => ms).sort((a, b) => a - b);
      const share = (q: number): number =>
        sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
      const undisturbed = times.filter(({ redisDied }) => !redisDied).map(({ ms }) => ms);
      return {
        count: sorted.length,
        p50: share(0.5),
        p95: share(0.95),
        max: sorted.at(-1) ?? 0,
        maxWhileRedisLived: Math.max(0, ...undisturbed),
      };
    },
  };
}
export type Pickups = ReturnType<typeof createPickups>;
