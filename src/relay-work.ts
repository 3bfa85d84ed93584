import type { Config } from "./config.ts";
import type { RunningWorker } from "./queues/worker.ts";
import { createTargetWorkers } from "./relay-target-workers.ts";
import { startDispatchWorkers, type WorkerDeps } from "./relay-workers.ts";

/** The workers of this process that dispatch and publish. */
export interface Work {
  readonly all: () => readonly RunningWorker[];
  /** Takes no new work for good, and hands over what runs. */
  readonly close: () => Promise<void>;
}

/** Starts what the roles ask for, and follows the targets; completions wait until there are rules. */
export function openWork(deps: WorkerDeps, roles: Config["roles"]): Work {
  const publishes = roles.includes("publish") ? createTargetWorkers(deps) : undefined;
  let dispatches: readonly RunningWorker[] = [];
  let closed = false;

  const follow = (): void => {
    if (closed) return;
    publishes?.follow(deps.targets.list());
    if (roles.includes("dispatch") && dispatches.length === 0 && deps.rulesNow()) {
      dispatches = startDispatchWorkers(deps);
    }
  };
  deps.targets.onChange(follow);
  follow();

  return {
    all: () => [...dispatches, ...(publishes?.all() ?? [])],
    close: async () => {
      closed = true;
      await Promise.all([...dispatches.map(({ close }) => close()), publishes?.close()]);
    },
  };
}
