import { type GateReason, PlatformError, type PlatformFailure } from "../errors.ts";
import { gateShutMs } from "./gate-policy.ts";

/** Where the gate is kept, so that all processes wait together. */
export interface GateKeeper {
  shut(
    said: string,
    timesMs: readonly number[],
    reason: GateReason,
  ): Promise<{ mine: boolean; ms: number; inARow: number }>;
  answered(): Promise<void>;
  /** `since` stays until `answered`. */
  look(): Promise<{ ms: number; since?: number }>;
}

export interface GateEvents {
  /** Once each time the gate shuts: somebody should know. */
  readonly onShut: (event: { reason: GateReason; words: string; ms: number; inARow: number }) => void;
  readonly onOpen: () => void;
  /** The token was refused: read it again. */
  readonly onUnauthorized: () => void;
}

/** From here on each further time in a row is as long. */
const TIMES = 10;
/** How often a process that had no trouble itself looks whether another left the gate marked as shut. */
const LOOK_EVERY_MS = 10_000;

/**
 * The one gate to the platform: 401, 429 and "away" shut it for everybody, and no attempt is used up by waiting.
 * It opens by itself; a call that is answered makes its next time the shortest again.
 */
export interface Gate {
  /** Runs a call; one that fails for everybody's reason shuts the gate, and fails all the same. */
  pass<T>(call: () => Promise<T>): Promise<T>;
}

export function createGate(keeper: GateKeeper, events: GateEvents): Gate {
  let wasShut = false;
  let lookedAt = -Infinity;
  /** Whoever shut it may be gone, as with a restart for a new token: each process looks now and then whether it is to be said open. */
  const openIfAnswered = async (): Promise<void> => {
    if (!wasShut && performance.now() - lookedAt < LOOK_EVERY_MS) return;
    lookedAt = performance.now();
    const { ms, since } = await keeper.look();
    // A read may be answered while publishes are still held back.
    if (ms > 0) return;
    if (!wasShut && since === undefined) return;
    wasShut = false;
    await keeper.answered();
    events.onOpen();
  };
  return {
    pass: async (call) => {
      try {
        const answer = await call();
        if (wasShut) await openIfAnswered();
        // The answer does not wait for a Redis that is away.
        else void openIfAnswered().catch(() => undefined);
        return answer;
      } catch (error) {
        if (error instanceof PlatformError && error.failure.next === "gate") {
          wasShut = true;
          await shut(keeper, events, error.failure, error.message);
        }
        throw error;
      }
    },
  };
}

async function shut(
  keeper: GateKeeper,
  events: GateEvents,
  failure: PlatformFailure,
  words: string,
): Promise<void> {
  const reason = failure.gate ?? "away";
  if (reason === "unauthorized") events.onUnauthorized();
  const timesMs = Array.from({ length: TIMES }, (_, i) =>
    gateShutMs({
      reason,
      consecutiveShuts: i + 1,
      ...(failure.retryAfterMs !== undefined && { retryAfterMs: failure.retryAfterMs }),
    }),
  );
  const { mine, ms, inARow } = await keeper.shut(words, timesMs, reason);
  if (mine) events.onShut({ reason, words, ms, inARow });
}
