import type { Target } from "../rules/model.ts";

/** How a target's starts are spaced: never more than `max` in any window of its limit; 0 means no limit. */
export interface Pace {
  /** Starts in one window: 1 for an even pace, the limit's `max` with `burst`. */
  readonly max: number;
  /** The length of that window, with the tolerance in it. */
  readonly perUs: number;
  /** A start that was asked for late by no more than this does not delay those after it. */
  readonly toleranceUs: number;
  /** How far ahead a start may be taken: the time in which a task looks at its job group, before it sends. */
  readonly leadUs: number;
}

/**
 * The limit's window is taken 1 % longer than it is. That share is what late starts may catch up: a start may come
 * `toleranceUs` after its time, the next keeps its own time, and still no window holds more than `max`.
 */
const TOLERANCE_SHARE = 0.01;
const LEAD_MAX_MS = 25;

export const NO_PACE: Pace = { max: 0, perUs: 0, toleranceUs: 0, leadUs: 0 };

/**
 * The pace of a target. Even (the default): a window of one start, `per / max` long. With `burst`: a window of
 * `max` starts, `per` long, sliding.
 */
export function paceOf(target: Target): Pace {
  const limit = target.rateLimit;
  if (!limit) return NO_PACE;
  const toleranceMs = limit.perMs * TOLERANCE_SHARE;
  const windowMs = limit.perMs + toleranceMs;
  const shared = {
    toleranceUs: Math.floor(toleranceMs * 1_000),
    leadUs: Math.floor(Math.min(windowMs / limit.max / 2, LEAD_MAX_MS) * 1_000),
  };
  return limit.burst
    ? { ...shared, max: limit.max, perUs: Math.ceil(windowMs * 1_000) }
    : { ...shared, max: 1, perUs: Math.ceil((windowMs / limit.max) * 1_000) };
}
