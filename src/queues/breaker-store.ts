import type { Redis } from "ioredis";
import type { Keys } from "./names.ts";
import { registerScript, words } from "./script.ts";
import { BREAKER_FAILED, BREAKER_PROBE } from "./scripts/breaker.ts";

/** So many transient failures in a row open a target's breaker. */
const THRESHOLD = 5;
const FIRST_MS = 30_000;
const MAX_MS = 10 * 60_000;

export interface BreakerState {
  /** Transient failures in a row. */
  readonly failures: number;
  /** Milliseconds until a probe may try; 0 when it is closed, or a probe is due. */
  readonly openMs: number;
  /** Opened, and not closed by a publish that went well since. */
  readonly open: boolean;
  /** When it opened, the tries since not counted; epoch milliseconds of Redis' clock. */
  readonly since?: number;
  /** The last failure. */
  readonly words: string;
}

export interface BreakerStore {
  /** Counts a failure; `openMs` is more than 0 when it opened the breaker. */
  failed(target: string, said: string): Promise<{ failures: number; openMs: number }>;
  /** A publish went well: the count starts again, an open breaker closes. True when it was open. */
  succeeded(target: string): Promise<boolean>;
  look(target: string): Promise<BreakerState>;
  /** Lets the next publish try at once; false when the breaker is not open. */
  probe(target: string): Promise<boolean>;
}

/**
 * The targets' circuit breakers, kept in Redis for the whole fleet. They open after 5 transient failures in a row,
 * for 30 s, then twice as long each time up to 10 m; then one publish probes.
 */
export function createBreakerStore(redis: Redis, keys: Keys): BreakerStore {
  const failed = registerScript(redis, "relayBreakerFailed", BREAKER_FAILED, 1);
  const probe = registerScript(redis, "relayBreakerProbe", BREAKER_PROBE, 1);
  return {
    failed: async (target, said) => {
      const [failures, openMs] = words(
        await failed([keys.breaker(target)], [THRESHOLD, FIRST_MS, MAX_MS, said]),
      );
      return { failures: Number(failures), openMs: Number(openMs) };
    },
    succeeded: async (target) => {
      const [until] = await Promise.all([
        redis.hget(keys.breaker(target), "openUntil"),
        redis.del(keys.breaker(target)),
      ]);
      return until !== null;
    },
    look: async (target) => {
      const state = await redis.hgetall(keys.breaker(target));
      const untilMs = Number(state["openUntil"] ?? 0) / 1_000;
      return {
        failures: Number(state["failures"] ?? 0),
        openMs: Math.max(0, Math.round(untilMs - Date.now())),
        open: untilMs > 0,
        ...(state["openedAt"] && { since: Number(state["openedAt"]) }),
        words: state["words"] ?? "",
      };
    },
    probe: async (target) => (await probe([keys.breaker(target)], [])) === 1,
  };
}
