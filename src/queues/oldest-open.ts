import type { Redis } from "ioredis";
import { LAST_OF_RULES } from "../rules/lane.ts";
import type { PublishPlan } from "../rules/model.ts";
import { type Keys, publishQueue } from "./names.ts";
import { readTaskRecord, type TaskRecord } from "./record.ts";
import { registerScript, words } from "./script.ts";
import { OPEN_GLANCE } from "./scripts/open-glance.ts";
import { readWaits, type Waits } from "./waits.ts";

/** A task that has not ended. */
export interface OpenTaskRecord {
  readonly id: string;
  readonly plan: PublishPlan;
  readonly record: TaskRecord;
  readonly waits: Waits;
}

/** What one glance tells of an open task; times are epoch milliseconds of Redis' clock. */
export interface GlancedTask {
  readonly target: string;
  readonly state: string;
  /** What it is noted to wait for; empty when it does not wait. */
  readonly cause: string;
  readonly since: number;
  readonly finishedAt: number;
  readonly replayed: boolean;
  /** As the open tasks list it. */
  readonly tracked: string;
}

export interface OldestOpen {
  /** The oldest first, parked ones among them. */
  readonly tasks: readonly GlancedTask[];
  /** Were all open tasks of this target glanced at? */
  readonly isWhole: (target: string) => boolean;
  /** How many are open, parked ones among them. */
  readonly count: number;
}

export interface OpenTaskReader {
  /** Glances at the 200 oldest of each target, and at those that are active, among the 5,000 oldest of all. */
  glance(): Promise<OldestOpen>;
  /** The whole of a task; undefined when its record is gone or cannot be read. */
  read(task: GlancedTask): Promise<OpenTaskRecord | undefined>;
}

/** No more are gone through: Redis does nothing else meanwhile. */
const GONE_THROUGH = 5_000;
const READ_OF_EACH = 200;

/** Looks at the tasks that have not ended; writes nothing. */
export function createOldestOpen(redis: Redis, keys: Keys): OpenTaskReader {
  const glance = registerScript(redis, "relayOpenGlance", OPEN_GLANCE, 1);
  return {
    glance: async () => {
      const [count, reply] = await Promise.all([
        redis.zcard(keys.open),
        glance([keys.open], [keys.prefix, GONE_THROUGH, READ_OF_EACH]),
      ]);
      const [cut = "", ...lines] = words(reply);
      const queues = new Set(cut.split(" "));
      return {
        tasks: lines.map(readGlance).filter(({ state }) => state !== ""),
        isWhole: (target) => count <= GONE_THROUGH && !queues.has(publishQueue(target)),
        count,
      };
    },
    read: async ({ tracked }) => {
      const [, id = "", jobGroup = "", field = ""] = /^[^\t]+\t([^\t]+)\t([^\t]+)\t(.+)$/.exec(tracked) ?? [];
      const wanted = [field, `plan:${field}`, `wait:${field}`];
      const [json, plan, wait] = await redis.hmget(keys.group(Number(jobGroup)), ...wanted);
      if (!json || !plan) return undefined;
      try {
        const record = readTaskRecord(json);
        const waits = readWaits(wait ? { [`wait:${field}`]: wait } : {}, field);
        return { id, plan: JSON.parse(plan) as PublishPlan, record, waits };
      } catch {
        return undefined;
      }
    },
  };
}

function readGlance(line: string): GlancedTask {
  const [state = "", cause = "", since, finishedAt, priority, queue = "", ...rest] = line.split("\t");
  return {
    target: queue.slice(publishQueue("").length),
    state,
    cause,
    since: Number(since),
    finishedAt: Number(finishedAt),
    replayed: Number(priority) > LAST_OF_RULES,
    tracked: [queue, ...rest].join("\t"),
  };
}
