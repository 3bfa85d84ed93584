import { createMetrics, type Metrics, type Readings } from "./http/metrics.ts";
import { ownVersion } from "./own-version.ts";
import type { PublishEvents } from "./processors/publish-task.ts";
import type { BreakerStore } from "./queues/breaker-store.ts";
import { createHolds, type Holds } from "./queues/holds.ts";
import { NOTIFICATIONS, publishQueue } from "./queues/names.ts";
import { oldestCompletionMs } from "./queues/oldest-completion.ts";
import { createOldestTasks, type OldestTasks } from "./queues/oldest-tasks.ts";
import type { PollStore } from "./queues/poll-store.ts";
import { lookAtRedis } from "./queues/redis-look.ts";
import type { Core } from "./relay-core.ts";
import { isReplayed } from "./rules/lane.ts";
import type { PublishPlan } from "./rules/model.ts";

/** The metrics of this process, and what all processes have in common. */
export function openMetrics(core: Core, breakers: BreakerStore, poll: PollStore): Metrics {
  const oldest = createOldestTasks(core.connections.work, core.keys);
  const holds = createHolds(core.connections.work, core.keys);
  return createMetrics({
    version: ownVersion(),
    read: () => readMetrics(core, breakers, poll, oldest, holds),
    own: () => {
      const targets = core.targets.list().map(({ name }) => name);
      const { completions, jobGroups, poll: turns } = core.queues;
      const others = [completions, jobGroups, turns].map(({ name }) => name);
      return {
        rulesRefused: core.rules.refused() !== undefined,
        renewed: core.connections.renewed(),
        targets,
        queues: [...others, ...targets.map(publishQueue)],
      };
    },
  });
}

/** The counters' side of a publish. */
export function publishEventsOf(metrics: Metrics, plan: PublishPlan): PublishEvents {
  const { target, finishedAt } = plan;
  return {
    started: () => metrics.started(target),
    retried: (why) => metrics.retried(target, why),
    ended: ({ state, endedAt, submittedAt, submittingAt }) => {
      const sentAt = submittedAt ?? submittingAt;
      // Without a PUT of ours it was found to be published already, and nobody knows since when.
      if (state !== "published" || endedAt === undefined || sentAt === undefined)
        return metrics.ended(target, state);
      metrics.ended(target, state, {
        publishMs: Math.max(0, endedAt - sentAt),
        // What was replayed is late on purpose.
        ...(!isReplayed(plan) && { freshMs: Math.max(0, endedAt - finishedAt) }),
      });
    },
  };
}

async function readMetrics(
  { connections, keys, queues, gate, notifier, targets: known }: Core,
  breakers: BreakerStore,
  poll: PollStore,
  oldest: OldestTasks,
  holds: Pick<Holds, "waited">,
): Promise<Readings> {
  // On the connection that gives up soon: what is asked on the other would stand in line until Redis is back.
  const redis = await lookAtRedis(connections.ingest);
  const listed = known.list();
  const targets = listed.map(({ name }) => name);
  const counted = [
    queues.completions,
    queues.jobGroups,
    ...targets.map((name) => queues.of(publishQueue(name))),
    queues.parked,
    queues.poll,
    ...(notifier.out ? [queues.of(NOTIFICATIONS)] : []),
  ];
  const [jobs, shut, oldestCompletion, ages, states, figures] = await Promise.all([
    Promise.all(counted.map(async (queue) => ({ queue: queue.name, jobs: await queue.getJobCounts() }))),
    gate.look(),
    oldestCompletionMs(connections.work, keys),
    oldest(targets.map(publishQueue)),
    Promise.all(
      listed.map(async ({ name: target, freshnessMs }) => ({
        target,
        ...(freshnessMs !== undefined && { freshnessMs }),
        paused: await queues.of(publishQueue(target)).isPaused(),
        breaker: await breakers.look(target),
        waited: await holds.waited(target),
      })),
    ),
    poll.figures(),
  ]);
  const { versions = [] } = known.fleet();
  return {
    redis,
    queues: jobs,
    rulesVersions: versions.length,
    gate: { shutMs: shut.ms, reason: shut.reason },
    oldestCompletionMs: oldestCompletion,
    targets: states.map((state) => {
      const oldestMs = ages.get(publishQueue(state.target));
      return { ...state, ...(oldestMs !== undefined && { oldestMs }) };
    }),
    poll: figures,
  };
}
