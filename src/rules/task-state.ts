/**
 * Where a publish task stands, in order:
 *
 * `planned -> admitted -> submitting -> submitted -> published | failed | parked | superseded`
 *
 * `admitted` holds the job group and a start of the target, and nothing was sent; `submitting` may have been sent;
 * `submitted` was accepted by the platform.
 */
export const TASK_STATES = [
  "planned",
  "admitted",
  "submitting",
  "submitted",
  "published",
  "failed",
  "parked",
  "superseded",
] as const;

export type TaskState = (typeof TASK_STATES)[number];

/** While a task of a job group is in one of these states, no other one of it may start. */
export function isBusy(state: TaskState): boolean {
  return state === "admitted" || state === "submitting" || state === "submitted";
}

/** Has the task ended, with nothing left to do unless a person says so? */
export function hasEnded(state: TaskState): boolean {
  return state !== "planned" && !isBusy(state);
}

/** The outcome of a person's decision to send again what was published. */
export const REPLAYED_BY_FORCE = "replay by force";
