import type { Redis } from "ioredis";
import type { PublishPlan } from "../rules/model.ts";
import { taskKey } from "../rules/task-identity.ts";
import type { Keys } from "./names.ts";
import { readTaskRecord, type TaskRecord, taskField, writeTaskRecord } from "./record.ts";
import { registerScript, words } from "./script.ts";
import { REPLAY } from "./scripts/replay.ts";
import { landingOf, placeOf } from "./task-place.ts";
import { hasEnded, REPLAYED_BY_FORCE } from "../rules/task-state.ts";

/** A job group that finished later and goes before in a table. */
export interface NewerInTable {
  readonly jobGroupId: number;
  /** It is in the table; else it is on its way there. */
  readonly published: boolean;
}

/** What came of opening a task once more. */
export type Reopened = "ok" | "changed" | "target" | { readonly doneAt: number; readonly reason: string };

export interface ReplayStore {
  /**
   * Opens a task that has ended, if its record still reads `shown` and the fleet has its target. Of a replay by force
   * with a name: if the record tells of none of that name; a number says when that one was, in epoch milliseconds.
   */
  reopen(plan: PublishPlan, shown: string, record: TaskRecord, name?: string): Promise<Reopened>;
  hasTarget(name: string): Promise<boolean>;
  /** For a plan that replaces or merges its table: a newer job group there, that was not replayed. */
  newerInTable(plan: PublishPlan): Promise<NewerInTable | undefined>;
}

/** What a replay reads and writes in Redis beside the records. */
export function createReplayStore(redis: Redis, keys: Keys, retentionMs: number): ReplayStore {
  const reopen = registerScript(redis, "relayReplay", REPLAY, 6);
  return {
    reopen: async (plan, shown, record, name) => {
      const place = placeOf(keys, plan);
      // A task that has ended keeps nobody waiting, so there is nobody to wake.
      const [answer, at = "", reason = ""] = words(
        await reopen(
          [place.group, place.waiters, place.table, place.newest, keys.open, keys.targets],
          [
            place.field,
            writeTaskRecord(record),
            shown,
            JSON.stringify(plan),
            plan.target,
            plan.rule,
            name ?? "",
            REPLAYED_BY_FORCE,
            ...landingOf(keys, plan, retentionMs),
          ],
        ),
      );
      return answer === "done" ? { doneAt: Number(at), reason } : (answer as "ok" | "changed" | "target");
    },
    hasTarget: async (name) => (await redis.hexists(keys.targets, name)) === 1,
    newerInTable: async (plan) => {
      const key = taskKey(plan);
      const [[at, id], open] = await Promise.all([
        redis.hmget(keys.newest(key), "finishedAt", "jobGroupId"),
        redis.zrevrange(keys.table(key), 0, 0, "WITHSCORES"),
      ]);
      if (at && id && isNewer(Number(at), Number(id), plan))
        return { jobGroupId: Number(id), published: true };
      const [tracked = "", score] = open;
      const openId = Number(tracked.split("\t")[2]);
      if (!isNewer(Number(score), openId, plan)) return undefined;
      const json = await redis.hget(keys.group(openId), taskField(plan));
      if (json === null || hasEnded(readTaskRecord(json).state)) return undefined;
      return { jobGroupId: openId, published: false };
    },
  };
}

const isNewer = (finishedAt: number, id: number, plan: PublishPlan): boolean =>
  finishedAt > plan.finishedAt || (finishedAt === plan.finishedAt && id > plan.jobGroupId);
