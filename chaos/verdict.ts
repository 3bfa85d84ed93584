import { canBePublished, type Fault } from "./account.ts";
import { TARGETS } from "./plan.ts";
import type { ChaosReport } from "./run-chaos.ts";

const PARKED_NEEDLESSLY_MAX = 0.005;
const PUBLISHED_MIN = 0.98;
/** Of a few tasks one is more than the share that is allowed. */
const ONE = 1;

/** A short run on a busy machine may end before each of the named steps has come by at the right moment. */
const NEVER_HIT_SHORT = 2;

export interface Verdict {
  readonly tasks: number;
  readonly lost: number;
  readonly twice: number;
  readonly parked: number;
  readonly parkedNeedlessly: number;
  readonly failed: number;
  readonly failedNeedlessly: number;
  readonly published: number;
  /** Published of those that could be, 0 to 1. */
  readonly publishedShare: number;
  readonly neverHit: readonly string[];
  /** Why the run is not good; empty when it is. */
  readonly problems: readonly string[];
}

/** What the figures mean. */
export function judgeRun({
  options,
  tasks,
  hits,
  leftovers,
  endedBadly,
  reportedAgain,
  kills,
}: ChaosReport): Verdict {
  const faulty = (fault: Fault): number => tasks.filter((task) => task.fault === fault).length;
  const inState = (state: string): number => tasks.filter((task) => task.state === state).length;
  const possible = tasks.filter(canBePublished);
  const publishedShare = possible.filter(({ state }) => state === "published").length / possible.length;
  const neverHit = Object.entries(hits)
    .filter(([, n]) => n === 0)
    .map(([step]) => step);
  const [lost, twice, parkedNeedlessly] = [faulty("lost"), faulty("twice"), faulty("parked needlessly")];
  const parkedMax = Math.max(ONE, tasks.length * PARKED_NEEDLESSLY_MAX);
  return {
    lost,
    twice,
    parkedNeedlessly,
    neverHit,
    publishedShare,
    tasks: tasks.length,
    parked: inState("parked"),
    failed: inState("failed"),
    failedNeedlessly: faulty("failed needlessly"),
    published: inState("published"),
    problems: [
      lost > 0 && `${lost} lost`,
      twice > 0 && `${twice} twice`,
      parkedNeedlessly > parkedMax && `${parkedNeedlessly} parked that need not be`,
      publishedShare < PUBLISHED_MIN &&
        `only ${(publishedShare * 100).toFixed(1)} % published of those that could be`,
      (kills.frozen === 0 || kills.redis === 0) && "no process was stopped, or Redis was not killed",
      neverHit.length > (options.short ? NEVER_HIT_SHORT : 0) && `never killed: ${neverHit.join("; ")}`,
      leftovers.length > 0 && `left behind: ${leftovers.join("; ")}`,
      endedBadly.length > 0 && endedBadly.join("; "),
      reportedAgain > tasks.length / TARGETS.length / 2 &&
        `${reportedAgain} completions were not reported by any webhook`,
    ].filter((problem): problem is string => problem !== false),
  };
}
