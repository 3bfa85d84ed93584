import type { Surroundings } from "./processors/why-it-waits.ts";
import { createBreakerStore } from "./queues/breaker-store.ts";
import { createGateStore } from "./queues/gate-store.ts";
import { createHolds } from "./queues/holds.ts";
import { publishQueue } from "./queues/names.ts";
import { createTargetLook } from "./queues/target-look.ts";
import type { Core } from "./relay-core.ts";
import { formatDuration } from "./rules/duration.ts";
import type { Target } from "./rules/model.ts";

/** What tells why the tasks of a target wait. */
export type LookAround = (target: string) => Promise<Surroundings>;

/** Looks at targets and the gate on the connection that gives up soon; writes nothing. */
export function createLookAround({
  connections,
  keys,
  queues,
  targets,
}: Pick<Core, "connections" | "keys" | "queues"> & {
  readonly targets: Pick<Core["targets"], "find">;
}): LookAround {
  const redis = connections.ingest;
  const gate = createGateStore(redis, keys);
  const holds = createHolds(redis, keys);
  const look = createTargetLook({
    redis,
    keys,
    breakers: createBreakerStore(redis, keys),
    queueOf: (target) => queues.of(publishQueue(target)),
  });
  return async (name) => {
    const known = targets.find(name);
    const [standing, hold, shut] = await Promise.all([look(name, known), holds.look(name), gate.look()]);
    return {
      target: {
        ...standing,
        ...(known && { concurrency: known.concurrency, ...paceWords(known) }),
        ...(hold && { hold }),
      },
      gate: shut,
    };
  };
}

const paceWords = ({ rateLimit }: Target): { pace?: string } =>
  rateLimit ? { pace: `${rateLimit.max} per ${formatDuration(rateLimit.perMs)}` } : {};
