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
  look(): Promise<{ ms: number }>;
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
  return {
    pass: async (call) => {
      try {
        const answer = await call();
        // A read may be answered while publishes are still held back.
        if (wasShut && (await keeper.look()).ms === 0) {
          wasShut = false;
          await keeper.answered();
          events.onOpen();
        }
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
