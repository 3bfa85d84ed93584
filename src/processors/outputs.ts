import type { Sibling } from "../queues/task-record.ts";
import type { PublishPlan } from "../rules/model.ts";
import { taskKey } from "../rules/task-identity.ts";
import type { OutputTable } from "./publish-task.ts";

/** `create` and `createAndLoad` put a timestamp behind the table's name at every call. */
const TIMESTAMP_SUFFIX = /^_?\d{6,}[\d_-]*$/;

/**
 * Does the platform's list of written tables name the plan's table? `maybe` when it names one that is called so and
 * does not say in which database, while the job group has a task for its namesake in another.
 */
export function isListed(
  tables: readonly OutputTable[],
  plan: PublishPlan,
  siblings: readonly Sibling[],
): "yes" | "no" | "maybe" {
  const named = tables.filter((table) => table.place !== "elsewhere" && isCalled(table, plan));
  if (named.some(({ place }) => place === "ours")) return "yes";
  if (named.length === 0) return "no";
  return siblings.some(({ key }) => withoutConnection(key) === withoutConnection(taskKey(plan)))
    ? "maybe"
    : "yes";
}

/** Redshift folds case. */
function isCalled(output: OutputTable, plan: PublishPlan): boolean {
  const schema = output.path.at(-1)?.toLowerCase();
  if (schema !== undefined && schema !== plan.schema.toLowerCase()) return false;
  const written = output.table.toLowerCase();
  const wanted = plan.table.toLowerCase();
  if (written === wanted) return true;
  const suffixed = plan.action === "create" || plan.action === "createAndLoad";
  return suffixed && written.startsWith(wanted) && TIMESTAMP_SUFFIX.test(written.slice(wanted.length));
}

const withoutConnection = (key: string): string => key.slice(key.indexOf("/"));

/**
 * Does the platform's list hold a table for every publish that is complete? Only then does a table that is missing
 * there prove that it was not written: whether the list holds ad-hoc publishes at all is not known of every tenant.
 */
export function listsEveryPublish(tables: readonly OutputTable[], completeJobs: number): boolean {
  return completeJobs > 0 && tables.length >= completeJobs;
}
