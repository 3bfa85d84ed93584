import type { Outcome, Run } from "../queues/outcome.ts";
import { hasEnded } from "../rules/task-state.ts";
import type { PublishPlan } from "../rules/model.ts";
import { start } from "./publish-start.ts";
import {
  end,
  handOver,
  isLost,
  type PublishDeps,
  type PublishTask,
  park,
  release,
  save,
} from "./publish-task.ts";
import { watch } from "./publish-watch.ts";

/** A task whose runs die so often in one step, without a single answer of the platform between, kills them itself. */
const CRASHES_TO_PARK = 3;

/**
 * Publishes the results of one job group to one table, once.
 *
 * The record says where the task stands; each step is written there before it is taken, so whoever takes the task up
 * goes on from the truth: nothing was sent yet (start), it may have been sent or was accepted (watch), or it has
 * ended.
 */
export async function publishToTarget(plan: PublishPlan, deps: PublishDeps, run: Run): Promise<Outcome> {
  try {
    const task = await take(plan, deps, run);
    const ended = await standing(task);
    if (ended) return ended;
    for (;;) {
      const outcome = isSent(task) ? await watch(task) : await start(task);
      if (outcome) return outcome;
    }
  } catch (error) {
    if (isLost(error)) return { next: "lost" };
    if (run.signal.aborted) return handOver();
    throw error;
  }
}

async function take(plan: PublishPlan, deps: PublishDeps, run: Run): Promise<PublishTask> {
  const { record, crashed, nowMs } = await deps.hold.claim();
  const since = deps.clock.now();
  const task: PublishTask = {
    ...deps,
    plan,
    run,
    record,
    probes: true,
    nowMs: () => nowMs + (deps.clock.now() - since),
  };
  if (crashed && !hasEnded(record.state)) {
    await save(task, record.state, { crashes: record.crashes + 1 });
    run.tell(`The process before stopped in the step "${record.state}"; this one goes on from there`);
  }
  return task;
}

const isSent = ({ record }: PublishTask): boolean =>
  record.state === "submitting" || record.state === "submitted";

/** What a task that has ended already answers; a failed one is run again, for only an operator can have asked. */
async function standing(task: PublishTask): Promise<Outcome | undefined> {
  const { record } = task;
  switch (record.state) {
    case "published":
    case "superseded": {
      const on = new Date(record.endedAt ?? 0).toISOString();
      return { next: "done", value: { outcome: record.state, words: `already ${record.state} on ${on}` } };
    }
    case "parked":
      return {
        next: "fail",
        outcome: "parked",
        words: `Parked: ${record.words ?? "its outcome is unknown"}. It waits for a decision`,
      };
    case "failed":
      await release(task, { attempts: 0, crashes: 0, waits: 0, answeredMs: 0 }, false);
      task.run.tell("Tried again by an operator");
      return undefined;
    case "planned":
    case "admitted":
    case "submitting":
      if (record.crashes < CRASHES_TO_PARK) {
        if (record.state === "admitted") await save(task, "planned", {}, false);
        return undefined;
      }
      return record.state === "submitting"
        ? park(task, `the process died ${record.crashes} times after the PUT may have been sent`)
        : end(
            task,
            "failed",
            `The process died ${record.crashes} times in the step "${record.state}"; nothing was sent`,
          );
    case "submitted":
      return undefined;
  }
}
