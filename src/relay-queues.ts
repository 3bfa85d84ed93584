import { FlowProducer, Queue } from "bullmq";
import type { Connections } from "./queues/connections.ts";
import { COMPLETIONS, JOB_GROUPS, PARKED, POLL, publishQueue } from "./queues/names.ts";
import type { Target } from "./rules/model.ts";

export interface RelayQueues {
  readonly completions: Queue;
  readonly jobGroups: Queue;
  readonly parked: Queue;
  readonly poll: Queue;
  readonly flows: FlowProducer;
  /** A queue by its name, opened when it is first asked for. */
  readonly of: (queueName: string) => Queue;
  /** Gives each of these targets' queues the concurrency that holds over all processes; waits for Redis. */
  readonly setLimits: (targets: readonly Target[]) => Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * No limit in practice: our own pace is asked for each start. BullMQ holds a queue back (`rateLimit`) only where a
 * global limit is set.
 */
const NO_LIMIT = { max: 1_000_000_000, durationMs: 1_000 };

/** Opens the queues of the flow; Redis may still be away. */
export function openQueues(
  connections: Connections,
  prefix: string,
  onError: (error: Error) => void,
): RelayQueues {
  const opened = new Map<string, Queue>();
  const of = (name: string): Queue => {
    const known = opened.get(name);
    if (known) return known;
    const queue = new Queue(name, { connection: connections.work, prefix });
    queue.on("error", onError);
    opened.set(name, queue);
    return queue;
  };
  const flows = new FlowProducer({ connection: connections.work, prefix });
  flows.on("error", onError);
  const queues = {
    completions: of(COMPLETIONS),
    jobGroups: of(JOB_GROUPS),
    parked: of(PARKED),
    poll: of(POLL),
  };
  return {
    ...queues,
    flows,
    of,
    setLimits: async (targets) => {
      await Promise.all([
        queues.completions.setGlobalRateLimit(NO_LIMIT.max, NO_LIMIT.durationMs),
        ...targets.map(async ({ name, concurrency }) => {
          await of(publishQueue(name)).setGlobalConcurrency(concurrency);
          await of(publishQueue(name)).setGlobalRateLimit(NO_LIMIT.max, NO_LIMIT.durationMs);
        }),
      ]);
    },
    close: async () => {
      await Promise.all([...[...opened.values()].map((queue) => queue.close()), flows.close()]);
    },
  };
}

/** The queue as requests use it: on the connection that gives up soon. */
export function openIntake(connections: Connections, prefix: string): Queue {
  const queue = new Queue(COMPLETIONS, { connection: connections.ingest, prefix, skipMetasUpdate: true });
  // Each request hears of its own error; the connection's are told by whoever opened it.
  queue.on("error", () => undefined);
  return queue;
}
