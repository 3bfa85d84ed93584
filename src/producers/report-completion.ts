import type { Queue } from "bullmq";
import type { CompletionRecords } from "../queues/completion-record.ts";
import { completionOptions, RETENTION } from "../queues/options.ts";
import { wake } from "../queues/worker.ts";
import { completionId } from "../rules/task-identity.ts";
import type { Report } from "./accept-report.ts";
import type { CompletionReport } from "./report.ts";

export interface ReportDeps {
  readonly records: Pick<CompletionRecords, "merge">;
  /** The queue `completions`. */
  readonly queue: Queue;
}

/**
 * The single way in: whoever heard that a job group finished says it here. Several reports of one job group are one
 * completion. Resolves once the completion is durably on the queue; rejects when Redis does not take it.
 */
export function createReportCompletion({ records, queue }: ReportDeps): Report {
  return async (report) => {
    const id = completionId(report.jobGroupId);
    // Both in one round trip. A crash between them loses nothing: the record lists what is not dispatched yet.
    const [merged] = await Promise.all([
      records.merge(report.jobGroupId, report),
      queue.add("completion", messageOf(report), completionOptions(id)),
    ]);
    const again = merged.answer === "changed" || merged.answer === "reopened";
    if (again || merged.stood) await reopen(queue, id);
    return { completion: id, duplicate: merged.answer === "same" };
  };
}

/** `merged`: the record holds the report already, so whoever dispatches it need not merge it again. */
const messageOf = ({ jobGroupId, status, labels }: CompletionReport) => ({
  jobGroupId,
  status,
  labels,
  merged: true,
});

/**
 * Runs a completion that has ended once more. One that is under way needs nothing: dispatch looks, before it ends,
 * whether a report came since it began. A message that somebody gave the completion's id may wait for what its
 * sender wanted, a delay or jobs of his own: the completion does not.
 */
export async function reopen(queue: Queue, id: string): Promise<void> {
  const job = await queue.getJob(id);
  if (!job) return add(queue, id);
  const state = await job.getState();
  if (state === "completed" || state === "failed") {
    await job.retry(state, { resetAttemptsMade: true }).catch((error: unknown) => {
      // Somebody else was faster, and it is under way again.
      if (!(error instanceof Error && /not in the/.test(error.message))) throw error;
    });
  }
  // Our own delay comes after a first look.
  if (state === "delayed" && job.attemptsStarted === 0) await wake(queue, id);
  if (state === "waiting-children") {
    // What it says is kept, as a message of its own.
    await queue.add(job.name, job.data, RETENTION);
    await queue.remove(id, { removeChildren: false });
    await add(queue, id);
  }
}

async function add(queue: Queue, id: string): Promise<void> {
  const data = { jobGroupId: Number(id.replace("jobgroup-", "")), merged: true };
  await queue.add("completion", data, completionOptions(id));
}
