import type { Redis } from "ioredis";
import type { Keys } from "./names.ts";

/** A run as it was asked for the first time with its execution id. */
export interface AskedRun {
  /** This call is the first. */
  readonly isFirst: boolean;
  /** What was asked for then. */
  readonly request: string;
  /** Epoch milliseconds of Redis' clock. */
  readonly askedAt: number;
  /** Milliseconds since then. */
  readonly ageMs: number;
  /** Known once the platform has told it. */
  readonly jobGroupId?: number;
}

export interface RunStore {
  /** Writes down that a run is asked for; answers what stands. Rejects when it cannot be written: then nothing may run. */
  ask(executionId: string, request: string): Promise<AskedRun>;
  /** What stands, without a word of this call. */
  look(executionId: string): Promise<number | undefined>;
  started(executionId: string, jobGroupId: number): Promise<void>;
  /** Surely nothing ran: whoever asks again asks for the first time. */
  forget(executionId: string): Promise<void>;
}

/** The runs that were asked for, each kept `retentionMs` after it was asked for last. */
export function createRunStore(redis: Redis, keys: Keys, retentionMs: number): RunStore {
  return {
    ask: async (executionId, request) => {
      const key = keys.run(executionId);
      const [seconds = 0, micros = 0] = (await redis.time()).map(Number);
      const now = Math.floor(seconds * 1_000 + micros / 1_000);
      const replies = await redis
        .multi()
        .hsetnx(key, "request", request)
        .hsetnx(key, "askedAt", now)
        .pexpire(key, retentionMs)
        .hgetall(key)
        .exec();
      const [isFirst, , , all] = (replies ?? []).map(([error, reply]) => {
        if (error) throw error;
        return reply;
      });
      const { request: asked = request, askedAt, jobGroupId } = all as Record<string, string>;
      return {
        isFirst: isFirst === 1,
        request: asked,
        askedAt: Number(askedAt),
        ageMs: Math.max(0, now - Number(askedAt)),
        ...(jobGroupId !== undefined && { jobGroupId: Number(jobGroupId) }),
      };
    },
    look: async (executionId) => {
      const known = await redis.hget(keys.run(executionId), "jobGroupId");
      return known === null ? undefined : Number(known);
    },
    started: async (executionId, jobGroupId) => {
      await redis.hset(keys.run(executionId), "jobGroupId", jobGroupId);
    },
    forget: async (executionId) => void (await redis.del(keys.run(executionId))),
  };
}
