import type { Redis } from "ioredis";
import { z } from "zod";
import type { Keys } from "./names.ts";
import { registerScript, words } from "./script.ts";
import { ADVANCE, SETTLE } from "./scripts/poll.ts";

/** All times are epoch milliseconds of the platform's clock. */
const positionSchema = z.object({
  /** What changed before is not looked at. */
  floor: z.number(),
  /** When the first turn looked. */
  begunAt: z.number(),
  /** Everything that had changed by then was found. Never moves back. */
  cursor: z.number(),
});
const sweepSchema = z.object({
  /** What its pages are asked for with; the offset means nothing with another. */
  since: z.number(),
  offset: z.number(),
  // Absent in what an earlier version wrote.
  tail: z.array(z.number()).readonly().default([]),
  dry: z.boolean().default(false),
  misses: z.number().default(0),
  emptyAt: z.number().optional(),
  resume: z.number().optional(),
  startedAt: z.number(),
  /** The latest change that it has seen. */
  highest: z.number(),
});

export type Position = Readonly<z.output<typeof positionSchema>>;
/** A look through the list that is under way: it may take several turns. */
export type Sweep = Readonly<z.output<typeof sweepSchema>>;

/** How far the poller is. */
export interface PollState {
  /** Grows with each step: who has read an older one can write no more. */
  readonly rev: number;
  /** Absent before the first page was read. */
  readonly position?: Position;
  readonly sweep?: Sweep;
}

/** A job group that was found and that nobody has reported yet, or no webhook. */
export interface Held {
  readonly id: number;
  /** When it finished, in epoch milliseconds of the platform's clock. */
  readonly updatedAt: number;
}

/**
 * What became of one: reported by others (`missed`: but not by a webhook, which should have come), or found by the
 * poller alone (`lost`: a webhook should have come).
 */
export type Settled = "known" | "missed" | "found" | "lost";

export interface PollFigures {
  /** Completions that nobody but the poller reported. */
  readonly found: number;
  /** Completions that a webhook should have reported, and none did. */
  readonly losses: number;
  /** Since the list was looked through to its end, or since the poller began when it never was; absent: it is off. */
  readonly lagMs?: number;
}

export interface PollStore {
  load(): Promise<PollState>;
  /** Moves on by one page; without a `sweep` it is complete. False when another turn moved on from `rev` before. */
  advance(
    rev: number,
    step: { readonly position: Position; readonly sweep?: Sweep; readonly held: readonly Held[] },
  ): Promise<boolean>;
  /** In the order in which they finished. */
  held(): Promise<Held[]>;
  /** Is done with held ones; answers those that this call was the one to be done with. */
  settle<T extends Held & { readonly as: Settled }>(done: readonly T[]): Promise<T[]>;
  figures(): Promise<PollFigures>;
  /** The poller begins, unless it has before: its lag counts from now on. */
  switchedOn(): Promise<void>;
  /** The poller is switched off: its lag says nothing any more. Where it stood is kept. */
  switchedOff(): Promise<void>;
}

/** What the poller remembers, kept in Redis for the whole fleet: any process can take the next turn. */
export function createPollStore(redis: Redis, keys: Keys): PollStore {
  const advance = registerScript(redis, "relayPollAdvance", ADVANCE, 2);
  const settle = registerScript(redis, "relayPollSettle", SETTLE, 2);
  const both = [keys.pollState, keys.pollHeld];
  return {
    load: async () => {
      const [rev, position, sweep] = await redis.hmget(keys.pollState, "rev", "position", "sweep");
      return {
        rev: Number(rev ?? 0),
        ...(position && { position: positionSchema.parse(JSON.parse(position)) }),
        ...(sweep && { sweep: sweepSchema.parse(JSON.parse(sweep)) }),
      };
    },
    advance: async (rev, { position, sweep, held }) => {
      const found = held.flatMap(({ id, updatedAt }) => [updatedAt, id]);
      const args = [rev, JSON.stringify(position), sweep ? JSON.stringify(sweep) : "", ...found];
      return (await advance(both, args)) === 1;
    },
    held: async () => {
      const flat = await redis.zrange(keys.pollHeld, "0", "-1", "WITHSCORES");
      return Array.from({ length: flat.length / 2 }, (_, i) => ({
        id: Number(flat[2 * i]),
        updatedAt: Number(flat[2 * i + 1]),
      }));
    },
    settle: async (done) => {
      if (done.length === 0) return [];
      const mine = words(
        await settle(
          both,
          done.flatMap(({ id, as }) => [id, as]),
        ),
      );
      return done.filter((_, i) => mine[i] === "1");
    },
    figures: async () => {
      const [[found, losses, sweptAt, onSince], [seconds]] = await Promise.all([
        redis.hmget(keys.pollState, "found", "losses", "sweptAt", "onSince"),
        redis.time(),
      ]);
      const from = sweptAt ?? onSince;
      return {
        found: Number(found ?? 0),
        losses: Number(losses ?? 0),
        ...(from && { lagMs: Math.max(0, Number(seconds) - Number(from)) * 1_000 }),
      };
    },
    switchedOn: async () => {
      const [seconds] = await redis.time();
      await redis.hsetnx(keys.pollState, "onSince", String(seconds));
    },
    switchedOff: async () => {
      await redis.hdel(keys.pollState, "sweptAt", "onSince");
    },
  };
}
