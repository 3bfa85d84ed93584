import { summariseJobGroup } from "./processors/summarise-job-group.ts";
import type { CompletionRecords, RecordedTask } from "./queues/completion-record.ts";
import { taskId, taskKey } from "./rules/task-identity.ts";

/** The whole story of one job group, for people and scripts; undefined when nothing is known of it. */
export async function tellStory(
  completions: CompletionRecords,
  jobGroupId: number,
): Promise<object | undefined> {
  const { completion, tasks } = await completions.read(jobGroupId);
  if (!completion && tasks.length === 0) return undefined;
  return {
    jobGroupId,
    ...(completion && {
      completion: {
        outcome: completion.outcome ?? "open",
        ...(completion.words && { words: completion.words }),
        labels: completion.labels,
        source: completion.source,
        ...(completion.reportedAt && { reportedAt: new Date(completion.reportedAt).toISOString() }),
        reportCount: completion.reportCount,
        reports: completion.reports.map(({ at, ...report }) => ({
          at: new Date(at).toISOString(),
          ...report,
        })),
      },
    }),
    summary: summariseJobGroup(tasks).words,
    tasks: tasks.map(tellTask),
  };
}

function tellTask({ plan, record }: RecordedTask): object {
  const { target, schema, table, action, rule, rulesVersion, reports, jobGroupId } = plan;
  const time = (at: number | undefined): string | undefined =>
    at === undefined ? undefined : new Date(at).toISOString();
  return {
    id: taskId(jobGroupId, taskKey(plan)),
    target,
    schema,
    table,
    action,
    rule,
    rulesVersion,
    reports,
    state: record.state,
    attempts: record.attempts,
    words: record.words,
    publishJobId: record.publishJobId,
    requestId: record.requestId,
    submittingAt: time(record.submittingAt),
    submittedAt: time(record.submittedAt),
    endedAt: time(record.endedAt),
    evidence: record.evidence,
    decisions: record.decisions,
  };
}
