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
  /** Were all that are open looked at? */
  readonly all: boolean;
  /** How many are open, parked ones among them. */
  readonly count: number;
}

export interface OpenTaskReader {
  /** Glances at no more than so many of the oldest. */
  glance(most: number): Promise<OldestOpen>;
  /** The whole of a task; undefined when its record is gone or cannot be read. */
  read(task: GlancedTask): Promise<OpenTaskRecord | undefined>;
}

/** Redis does nothing else while it looks at so many. */
const PAGE = 500;

/** Looks at the tasks that have not ended; writes nothing. */
export function createOldestOpen(redis: Redis, keys: Keys): OpenTaskReader {
  const glance = registerScript(redis, "relayOpenGlance", OPEN_GLANCE, 1);
  return {
    glance: async (most) => {
      const count = await redis.zcard(keys.open);
      const starts = Array.from({ length: Math.ceil(Math.min(most, count) / PAGE) }, (_, i) => i * PAGE);
      const pages = await Promise.all(
        starts.map(async (from) =>
          words(await glance([keys.open], [keys.prefix, from, Math.min(from + PAGE, most) - 1])),
        ),
      );
      // A task that ends meanwhile moves up those behind it: one may be seen twice.
      const lines = [...new Map(pages.flat().map((line) => [trackedOf(line), line])).values()];
      return { tasks: lines.map(readGlance).filter(({ state }) => state !== ""), all: count <= most, count };
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

const trackedOf = (line: string): string => line.split("\t").slice(5).join("\t");

function readGlance(line: string): GlancedTask {
  const [state = "", cause = "", since, finishedAt, priority, queue = ""] = line.split("\t");
  return {
    target: queue.slice(publishQueue("").length),
    state,
    cause,
    since: Number(since),
    finishedAt: Number(finishedAt),
    replayed: Number(priority) > LAST_OF_RULES,
    tracked: trackedOf(line),
  };
}
