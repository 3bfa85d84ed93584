import type { ParkedDecision, Resolved } from "./processors/resolve-parked.ts";
import {
  type Audit,
  type AuditEntry,
  type AuditLog,
  carryOut,
  type Ending,
  jobGroupOf,
} from "./queues/audit-store.ts";
import { type Core, resolveTask } from "./relay-core.ts";

/** Who decides, and where they ask from. */
export type Asker = Pick<AuditEntry, "who" | "role" | "from" | "requestId">;

/** Carries out a decision on a parked task, with an entry in the audit trail before and after. */
export function resolveAudited(
  core: Core,
  { audit, log }: { readonly audit: Audit; readonly log: AuditLog },
  taskId: string,
  decision: ParkedDecision,
  asker: Asker,
): Promise<Resolved> {
  const jobGroupId = jobGroupOf(taskId);
  const { outcome, reason } = decision;
  const entry = {
    ...asker,
    action: `resolve: ${outcome}`,
    taskId,
    reason,
    ...(jobGroupId !== undefined && { jobGroupId }),
  };
  return carryOut(audit, entry, log, () => resolveTask(core, taskId, decision), endingOf);
}

function endingOf(result: Resolved): Ending {
  switch (result.kind) {
    case "resolved":
      return { outcome: "done", detail: `${result.task.state}. ${result.task.words}` };
    case "unknown":
      return { outcome: "refused", detail: "There is no such task" };
    case "refused":
      return { outcome: "refused", detail: result.detail };
  }
}
