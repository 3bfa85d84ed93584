import type { Target } from "../rules/model.ts";

/** How a target's starts are spaced: never more than `max` in any window of `perUs`; 0 means no limit. */
export interface Pace {
  readonly max: number;
  readonly perUs: number;
  /** How far ahead a start may be reserved; the task that holds it waits in its process until then. */
  readonly leadMs: number;
}

/** Starts are a little further apart than the limit says, for arrivals jitter: 1 % of the window, at most 25 ms. */
const SLACK_SHARE = 0.01;
const SLACK_MAX_MS = 25;
const LEAD_MIN_MS = 50;
const LEAD_MAX_MS = 1_000;

/**
 * The pace of a target. Even (the default): a window of one start, `per / max` long. With `burst`: a window of
 * `max` starts, `per` long, sliding. The lead is two intervals, so that a process that asks late loses no start,
 * and few tasks hold their job group while they wait.
 */
export function paceOf(target: Target): Pace {
  const limit = target.rateLimit;
  if (!limit) return { max: 0, perUs: 0, leadMs: 0 };
  const slackMs = Math.min(limit.perMs * SLACK_SHARE, SLACK_MAX_MS);
  const intervalMs = (limit.perMs + slackMs) / limit.max;
  const leadMs = Math.min(Math.max(2 * intervalMs, LEAD_MIN_MS), LEAD_MAX_MS);
  return limit.burst
    ? { max: limit.max, perUs: Math.ceil((limit.perMs + slackMs) * 1_000), leadMs }
    : { max: 1, perUs: Math.ceil(intervalMs * 1_000), leadMs };
}
