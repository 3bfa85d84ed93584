/** What a task may wait for. */
export const WAIT_CAUSES = [
  /** In its target's queue; what holds up the target is the cause. Shared out among the next five when it is over. */
  "queue",
  /** The target is paused. */
  "pause",
  /** The gate to the platform is shut. */
  "gate",
  /** The target's breaker is open. */
  "breaker",
  /** The target's rate limit. */
  "pace",
  /** A free place among the target's concurrent publishes. */
  "slots",
  /** Another task of the same job group. */
  "group",
  /** Another job group's publish to the same table. */
  "table",
  /** A publish of this job group that is not ours. */
  "publish",
  /** An answer of the platform. */
  "platform",
  /** The time between two attempts. */
  "retry",
] as const;

export type WaitCause = (typeof WAIT_CAUSES)[number];

/** How long a task has waited, and for what it waits now. */
export interface Waits {
  /** Epoch milliseconds of Redis' clock; `words` name, for a job group or a table, the task that comes first. */
  readonly now?: { readonly cause: WaitCause; readonly since: number; readonly words?: string };
  /** Milliseconds by cause, of the waits that are over. */
  readonly over: Readonly<Partial<Record<WaitCause, number>>>;
}

/** Reads a task's waits from its job group's record; `field` is the task's. */
export function readWaits(all: Readonly<Record<string, string>>, field: string): Waits {
  const [, cause, since, words = ""] = /^([a-z]+) (\d+) (.*)$/s.exec(all[`wait:${field}`] ?? "") ?? [];
  const over = WAIT_CAUSES.flatMap((one) => {
    const ms = Number(all[`waited:${field}:${one}`] ?? 0);
    return ms > 0 ? [[one, ms] as const] : [];
  });
  const known = WAIT_CAUSES.find((one) => one === cause);
  return {
    ...(known && {
      now: {
        cause: known,
        since: Number(since),
        ...(known !== "queue" && words !== "" && { words: words.replace(/^task:/, "") }),
      },
    }),
    over: Object.fromEntries(over),
  };
}
