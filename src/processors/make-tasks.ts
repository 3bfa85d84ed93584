import type { Completion, CompletionRecords } from "../queues/completion-record.ts";
import type { TaskRecord } from "../queues/record.ts";
import type { Provenance, PublishPlan } from "../rules/model.ts";
import { hasEnded } from "../rules/task-state.ts";

export interface MakeTasksDeps {
  readonly records: Pick<CompletionRecords, "plan">;
  /** Adds a job for each task; a task whose job exists is left alone. */
  readonly fanOut: {
    first(jobGroupId: number, plans: readonly PublishPlan[]): Promise<PublishPlan | undefined>;
    add(jobGroupId: number, plans: readonly PublishPlan[], first?: PublishPlan): Promise<void>;
    hasJob(plan: PublishPlan): Promise<boolean>;
  };
}

/**
 * Writes the tasks into the job group's record and adds their jobs; what stands there already is left as it is. Says in
 * one sentence what is new and what was there before; undefined when a target is not registered, and nothing was done.
 */
export async function makeTasks(
  jobGroupId: number,
  planned: readonly PublishPlan[],
  completion: Completion,
  { records, fanOut }: MakeTasksDeps,
): Promise<string | undefined> {
  const reports = provenanceOf(completion);
  const plans = planned.map((one): PublishPlan => ({ ...one, reports }));
  const first = await fanOut.first(jobGroupId, plans);
  const standing = await records.plan(jobGroupId, plans, first);
  if (!standing) return undefined;
  const open = plans.filter((_, i) => !standing[i] || !hasEnded(standing[i].state));
  const missing = await Promise.all(
    open.map(async (one) => (standing[plans.indexOf(one)] && (await fanOut.hasJob(one)) ? [] : [one])),
  );
  // Tasks that are added later find their job group in any state: each asks by itself.
  const isNew = first && !standing[plans.indexOf(first)];
  await fanOut.add(jobGroupId, missing.flat(), isNew ? first : undefined);
  return tell(jobGroupId, plans, standing);
}

/** A task's data lists the first report and so many of the newest; the record knows more. */
const NEWEST_LISTED = 4;

/** What its tasks tell of a completion's reports. */
export function provenanceOf({
  reportCount,
  reports,
}: Pick<Completion, "reportCount" | "reports">): Provenance {
  const rest = reports.slice(1);
  return {
    count: reportCount,
    listed: [...reports.slice(0, 1), ...rest.slice(-NEWEST_LISTED)].map(({ at, source, delivery }) => ({
      at: new Date(at).toISOString(),
      source,
      ...(delivery !== undefined && { delivery }),
    })),
  };
}

function tell(
  id: number,
  plans: readonly PublishPlan[],
  standing: readonly (TaskRecord | undefined)[],
): string {
  const fresh = plans.filter((_, i) => !standing[i]);
  const before = plans.flatMap((plan, i) => {
    const record = standing[i];
    if (!record) return [];
    const on = record.endedAt === undefined ? "" : ` on ${new Date(record.endedAt).toISOString()}`;
    return [`${plan.target}.${plan.schema}.${plan.table} already ${record.state}${on}`];
  });
  return [
    `Job group ${id}: ${fresh.length} new publish ${fresh.length === 1 ? "task" : "tasks"}`,
    ...before,
  ].join("; ");
}
