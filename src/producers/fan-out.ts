import type { FlowProducer, Queue } from "bullmq";
import type { Redis } from "ioredis";
import { JOB_GROUPS, type Keys, publishQueue } from "../queues/names.ts";
import { publishName, publishOptions, RETENTION } from "../queues/options.ts";
import { waitsForTurn } from "../queues/task-record.ts";
import type { PublishPlan } from "../rules/model.ts";
import { completionId, taskId, taskKey } from "../rules/task-identity.ts";

/** A task whose job group is probably taken sleeps until it is woken; after so long it asks by itself. */
const TURN_MS = 2_000;

export interface FanOutDeps {
  readonly flows: FlowProducer;
  readonly redis: Redis;
  readonly keys: Keys;
  readonly queueOf: (target: string) => Queue;
}

export interface FanOut {
  /** Adds a job for each task of a job group. */
  add(jobGroupId: number, plans: readonly PublishPlan[]): Promise<void>;
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
    add: async (jobGroupId, plans) => {
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
            ...(waitsForTurn(plan, plans) && { delay: TURN_MS }),
          },
        })),
      });
    },
  };
}
