import type { TaskRecord } from "../queues/record.ts";
import type { Sibling } from "../queues/task-record.ts";
import { REPEATABLE_ACTIONS, type PublishPlan } from "../rules/model.ts";
import { hasJobEnded } from "./job-status.ts";
import { isListed, listsEveryPublish } from "./outputs.ts";
import type { OutputTable, PlatformJob } from "./publish-task.ts";

export type Baseline =
  /**
   * Every publish job is explained, and none put these results into the table. Or the action may be repeated: then the
   * `unexplained` may have.
   */
  | { readonly is: "clear"; readonly unexplained?: readonly number[] }
  /** Somebody else's publish of this job group is under way. */
  | { readonly is: "running"; readonly jobId: number }
  /** The results are in the table already. */
  | { readonly is: "published"; readonly words: string; readonly jobIds: number[] }
  | { readonly is: "cannot-tell"; readonly words: string };

/** What is to be explained, as it was listed. */
export interface Standing {
  readonly plan: PublishPlan;
  readonly record: Pick<TaskRecord, "publishJobs" | "foreign">;
  /** All jobs that the platform lists for the job group. */
  readonly listed: readonly PlatformJob[];
  /** Asked only when this task's record does not explain all; so is the platform's list of tables. */
  readonly siblings: () => Promise<readonly Sibling[]>;
  readonly listTables: () => Promise<readonly OutputTable[]>;
}

/** May this task be sent, as far as the publish jobs go that stand before it? `jobIds` is the baseline then. */
export async function judgeBaseline({
  plan,
  record,
  listed,
  siblings: ask,
  listTables,
}: Standing): Promise<
  Exclude<Baseline, { is: "clear" }> | (Extract<Baseline, { is: "clear" }> & { readonly jobIds: number[] })
> {
  const jobs = listed.filter(({ jobType }) => jobType === "publish");
  const jobIds = jobs.map(({ id }) => id);
  const mine = [...record.publishJobs, ...(record.foreign ?? [])];
  if (jobIds.every((id) => mine.includes(id))) return { is: "clear", jobIds };
  const siblings = await ask();
  // What a sibling took for somebody else's may be this task's own.
  const known = [...mine, ...siblings.flatMap(({ publishJobs }) => publishJobs)];
  const verdict = await explainBaseline({
    plan,
    jobs,
    ...workedUntil(listed),
    known,
    siblings,
    listTables,
  });
  return verdict.is === "clear" ? { ...verdict, jobIds } : verdict;
}

/** When the jobs that made the results were touched last. */
function workedUntil(jobs: readonly PlatformJob[]): { workedUntil?: number } {
  const work = jobs.filter(({ jobType }) => jobType !== "publish");
  return work.length === 0
    ? {}
    : { workedUntil: Math.max(...work.map(({ updatedAt, createdAt }) => updatedAt ?? createdAt ?? 0)) };
}

export interface BaselineQuestion {
  readonly plan: PublishPlan;
  /** The publish jobs that the platform lists for the job group. */
  readonly jobs: readonly PlatformJob[];
  /** When the job group's other jobs ended, as far as is known: what was published until then it published itself. */
  readonly workedUntil?: number;
  /** Publish jobs that the record knows: this task's, its siblings', and those this task found to be others'. */
  readonly known: readonly number[];
  readonly siblings: readonly Sibling[];
  /** Asked only when there is something to explain. */
  readonly listTables: () => Promise<readonly OutputTable[]>;
}

/**
 * Explains each publish job that stands before a PUT, so that even a record that was lost never leads to a second
 * publish. A job is explained when the record knows it, when it ended without success, or when the platform's list
 * of written tables shows that it wrote another table than ours.
 */
export async function explainBaseline(question: BaselineQuestion): Promise<Baseline> {
  const { plan, known } = question;
  const strange = question.jobs.filter(({ id }) => !known.includes(id));
  const running = strange.find(({ status }) => !hasJobEnded(status));
  if (running) return { is: "running", jobId: running.id };

  const complete = strange.filter(({ status }) => status === "Complete");
  if (complete.length === 0) return { is: "clear" };

  const tables = await question.listTables();
  const jobIds = complete.map(({ id }) => id);
  const listed = isListed(tables, plan, question.siblings);
  if (listed === "yes") {
    const words = `Already published: the platform lists ${plan.schema}.${plan.table} among this job group's tables, written by publish job ${jobIds.join(" or ")}`;
    // A job that may be a sibling's is not claimed, for the sibling must find it.
    return { is: "published", words, jobIds: jobIds.length === 1 && plan.serialize ? jobIds : [] };
  }
  // Publishes that the job group made itself while it ran are older than its end. The time of its last change may be
  // later than that: a publish may be such a change.
  const ranUntil = Math.min(plan.finishedAt, question.workedUntil ?? 0);
  const newer = complete.filter(({ createdAt }) => createdAt === undefined || createdAt > ranUntil);
  if (newer.length === 0 && listed === "no") return { is: "clear" };

  const allComplete = question.jobs.filter(({ status }) => status === "Complete").length;
  if (listed === "no" && listsEveryPublish(tables, allComplete)) return { is: "clear" };
  if (REPEATABLE_ACTIONS.includes(plan.action)) return { is: "clear", unexplained: jobIds };
  const words = `publish job ${jobIds.join(", ")} is not in this relay's record, and the platform does not say which table it wrote; "${plan.action}" again could double the rows`;
  return { is: "cannot-tell", words };
}
