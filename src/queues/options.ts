import type { JobsOptions } from "bullmq";
import type { PublishPlan } from "../rules/model.ts";
import { taskId, taskKey } from "../rules/task-identity.ts";

const DAY_S = 24 * 60 * 60;

/** Kept by age: a count would cut short the time in which a repeated id is recognised. */
export const RETENTION = { removeOnComplete: { age: 7 * DAY_S }, removeOnFail: { age: 30 * DAY_S } } as const;

/** More than any number of transient errors of Redis' own: dispatch decides itself when to give up. */
const COMPLETION_ATTEMPTS = 100;

export const completionOptions = (jobId: string): JobsOptions => ({
  ...RETENTION,
  jobId,
  attempts: COMPLETION_ATTEMPTS,
  backoff: { type: "custom" },
});

export const publishOptions = (plan: PublishPlan): JobsOptions => ({
  ...RETENTION,
  jobId: taskId(plan.jobGroupId, taskKey(plan)),
  attempts: plan.attempts,
  backoff: { type: "custom" },
  priority: plan.priority,
});

/** How a task reads on the board: `jobGroup 31 -> sales.public.test_table2 (load)`. */
export const publishName = (plan: PublishPlan): string =>
  `jobGroup ${plan.jobGroupId} -> ${plan.target}.${plan.schema}.${plan.table} (${plan.action})`;
