import { isReplayed } from "../rules/lane.ts";
import { REPEATABLE_ACTIONS, type PublishPlan } from "../rules/model.ts";
import { taskId, taskKey } from "../rules/task-identity.ts";
import { type Keys, publishQueue } from "./names.ts";
import { taskField } from "./record.ts";

/** Publishes that replace or merge are run in the order in which their job groups finished. */
export const isOrdered = (plan: PublishPlan): boolean => REPEATABLE_ACTIONS.includes(plan.action);

/** How a task is named where it waits or stands open: queue and job id. */
export const waiterOf = (plan: PublishPlan): string =>
  `${publishQueue(plan.target)}\t${taskId(plan.jobGroupId, taskKey(plan))}`;

/** How the list of open tasks names a task: all that is needed to find its job and its record. */
export const trackedOf = (plan: PublishPlan): string =>
  `${waiterOf(plan)}\t${plan.jobGroupId}\t${taskField(plan)}`;

/** The keys of a task, and how it is named in them. */
export function placeOf(keys: Keys, plan: PublishPlan) {
  const key = taskKey(plan);
  return {
    group: keys.group(plan.jobGroupId),
    field: taskField(plan),
    lock: keys.queue(publishQueue(plan.target), `${taskId(plan.jobGroupId, key)}:lock`),
    waiters: keys.waiters(plan.jobGroupId),
    table: keys.table(key),
    newest: keys.newest(key),
    pace: keys.pace(plan.target),
    breaker: keys.breaker(plan.target),
    waiter: waiterOf(plan),
    tracked: trackedOf(plan),
  };
}

/** What follows from a task's new state depends on this: the arguments of `LANDING`. */
export function landingOf(keys: Keys, plan: PublishPlan, retentionMs: number): (string | number)[] {
  const { finishedAt, jobGroupId } = plan;
  return [
    keys.prefix,
    waiterOf(plan),
    trackedOf(plan),
    finishedAt,
    jobGroupId,
    retentionMs,
    flag(isOrdered(plan)),
    flag(isReplayed(plan)),
  ];
}

/** A yes or no as a script's argument. */
export const flag = (yes: boolean): "1" | "0" => (yes ? "1" : "0");
