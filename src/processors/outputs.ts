import type { PublishPlan } from "../rules/model.ts";
import type { OutputTable } from "./publish-task.ts";

/** `create` and `createAndLoad` put a timestamp behind the table's name at every call. */
const TIMESTAMP_SUFFIX = /^_?\d{6,}[\d_-]*$/;

/** Does the platform's line name the plan's table? Redshift folds case. */
export function namesTable(output: OutputTable, plan: PublishPlan): boolean {
  const schema = output.path.at(-1)?.toLowerCase();
  if (schema !== undefined && schema !== plan.schema.toLowerCase()) return false;
  const written = output.table.toLowerCase();
  const wanted = plan.table.toLowerCase();
  if (written === wanted) return true;
  const suffixed = plan.action === "create" || plan.action === "createAndLoad";
  return suffixed && written.startsWith(wanted) && TIMESTAMP_SUFFIX.test(written.slice(wanted.length));
}

/**
 * Does the platform's list hold a table for every publish that is complete? Only then does a table that is missing
 * there prove that it was not written: whether the list holds ad-hoc publishes at all is not known of every tenant.
 */
export function listsEveryPublish(tables: readonly OutputTable[], completeJobs: number): boolean {
  return completeJobs > 0 && tables.length >= completeJobs;
}
