import { PlatformError } from "../errors.ts";
import type { RecordedTask } from "../queues/completion-record.ts";
import type { JobGroupFacts } from "../rules/model.ts";
import type { Gaps } from "./gaps.ts";
import {
  asFirstSeen,
  type FactsPlatform,
  gatherFacts,
  isUnknown,
  type JobGroup,
  type Needs,
  standingOf,
} from "./job-group-facts.ts";

/** What the platform says of a job group. */
export interface Look {
  /** Did it answer all that was asked? */
  readonly answered: boolean;
  /** Did it describe the job group? */
  readonly known: boolean;
  readonly words: string;
  /** As far as they are known. */
  readonly facts: JobGroupFacts;
  /** What it did not tell of recipe and flow. */
  readonly gaps: Gaps;
  /** Has the job group ended, as far as is known? Until then its end, by which tables may be named, is not. */
  readonly ended: boolean;
  /** Why dispatch would publish nothing, whatever the rules say. */
  readonly blocked?: string;
  /** The same for whoever asks once, and when to ask again. */
  readonly blockedNow?: string;
}

interface LookDeps {
  readonly platform: FactsPlatform;
  /** In milliseconds, for all questions together. */
  readonly platformTimeoutMs: number;
  readonly now: () => number;
  /** The tasks that the job group has already. */
  readonly planned: readonly RecordedTask[];
}

/** The rules need nothing beyond the job group itself. */
export const NEEDS_NOTHING: Needs = { recipe: false, flowName: false };

const NOTHING_KNOWN = { answered: false, known: false, ended: false, gaps: {} };

/**
 * Asks the platform once for all that the rules need; never rejects for what the platform does. `held` says why it may
 * not be asked.
 */
export async function lookAtJobGroup(
  jobGroupId: number,
  labels: Readonly<Record<string, string>>,
  needs: Needs,
  held: string | undefined,
  { platform, platformTimeoutMs, now, planned }: LookDeps,
): Promise<Look> {
  const reportAlone: JobGroupFacts = { jobGroupId, finishedAt: now(), labels };
  if (held !== undefined) return { ...NOTHING_KNOWN, words: `Not asked: ${held}`, facts: reportAlone };
  const signal = AbortSignal.timeout(platformTimeoutMs);
  const whyNot = (error: unknown): string => {
    if (signal.aborted) return `The platform did not answer within ${platformTimeoutMs / 1_000} s`;
    if (error instanceof PlatformError) return error.message;
    throw error;
  };
  let group: JobGroup;
  try {
    group = asFirstSeen(await platform.getJobGroup(jobGroupId, signal), planned);
  } catch (error) {
    const words = whyNot(error);
    if (!isUnknown(error)) return { ...NOTHING_KNOWN, words, facts: reportAlone };
    const blockedNow = `the platform does not know job group ${jobGroupId}: is it the right id, and may the token read it?`;
    const blocked = `The platform does not know job group ${jobGroupId}; it would be asked again for a while`;
    return { ...NOTHING_KNOWN, answered: true, words, facts: reportAlone, blocked, blockedNow };
  }
  const standing = standingOf(group);
  const common = {
    known: true,
    ended: standing.kind !== "not-yet",
    words: `Job group ${jobGroupId} is ${group.status}`,
    ...(standing.kind === "skip" && {
      blocked: `It would be skipped: ${standing.words}`,
      blockedNow: `it has nothing to publish: ${standing.words}`,
    }),
    ...(standing.kind === "not-yet" && {
      blocked: `${standing.words}: it would be looked at until it ends`,
      blockedNow: `${standing.words}: replay it when it has ended`,
    }),
  };
  try {
    return { answered: true, ...common, ...(await gatherFacts(group, labels, platform, needs, signal)) };
  } catch (error) {
    const words = `${common.words}; of its recipe and flow: ${whyNot(error)}`;
    const { facts } = await gatherFacts(group, labels, platform, NEEDS_NOTHING, signal);
    return { answered: false, ...common, words, facts, gaps: {} };
  }
}
