import type { Foreseen } from "./processors/foresee-replay.ts";
import { type CarryOutDeps, replayJobGroup } from "./processors/replay-job-group.ts";
import { type ReplayLine, summariseReplay } from "./processors/replay-line.ts";
import { within } from "./producers/accept-report.ts";
import { carryOut } from "./queues/audit-store.ts";
import { publishQueue } from "./queues/names.ts";
import type { ReplayStore } from "./queues/replay-store.ts";
import type { Asker } from "./relay-audit.ts";
import { type Core, refreshSummary } from "./relay-core.ts";
import type { ReplayParts, ReplayQuery, ReplayResult } from "./relay-replay.ts";
import type { PublishPlan } from "./rules/model.ts";
import { taskId, taskKey } from "./rules/task-identity.ts";

/** The job of a task that has just ended may still be held by the worker that ended it. */
const REMOVE_TRIES = 20;
const REMOVE_EVERY_MS = 100;
/** The queues' connection waits for a Redis that is away, and who replays does not. */
const REDIS_WITHIN_MS = 5_000;

/** A replay that came to no end: `result` tells what was done until then. */
export class ReplayStoppedError extends Error {
  override readonly name = "ReplayStoppedError";
  readonly result: ReplayResult;

  constructor(message: string, result: ReplayResult, cause: unknown) {
    super(message, { cause });
    this.result = result;
  }
}

/** Says where a replay stopped, and what to do. `left`: job groups that were not begun. */
export function tellStopped(jobGroupId: number, left: number, error: unknown): string {
  const why = error instanceof Error ? error.message : String(error);
  const others = left === 0 ? "" : `; ${left} more ${left === 1 ? "was" : "were"} not begun`;
  return `Stopped at job group ${jobGroupId}: ${why}. Whether that one was replayed is not known${others}. Ask for the same again: what was done is left alone`;
}

/** Replays one job group that was looked at, with entries in the audit trail. Rejects when Redis does not answer. */
export function createAct(
  { core, records, audit, log }: ReplayParts,
  store: ReplayStore,
): (one: Foreseen, query: ReplayQuery, asker: Asker) => Promise<ReplayLine[]> {
  const soon = <T>(work: Promise<T>): Promise<T> => within(REDIS_WITHIN_MS, work);
  const deps: CarryOutDeps = {
    records,
    store,
    fanOut: {
      first: (id, plans) => soon(core.fanOut.first(id, plans)),
      add: (id, plans, first) => soon(core.fanOut.add(id, plans, first)),
    },
    removeJob: (plan) => soon(removeJob(core, plan)),
    now: Date.now,
  };
  return async (one, query, asker) => {
    const { reason, by, force } = query;
    const entry = {
      ...asker,
      action: force ? "replay: force" : "replay",
      jobGroupId: one.jobGroupId,
      ...(reason !== undefined && { reason }),
    };
    const lines = await carryOut(
      audit,
      entry,
      log,
      () => replayJobGroup(one, query, by, deps),
      (done) => ({ outcome: "done", detail: summariseReplay(done, false) }),
    );
    // It is brought up to date with the end of each task as well.
    await soon(refreshSummary(core, one.jobGroupId)).catch(() => undefined);
    return lines;
  };
}

async function removeJob({ queues }: Core, plan: PublishPlan): Promise<void> {
  const id = taskId(plan.jobGroupId, taskKey(plan));
  for (let i = 0; i < REMOVE_TRIES; i++) {
    // 0: its worker has not let go of it. If it never does, the sweep brings the task on.
    if ((await queues.of(publishQueue(plan.target)).remove(id)) === 1) return;
    await new Promise((resolve) => setTimeout(resolve, REMOVE_EVERY_MS));
  }
}
