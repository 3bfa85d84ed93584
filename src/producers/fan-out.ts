import type { FlowProducer, Queue } from "bullmq";
import type { Redis } from "ioredis";
import { JOB_GROUPS, type Keys, publishQueue } from "../queues/names.ts";
import { publishName, publishOptions, RETENTION } from "../queues/options.ts";
import { isReplayed } from "../rules/lane.ts";
import type { PublishPlan } from "../rules/model.ts";
import { completionId, taskId, taskKey } from "../rules/task-identity.ts";

/** A task that waits for its turn is woken; after so long it asks by itself. */
const TURN_MS = 15_000;
/** BullMQ's own window of a second is no hold. */
const HELD_FROM_MS = 1_001;

export interface FanOutDeps {
  readonly flows: FlowProducer;
  readonly redis: Redis;
  readonly keys: Keys;
  readonly queueOf: (target: string) => Queue;
}

export interface FanOut {
  /**
   * Which of the tasks of a job group may start at once: another one from job group to job group, so that no target is
   * always last, and none whose target is paused or held back.
   */
  first(jobGroupId: number, plans: readonly PublishPlan[]): Promise<PublishPlan | undefined>;
  /** Adds a job for each task of a job group; those that run one at a time sleep, but for the first. */
  add(jobGroupId: number, plans: readonly PublishPlan[], first?: PublishPlan): Promise<void>;
  hasJob(plan: PublishPlan): Promise<boolean>;
}

/**
 * Puts publish tasks on their targets' queues. The first of a job group come as one flow, parent and children in one
 * MULTI; those that come later stand alone, for a parent that may have ended takes no more children.
 */
export function createFanOut({ flows, redis, keys, queueOf }: FanOutDeps): FanOut {
  const exists = async (queue: string, id: string): Promise<boolean> =>
    (await redis.exists(keys.queue(queue, id))) === 1;
  return {
    hasJob: (plan) => exists(publishQueue(plan.target), taskId(plan.jobGroupId, taskKey(plan))),
    first: async (jobGroupId, plans) => {
      const held = await Promise.all(
        plans.map(async ({ target }) => {
          const queue = publishQueue(target);
          const [paused, heldMs] = await Promise.all([
            redis.hexists(keys.queue(queue, "meta"), "paused"),
            redis.pttl(keys.queue(queue, "limiter")),
          ]);
          return paused === 1 || heldMs >= HELD_FROM_MS;
        }),
      );
      const free = plans.filter((_, i) => !held[i]);
      const choice = free.length > 0 ? free : plans;
      return choice[jobGroupId % choice.length];
    },
    add: async (jobGroupId, plans, first) => {
      if (plans.length === 0) return;
      const parent = completionId(jobGroupId);
      if (await exists(JOB_GROUPS, parent)) {
        await Promise.all(
          plans.map((plan) => queueOf(plan.target).add(publishName(plan), plan, publishOptions(plan))),
        );
        return;
      }
      await flows.add({
        name: `jobGroup ${jobGroupId}`,
        queueName: JOB_GROUPS,
        data: { jobGroupId },
        opts: { ...RETENTION, jobId: parent },
        children: plans.map((plan) => ({
          name: publishName(plan),
          queueName: publishQueue(plan.target),
          data: plan,
          // A failed target holds up neither the others nor the summary.
          opts: {
            ...publishOptions(plan),
            ignoreDependencyOnFailure: true,
            // As if it were woken already: it goes before those that may ask at any time.
            ...(plan.serialize &&
              first &&
              first !== plan && { delay: TURN_MS, ...(!isReplayed(plan) && { priority: 0 }) }),
          },
        })),
      });
    },
  };
}
