import type { Redis } from "ioredis";
import { type Config, pollingOf } from "./config.ts";
import { lookOver } from "./overview.ts";
import type { Overview } from "./pages/view.ts";
import type { Audit } from "./queues/audit-store.ts";
import { createGateStore } from "./queues/gate-store.ts";
import { createGroupIndex } from "./queues/group-index.ts";
import { createHolds } from "./queues/holds.ts";
import type { KnownTarget } from "./queues/known-targets.ts";
import { type Keys, publishQueue } from "./queues/names.ts";
import { createOldestOpen } from "./queues/oldest-open.ts";
import { createPollStore } from "./queues/poll-store.ts";
import { createTally } from "./queues/tally.ts";
import type { RelayQueues } from "./relay-queues.ts";
import type { LookAround } from "./relay-surroundings.ts";

/** What an overview is read from; `redis` is the connection that gives up soon. */
export interface OverviewParts {
  readonly config: Config;
  readonly redis: Redis;
  readonly keys: Keys;
  readonly queues: Pick<RelayQueues, "parked">;
  readonly targets: () => readonly KnownTarget[];
  readonly lookAround: LookAround;
  readonly audit: Pick<Audit, "list">;
  readonly rulesTrouble: () => string | undefined;
}

/** Looks at how everything stands; writes nothing. */
export function createOverview(parts: OverviewParts): () => Promise<Overview> {
  const { config, redis, keys, queues, targets, lookAround, audit, rulesTrouble } = parts;
  const deps = {
    now: () => redisTime(redis),
    targets,
    lookAround,
    holds: createHolds(redis, keys),
    gate: createGateStore(redis, keys),
    openTasks: createOldestOpen(redis, keys),
    groups: createGroupIndex(redis, keys),
    undispatched: async () => {
      const [count, [oldestId, at]] = await Promise.all([
        redis.zcard(keys.unhandled),
        redis.zrange(keys.unhandled, "0", "0", "WITHSCORES"),
      ]);
      return { count, ...(oldestId && at && { oldestId: Number(oldestId), oldest: Number(at) / 1_000 }) };
    },
    parked: async () => {
      const { waiting = 0, paused = 0, prioritized = 0, delayed = 0 } = await queues.parked.getJobCounts();
      return waiting + paused + prioritized + delayed;
    },
    tally: createTally(redis, keys),
    poll: { figures: createPollStore(redis, keys).figures, polls: pollingOf(config) !== undefined },
    rulesTrouble,
    pausedBy: (names: readonly string[]) => pausedBy(audit, names),
  };
  return () => lookOver(deps);
}

/** Redis' clock, in epoch milliseconds. */
export async function redisTime(redis: Redis): Promise<number> {
  const [seconds, micros] = await redis.time();
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}

/** So many entries of the audit trail are looked through for whoever paused a target. */
const LOOKED_THROUGH = 300;

/** Who paused each target and why, in words; one that was paused by a BullMQ client stands in no trail. */
async function pausedBy(
  audit: Pick<Audit, "list">,
  targets: readonly string[],
): Promise<Map<string, string>> {
  const { entries } = await audit.list({ limit: LOOKED_THROUGH });
  const found = new Map<string, string>();
  for (const target of targets) {
    const last = entries.find(
      ({ queue, action, outcome }) =>
        queue === publishQueue(target) && /^(?:pause|resume)$/.test(action) && outcome === "done",
    );
    if (last?.action === "pause")
      found.set(target, `${last.who} paused it${last.reason === undefined ? "" : `: ${last.reason}`}`);
  }
  return found;
}
