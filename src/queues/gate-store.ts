import type { Redis } from "ioredis";
import type { Keys } from "./names.ts";
import { registerScript, words } from "./script.ts";
import { SHUT } from "./scripts/gate.ts";

/** After so long without being shut, the gate starts again with its shortest time. */
const MEMORY_MS = 10 * 60_000;

export interface GateStore {
  /**
   * Shuts the gate for the whole fleet: for the first of `timesMs` when it was open before, the second when it shuts
   * twice in a row, and so on. `mine` is true for the one call that shut it.
   */
  shut(
    said: string,
    timesMs: readonly number[],
    reason: string,
  ): Promise<{ mine: boolean; ms: number; inARow: number }>;
  /** A call was answered: the next time starts with the shortest. */
  answered(): Promise<void>;
  /**
   * Milliseconds until the gate opens, and why it is shut, in words and as a reason; 0 when it is open. `since` (epoch
   * milliseconds) stays until a call is answered: without it nothing is known to be wrong.
   */
  look(): Promise<{ ms: number; words: string; reason: string; since?: number }>;
}

/** The one gate to the platform, kept in Redis so that all processes wait together. */
export function createGateStore(redis: Redis, keys: Keys): GateStore {
  const shut = registerScript(redis, "relayShut", SHUT, 3);
  return {
    shut: async (said, timesMs, reason) => {
      const [mine, ms, inARow] = words(
        await shut([keys.gate, keys.gateMemory, keys.gateReason], [said, reason, MEMORY_MS, ...timesMs]),
      );
      return { mine: mine === "1", ms: Number(ms), inARow: Number(inARow) };
    },
    answered: async () => {
      await redis.del(keys.gateMemory, sinceOf(keys));
    },
    look: async () => {
      const [ms, said, reason, [at, last]] = await Promise.all([
        redis.pttl(keys.gate),
        redis.get(keys.gate),
        redis.get(keys.gateReason),
        redis.hmget(sinceOf(keys), "at", "words"),
      ]);
      const since = at ? { since: Number(at) } : {};
      return { ms: Math.max(0, ms), words: said ?? last ?? "", reason: reason ?? "", ...since };
    },
  };
}

const sinceOf = (keys: Keys): string => `${keys.gateMemory}:since`;

/** The gate of somebody who asks once: what goes wrong then keeps nobody else waiting. */
export const NO_GATE: GateStore = {
  shut: () => Promise.resolve({ mine: false, ms: 0, inARow: 0 }),
  answered: () => Promise.resolve(),
  look: () => Promise.resolve({ ms: 0, words: "", reason: "" }),
};
