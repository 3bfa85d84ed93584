import type { Outcome, Run } from "../queues/outcome.ts";
import { hasEnded } from "../rules/task-state.ts";
import type { Sibling, TaskHold } from "../queues/task-record.ts";
import type { PublishPlan } from "../rules/model.ts";
import { start } from "./publish-start.ts";
import { handOver, isLost, type PublishDeps, type PublishTask, park, release, save } from "./publish-task.ts";
import { watch } from "./publish-watch.ts";

/** A task whose runs die so often in one step, without a single answer of the platform between, kills them itself. */
const CRASHES_TO_PARK = 6;
/**
 * A process that dies takes everything along that it ran, and whoever takes all that up at once may die the same way.
 * So from its second crash in a row on a task rests for a while of its own, up to so long and twice as long each time:
 * only the one that is to blame goes on dying.
 */
const CRASHES_TO_REST = 2;
const REST_FIRST_MS = 4_000;
const REST_MAX_MS = 60_000;

/**
 * Publishes the results of one job group to one table, once.
 *
 * The record says where the task stands; each step is written there before it is taken, so whoever takes the task up
 * goes on from the truth: nothing was sent yet (start), it may have been sent or was accepted (watch), or it has
 * ended.
 */
export async function publishToTarget(plan: PublishPlan, deps: PublishDeps, run: Run): Promise<Outcome> {
  try {
    const { task, crashed } = await take(plan, deps, run);
    const ended = await standing(task);
    if (ended) return ended;
    if (crashed && task.record.crashes >= CRASHES_TO_REST) return await rest(task);
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

/**
 * Follows a publish that was sent, or may have been, to its end, and starts none; undefined when there is none. For a
 * task whose job nobody may take.
 */
export async function followOnly(
  plan: PublishPlan,
  deps: PublishDeps,
  run: Run,
): Promise<Outcome | undefined> {
  try {
    const { task } = await take(plan, deps, run);
    if (isSent(task)) return await watch(task);
    await save(task, task.record.state, {}, true);
    return undefined;
  } catch (error) {
    if (isLost(error)) return { next: "lost" };
    if (run.signal.aborted) return handOver();
    throw error;
  }
}

async function take(
  plan: PublishPlan,
  deps: PublishDeps,
  run: Run,
): Promise<{ task: PublishTask; crashed: boolean }> {
  const since = deps.clock.now();
  const { record, crashed: leftBehind, nowMs, redisLife } = await deps.hold.claim();
  const aheadMs = deps.clock.now() - since;
  const task: PublishTask = {
    ...deps,
    plan,
    run,
    record,
    probes: true,
    redisLife,
    nowMs: () => nowMs + (deps.clock.now() - since),
    listSiblings: siblingsOf(plan, deps.hold),
    aheadMs,
  };
  // A planned task stood in line, and took no step that could kill a process.
  const crashed = leftBehind && !hasEnded(record.state) && record.state !== "planned";
  if (crashed) {
    await save(task, record.state, { crashes: record.crashes + 1 });
    run.tell(`The process before stopped in the step "${record.state}"; this one goes on from there`);
  }
  return { task, crashed };
}

/** While a task has the job group, its siblings stay as they are: one look is enough, if they run one at a time. */
function siblingsOf(plan: PublishPlan, hold: TaskHold): () => Promise<readonly Sibling[]> {
  let known: Promise<readonly Sibling[]> | undefined;
  return () => {
    if (!plan.serialize) return hold.siblings();
    known ??= hold.siblings().catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return known;
  };
}

/** The process died after the task had failed, and before its job was told: nobody asked for another try. */
async function failedBefore(task: PublishTask): Promise<Outcome> {
  await save(task, "failed", { endedStalls: task.run.stalls }, true);
  return { next: "fail", outcome: "failed", words: task.record.words ?? "The task failed" };
}

/** Lets go of the task for a while; where it stands, and what it holds, stays as it is. */
async function rest(task: PublishTask): Promise<Outcome> {
  const { crashes, state } = task.record;
  const mostMs = Math.min(REST_FIRST_MS * 2 ** (crashes - CRASHES_TO_REST), REST_MAX_MS);
  await save(task, state, {}, true);
  task.run.tell(`${crashes} processes in a row stopped in the step "${state}": going on after a rest`);
  return { next: "later", inMs: Math.round(mostMs * task.clock.random()) };
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
      const words = record.evidence ? record.words : `already ${record.state} on ${on}`;
      task.run.show({ progress: 100, stage: record.state, words: words ?? "" });
      return { next: "done", value: { outcome: record.state, words } };
    }
    case "parked":
      return {
        next: "fail",
        outcome: "parked",
        words: `Parked: ${record.words ?? "its outcome is unknown"}. It waits for a decision`,
      };
    case "failed":
      if (task.run.stalls > (record.endedStalls ?? task.run.stalls)) return failedBefore(task);
      await release(task, "queue", { attempts: 0, crashes: 0, waits: 0, answeredMs: 0 }, false);
      task.run.tell("Tried again by an operator");
      return undefined;
    case "planned":
    case "admitted":
    case "submitting":
      if (record.crashes < CRASHES_TO_PARK) {
        if (record.state === "admitted") await save(task, "planned", {}, false);
        return undefined;
      }
      return park(
        task,
        record.state === "submitting"
          ? `the process died ${record.crashes} times after the PUT may have been sent`
          : `the process died ${record.crashes} times in the step "${record.state}"; nothing was sent`,
      );
    case "submitted":
      return undefined;
  }
}
