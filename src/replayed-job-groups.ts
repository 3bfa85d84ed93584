import { listFinishedSince } from "./producers/list-finished.ts";
import type { CompletionRecords } from "./queues/completion-record.ts";
import { createGroupIndex } from "./queues/group-index.ts";
import type { Core } from "./relay-core.ts";

/** When job groups finished on the platform, in epoch milliseconds. */
export interface ReplayWindow {
  readonly since?: number;
  readonly until?: number;
  /** Only those with something that failed. */
  readonly failed: boolean;
}

const PAGE = 500;
/** A job group may be reported before it finished; so long before the window its first report is looked for. */
const REPORTED_BEFORE_MS = 24 * 60 * 60_000;

/**
 * The job groups that may have finished in the window, as far as is known before each is asked for: those that the
 * platform lists, and those that the relay knows, for a publish may have moved a job group out of the list's window.
 */
export async function findReplayed(
  { core, records }: { readonly core: Core; readonly records: Pick<CompletionRecords, "read"> },
  { since = 0, until = Infinity, failed }: ReplayWindow,
): Promise<number[]> {
  const listed = failed
    ? []
    : await listFinishedSince((page, signal) => core.platform.pastGate.listFinished(page, signal), since);
  // What began later has not finished before.
  const late = new Set(listed.filter(({ createdAt = 0 }) => createdAt > until).map(({ id }) => id));
  const ids = new Set(listed.map(({ id }) => id).filter((id) => !late.has(id)));
  const index = createGroupIndex(core.connections.ingest, core.keys);
  let before: string | undefined;
  do {
    const page = await index.page({
      ...(failed && { state: "failed" }),
      reportedFrom: since - REPORTED_BEFORE_MS,
      ...(before !== undefined && { before }),
      limit: PAGE,
    });
    before = page.next;
    for (const id of page.ids) {
      if (late.has(id)) continue;
      const { completion, tasks } = await records.read(id);
      const finished = Math.min(...tasks.map(({ plan }) => plan.finishedAt));
      if (tasks.length === 0 && completion?.outcome === "skipped") continue;
      if (tasks.length === 0 || (finished >= since && finished <= until)) ids.add(id);
      else ids.delete(id);
    }
  } while (before !== undefined);
  return [...ids];
}
