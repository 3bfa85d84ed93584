import type { GateReason } from "../errors.ts";

const UNAUTHORIZED_MS = 5_000;
const THROTTLED_DEFAULT_MS = 10_000;
const AWAY_FIRST_MS = 1_000;
const AWAY_CAP_MS = 30_000;
const TOLD_MIN_MS = 1_000;
const TOLD_MAX_MS = 3_600_000;
const JITTER = 0.2;

/** What is known when the gate to the platform shuts. */
interface GateShut {
  readonly reason: GateReason;
  /** How often it shut for this reason in a row, without a call that went well between; 1 for the first. */
  readonly consecutiveShuts: number;
  /** What the platform asked for, in milliseconds. */
  readonly retryAfterMs?: number;
  /** 0 to 1; `Math.random` by default. */
  readonly random?: () => number;
}

/**
 * How long the gate stays shut, in milliseconds.
 *
 * - unauthorized: always 5 s, as a token that was put right should be noticed soon;
 * - throttled: as told, 1 s to 1 h; 10 s when nothing was told;
 * - away: 1 s doubling to 30 s, never sooner than told, plus 0-20 % so that processes do not come back as one.
 */
export function gateShutMs({
  reason,
  consecutiveShuts,
  retryAfterMs,
  random = Math.random,
}: GateShut): number {
  const toldMs = retryAfterMs === undefined ? undefined : clamp(retryAfterMs, TOLD_MIN_MS, TOLD_MAX_MS);
  switch (reason) {
    case "unauthorized":
      return UNAUTHORIZED_MS;
    case "throttled":
      return toldMs ?? THROTTLED_DEFAULT_MS;
    case "away": {
      const doublings = Math.max(0, consecutiveShuts - 1);
      const backoffMs = Math.min(AWAY_CAP_MS, AWAY_FIRST_MS * 2 ** doublings);
      return Math.round(Math.max(backoffMs, toldMs ?? 0) * (1 + JITTER * random()));
    }
  }
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
