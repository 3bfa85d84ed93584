import type { Redis } from "ioredis";
import { createGateStore } from "./queues/gate-store.ts";
import type { Keys } from "./queues/names.ts";
import type { RelayQueues } from "./relay-queues.ts";
import { completionId } from "./rules/task-identity.ts";

/** Tells in words what the dispatch of a job group that is not done waits for; undefined when nothing is known. */
export type DispatchSaid = (jobGroupId: number) => Promise<string | undefined>;

/** Looks at the gate, then at the last line that dispatch wrote; writes nothing. */
export function createDispatchSaid({
  redis,
  keys,
  queues: { completions },
}: {
  readonly redis: Redis;
  readonly keys: Keys;
  readonly queues: Pick<RelayQueues, "completions">;
}): DispatchSaid {
  const gate = createGateStore(redis, keys);
  return async (jobGroupId) => {
    const { ms, since, words } = await gate.look();
    if (ms > 0 || since !== undefined) return `The gate to the platform is shut: ${words}`;
    const { logs } = await completions.getJobLogs(completionId(jobGroupId), 0, 0, false);
    return logs[0];
  };
}
