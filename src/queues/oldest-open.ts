import type { Redis } from "ioredis";
import type { PublishPlan } from "../rules/model.ts";
import type { Keys } from "./names.ts";
import { readTaskRecord, type TaskRecord } from "./record.ts";
import { readWaits, type Waits } from "./waits.ts";

/** A task that has not ended. */
export interface OpenTaskRecord {
  readonly id: string;
  readonly plan: PublishPlan;
  readonly record: TaskRecord;
  readonly waits: Waits;
}

export interface OldestOpen {
  /** The oldest first, parked ones among them; no more than `waiting` that are not parked. */
  readonly tasks: readonly OpenTaskRecord[];
  /** Were all that are open looked at? */
  readonly all: boolean;
  /** How many are open, parked ones among them. */
  readonly count: number;
}

const PAGE = 250;
/** However many are parked, no more than so many are looked at. */
const PAGES_MAX = 8;

/** Looks at the oldest of the tasks that have not ended; writes nothing. */
export function createOldestOpen(redis: Redis, keys: Keys): (waiting: number) => Promise<OldestOpen> {
  const read = async (tracked: string): Promise<OpenTaskRecord | undefined> => {
    const [, id = "", jobGroup = "", field = ""] = /^[^\t]+\t([^\t]+)\t([^\t]+)\t(.+)$/.exec(tracked) ?? [];
    const wanted = [field, `plan:${field}`, `wait:${field}`];
    const [json, plan, wait] = await redis.hmget(keys.group(Number(jobGroup)), ...wanted);
    if (!json || !plan) return undefined;
    return {
      id,
      plan: JSON.parse(plan) as PublishPlan,
      record: readTaskRecord(json),
      waits: readWaits(wait ? { [`wait:${field}`]: wait } : {}, field),
    };
  };
  return async (waiting) => {
    const tasks: OpenTaskRecord[] = [];
    const count = await redis.zcard(keys.open);
    let all = false;
    for (let page = 0; page < PAGES_MAX && !all; page++) {
      const found = await redis.zrange(keys.open, String(page * PAGE), String((page + 1) * PAGE - 1));
      const records = await Promise.all(found.map((tracked) => read(tracked).catch(() => undefined)));
      tasks.push(...records.filter((one) => one !== undefined));
      all = found.length < PAGE;
      if (tasks.filter(({ record }) => record.state !== "parked").length >= waiting) break;
    }
    return { tasks, all, count };
  };
}
