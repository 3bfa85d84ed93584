import type { Sibling } from "../queues/task-record.ts";
import type { PublishPlan } from "../rules/model.ts";
import { hasJobEnded } from "./job-status.ts";
import { isListed, listsEveryPublish } from "./outputs.ts";
import type { OutputTable, PlatformJob } from "./publish-task.ts";

/** What the platform's list of publish jobs says of a PUT that was sent, or may have been. */
export type Judgement =
  /** No job of ours is to be seen (yet). */
  | { readonly is: "absent" }
  /** `sure`: it is ours beyond doubt. */
  | { readonly is: "running"; readonly job: PlatformJob; readonly sure: boolean }
  /** Our table was written; by this job, if there is only one that can have. */
  | { readonly is: "complete"; readonly job?: PlatformJob }
  | { readonly is: "failed"; readonly job: PlatformJob }
  /** These jobs wrote other tables than ours. */
  | { readonly is: "foreign"; readonly jobIds: number[] }
  /** A job is complete that may be ours, and nothing tells. */
  | { readonly is: "cannot-tell" };

export interface PublishQuestion {
  readonly plan: PublishPlan;
  /** Publish jobs that came since the baseline and are nobody else's. */
  readonly fresh: readonly PlatformJob[];
  /** The platform accepted our PUT. */
  readonly accepted: boolean;
  /** The job that was taken for ours before. */
  readonly followed?: number;
  /** Another task of the job group may still have a job that nobody knows. */
  readonly strangersPossible: boolean;
  /** How many publish jobs of the job group are complete, whoever's they are. */
  readonly completeJobs: number;
  readonly siblings: readonly Sibling[];
  readonly listTables: () => Promise<readonly OutputTable[]>;
}

/**
 * Which job is ours, and how does it stand? One fresh job after an accepted PUT is ours. In all other cases a
 * complete job is ours only if the platform's list of written tables names our table; a failed one settles nothing,
 * for ours may still appear.
 */
export async function judgePublish(question: PublishQuestion): Promise<Judgement> {
  const { plan, fresh, accepted, followed, strangersPossible } = question;
  const sure = accepted && !strangersPossible && (followed === undefined ? fresh.length === 1 : true);
  const candidates = followed === undefined ? fresh : fresh.filter(({ id }) => id === followed);
  const first = candidates[0];
  // A job that was seen and is gone from the list is no proof that nothing was written.
  if (!first) return followed === undefined ? { is: "absent" } : { is: "cannot-tell" };

  if (sure && candidates.length === 1) {
    if (!hasJobEnded(first.status)) return { is: "running", job: first, sure: true };
    return { is: first.status === "Complete" ? "complete" : "failed", job: first };
  }

  const running = candidates.find(({ status }) => !hasJobEnded(status));
  if (running) return { is: "running", job: running, sure: false };
  const complete = candidates.filter(({ status }) => status === "Complete");
  const [only] = complete;
  if (!only) return { is: "absent" };

  const tables = await question.listTables();
  const listed = isListed(tables, plan, question.siblings);
  if (listed === "maybe") return { is: "cannot-tell" };
  if (listed === "yes") {
    // A job that may be another task's is not claimed, for that task must find it.
    const ours = complete.length === 1 && !strangersPossible;
    return ours ? { is: "complete", job: only } : { is: "complete" };
  }
  if (listsEveryPublish(tables, question.completeJobs))
    return { is: "foreign", jobIds: complete.map(({ id }) => id) };
  // A platform that lists no tables at all: a single job with nobody else about is ours.
  if (tables.length === 0 && candidates.length === 1 && !strangersPossible)
    return { is: "complete", job: only };
  return { is: "cannot-tell" };
}
