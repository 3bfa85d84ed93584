import { type Action, type Publication, REPEATABLE_ACTIONS } from "./model.ts";
import type { Settings } from "./schema.ts";

export type ResolvedSettings = Pick<
  Publication,
  "attempts" | "backoff" | "deadlineMs" | "settleAfterMs" | "priority" | "stale"
>;

/** How long a publish may stay unseen: where a repeated one would add rows, longer than where it ends in the same state. */
const SETTLE_MS = { appends: 120_000, repeatable: 15_000 };

const BUILT_IN = {
  attempts: 8,
  backoff: { floorMs: 5_000, capMs: 600_000 },
  deadline: 6 * 3_600_000,
  priority: 1000,
  stale: "supersede",
} as const;

/** The settings of a publication. Each is looked for by itself in `sources`, of which later ones win; nowhere said, the built-in value counts. */
export function resolveSettings(
  action: Action,
  sources: readonly (Settings | undefined)[],
): ResolvedSettings {
  const settleAfter = REPEATABLE_ACTIONS.includes(action) ? SETTLE_MS.repeatable : SETTLE_MS.appends;
  const said: Settings = Object.assign({}, ...sources);
  const { deadline, settleAfter: settleAfterMs, ...same } = { ...BUILT_IN, settleAfter, ...said };
  return { ...same, deadlineMs: deadline, settleAfterMs };
}
