import type { Queue } from "bullmq";
import type { CompletionRecords } from "../queues/completion-record.ts";
import { completionOptions } from "../queues/options.ts";
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
    if (merged.answer === "changed" || merged.answer === "reopened") await reopen(queue, id);
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
 * whether a report came since it began.
 */
export async function reopen(queue: Queue, id: string): Promise<void> {
  const job = await queue.getJob(id);
  if (!job) {
    await queue.add(
      "completion",
      { jobGroupId: Number(id.replace("jobgroup-", "")), merged: true },
      completionOptions(id),
    );
    return;
  }
  const state = await job.getState();
  if (state !== "completed" && state !== "failed") return;
  await job.retry(state, { resetAttemptsMade: true }).catch((error: unknown) => {
    // Somebody else was faster, and it is under way again.
    if (!(error instanceof Error && /not in the/.test(error.message))) throw error;
  });
}
