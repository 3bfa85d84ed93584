import type { LastPublished } from "../queues/holds.ts";
import type { GroupState } from "../queues/group-index.ts";
import type { PollFigures } from "../queues/poll-store.ts";
import type { TargetLook } from "../queues/target-look.ts";
import type { Figures } from "../queues/tally.ts";
import type { WaitCause } from "../queues/waits.ts";
import type { Story } from "../story.ts";

/** One task that has not ended, as the overview names it. All times are epoch milliseconds of Redis' clock. */
export interface OpenTask {
  readonly id: string;
  readonly jobGroupId: number;
  readonly target: string;
  /** `public.orders` */
  readonly table: string;
  /** When its job group finished. */
  readonly finishedAt: number;
  readonly state: string;
  /** Why it waits, or why it is parked. */
  readonly words: string;
  /** Since when it waits, or is parked. */
  readonly since: number;
}

/** A publish that runs for much longer than is usual. */
export interface LongPublish extends OpenTask {
  /** When it is parked at the latest, in milliseconds of time in which the platform answers. */
  readonly deadlineMs: number;
}

/** Tasks of one target that wait for the same thing. */
export interface WaitGroup {
  readonly cause: WaitCause;
  readonly target: string;
  readonly count: number;
  /** There may be more than `count`. */
  readonly atLeast: boolean;
  /** The one that has waited longest; absent when it was not looked at. */
  readonly first?: OpenTask;
  /** When what holds them up began. */
  readonly heldSince?: number;
  readonly words: string;
}

export interface TargetView extends TargetLook {
  readonly name: string;
  readonly description?: string;
  readonly inRules: boolean;
  readonly connection: number;
  readonly concurrency: number;
  /** `30 per 1m` */
  readonly pace?: string;
  /** How far apart its starts are, in milliseconds; absent without a pace. */
  readonly everyMs?: number;
  /** The goal for its freshness. */
  readonly freshnessMs?: number;
  readonly last?: LastPublished;
  /** `ann paused it: the cluster is resized`, as far as the audit trail tells. */
  readonly pausedBy?: string;
  /** Open tasks that are over the goal for freshness already; at least so many. */
  readonly late: number;
  /** Since when what holds it up does so. */
  readonly held?: { readonly cause: WaitCause; readonly since: number };
}

/** Tasks of a target that wait, wherever they stand. */
export const waitingOf = ({ queue }: Pick<TargetLook, "queue">): number =>
  queue.waiting + queue.delayed + Math.max(0, queue.active - queue.running);

/** All that the overview shows. */
export interface Overview {
  readonly now: number;
  readonly gate: { readonly ms: number; readonly words: string; readonly since?: number };
  /** Tasks that have not ended; parked ones are among them. */
  readonly open: number;
  readonly parked: number;
  /** Publishes that run. */
  readonly active: number;
  /** Job groups that were reported and not dispatched. */
  readonly undispatched: { readonly count: number; readonly oldest?: number; readonly oldestId?: number };
  /** Job groups whose dispatch failed. */
  readonly dispatchFailed: number;
  /** Job groups with a task that failed, whenever that was. */
  readonly failedGroups: number;
  readonly figures: Figures;
  readonly targets: readonly TargetView[];
  readonly waits: readonly WaitGroup[];
  /** `since` says when they were sent. */
  readonly longPublishes: readonly LongPublish[];
  /** The one whose job group finished first; it may be parked. */
  readonly oldest?: OpenTask;
  /** The first of the parked ones. */
  readonly parkedTasks: readonly OpenTask[];
  readonly webhooks: PollFigures & { readonly polls: boolean };
  /** What is wrong with the rules file or with the fleet's versions of it. */
  readonly rulesTrouble?: string;
}

/** What has waited longest of all that was reported and is not published. */
export interface Oldest {
  /** When the job group finished; of one that is not dispatched, when it was reported. */
  readonly at: number;
  readonly jobGroupId: number;
  readonly isDispatched: boolean;
  readonly task?: OpenTask;
}

/** Undefined: all is published. */
export function oldestOf({
  oldest,
  undispatched,
}: Pick<Overview, "oldest" | "undispatched">): Oldest | undefined {
  const { oldest: at, oldestId } = undispatched;
  if (at !== undefined && oldestId !== undefined && (!oldest || at < oldest.finishedAt)) {
    return { at, jobGroupId: oldestId, isDispatched: false };
  }
  return oldest && { at: oldest.finishedAt, jobGroupId: oldest.jobGroupId, isDispatched: true, task: oldest };
}

/** What job groups are searched for. */
export interface Search {
  readonly target?: string;
  readonly rule?: string;
  readonly schema?: string;
  readonly table?: string;
  readonly state?: GroupState;
  readonly before?: string;
}

export interface FoundGroup {
  readonly jobGroupId: number;
  readonly reportedAt?: number;
  readonly source?: string;
  /** How its dispatch stands, when there are no tasks. */
  readonly outcome: string;
  readonly outcomeWords?: string;
  readonly summary: string;
  /** Those that fit the search. */
  readonly tasks: readonly {
    readonly id: string;
    readonly target: string;
    readonly table: string;
    readonly rule: string;
    readonly state: string;
    readonly words?: string;
  }[];
  /** How many tasks it has in all. */
  readonly taskCount: number;
}

export interface Found {
  readonly groups: readonly FoundGroup[];
  readonly next?: string;
}

export interface StoryView {
  readonly now: number;
  readonly story: Story;
}
