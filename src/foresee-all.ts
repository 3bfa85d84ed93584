import { setTimeout as wait } from "node:timers/promises";
import { PlatformError } from "./errors.ts";
import { foreseeReplay, type Foreseen, type ReplayDeps } from "./processors/foresee-replay.ts";
import type { ReplayChoice } from "./processors/foresee-replayed-task.ts";
import { lineOf } from "./processors/replay-line.ts";
import type { PublishPlan } from "./rules/model.ts";

export interface ForeseeAllOptions {
  /** Told of each job group that was looked at. */
  readonly onLooked: (done: number, of: number) => void;
  /** Told when the platform's quota is used up, and is waited for so many milliseconds. */
  readonly onWait?: (ms: number, done: number, of: number) => void;
  /** Longer than this, in milliseconds and all together, the quota is not waited for; default: however long it takes. */
  readonly waitAtMostMs?: number;
}

/** So many job groups are looked at at once, and so many once the quota was used up. */
const AT_ONCE = 8;
const AT_ONCE_SLOWLY = 2;
/** When the platform does not say how long. */
const WAIT_MS = 15_000;
/** A wait that grows by less is not told again. */
const TOLD_FROM_MS = 1_000;

/**
 * Tells what a replay of each job group would do. Where the platform's quota is used up it waits, and goes on with fewer
 * at once; when there is no time for that, the rest is left unasked and told to be `unknown`.
 */
export async function foreseeAll(
  ids: readonly number[],
  choice: ReplayChoice,
  deps: ReplayDeps,
  { onLooked, onWait, waitAtMostMs = Infinity }: ForeseeAllOptions,
): Promise<Foreseen[]> {
  const found: Foreseen[] = [];
  const left = [...ids];
  let atOnce = AT_ONCE;
  let waitLeftMs = waitAtMostMs;
  let resumeAt = 0;
  let gaveUp: string | undefined;

  const spent = ({ ms, words }: SpentQuota): void => {
    atOnce = AT_ONCE_SLOWLY;
    const now = Date.now();
    const more = now + ms - Math.max(resumeAt, now);
    if (more <= 0) return;
    if (more > waitLeftMs) {
      gaveUp = words;
      return;
    }
    waitLeftMs -= more;
    resumeAt = now + ms;
    // Others that were under way hear nearly the same.
    if (more >= TOLD_FROM_MS) onWait?.(ms, found.length, ids.length);
  };
  const foresee = async (id: number): Promise<Foreseen | undefined> => {
    if (gaveUp !== undefined) return notAsked(id, gaveUp);
    const quota = watchQuota(deps);
    const one = await foreseeReplay(id, choice, quota.deps);
    const busy = quota.spent();
    if (!busy) return one;
    spent(busy);
    return gaveUp === undefined ? undefined : notAsked(id, gaveUp);
  };
  const work = async (_: unknown, place: number): Promise<void> => {
    while (place < atOnce) {
      await wait(Math.max(0, resumeAt - Date.now()));
      const id = left.shift();
      if (id === undefined) return;
      const one = await foresee(id);
      if (one) onLooked(found.push(one), ids.length);
      else left.unshift(id);
    }
  };
  // One that waits may be put back after the others have gone.
  while (left.length > 0) await Promise.all(Array.from({ length: atOnce }, work));
  return found;
}

const notAsked = (jobGroupId: number, words: string): Foreseen => ({
  jobGroupId,
  whole: false,
  steps: [{ line: lineOf(jobGroupId, "unknown", "nothing", `not known: ${words}; do it again later`) }],
});

/** The platform's quota is used up, for so many milliseconds. */
interface SpentQuota {
  readonly ms: number;
  readonly words: string;
}

/** The same, and whether the platform answered any of it with 429. */
function watchQuota({ judge, platform, ...rest }: ReplayDeps): {
  readonly deps: ReplayDeps;
  readonly spent: () => SpentQuota | undefined;
} {
  let spent: SpentQuota | undefined;
  const watched =
    <A extends readonly unknown[], T>(ask: (...args: A) => Promise<T>) =>
    (...args: A): Promise<T> =>
      ask(...args).catch((error: unknown) => {
        if (error instanceof PlatformError && error.failure.status === 429)
          spent = { ms: error.failure.retryAfterMs ?? WAIT_MS, words: error.message };
        throw error;
      });
  const { platform: names } = judge;
  return {
    spent: () => spent,
    deps: {
      ...rest,
      judge: {
        ...judge,
        platform: {
          getJobGroup: watched((id: number, signal?: AbortSignal) => names.getJobGroup(id, signal)),
          getRecipe: watched((id: number, signal?: AbortSignal) => names.getRecipe(id, signal)),
          getFlow: watched((id: number, signal?: AbortSignal) => names.getFlow(id, signal)),
        },
      },
      platform: {
        listJobs: watched((id: number, signal?: AbortSignal) => platform.listJobs(id, signal)),
        listTables: watched((plan: PublishPlan, signal?: AbortSignal) => platform.listTables(plan, signal)),
      },
    },
  };
}
