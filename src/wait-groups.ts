import { isBusy, type TaskState } from "./rules/task-state.ts";
import type { LongPublish, OpenTask, WaitGroup } from "./pages/view.ts";
import { inItsQueue, type Surroundings, whyItWaits } from "./processors/why-it-waits.ts";
import type { GlancedTask, OpenTaskRecord } from "./queues/oldest-open.ts";

/** What the open tasks of the targets wait for is told from this. */
export interface OpenNow {
  /** As one glance at them told. */
  readonly glanced: readonly GlancedTask[];
  /** Were all of this target glanced at? */
  readonly isWhole: (target: string) => boolean;
  /** Those that were read in full. */
  readonly read: ReadonlyMap<string, OpenTaskRecord>;
  readonly surroundings: ReadonlyMap<string, Surroundings>;
}

/** Causes that lie in the target's queue: whoever waits for one of them stands there for its turn. */
const IN_QUEUE: readonly string[] = ["queue", "pause", "gate", "breaker", "pace", "slots"];

/** Of each target the task that has waited longest for each cause, with how many wait for the same. */
export function longestWaiting(glanced: readonly GlancedTask[]): { first: GlancedTask; count: number }[] {
  const found = new Map<string, { first: GlancedTask; count: number }>();
  for (const task of glanced) {
    if (task.state !== "planned" || task.cause === "") continue;
    const key = `${task.target}\t${IN_QUEUE.includes(task.cause) ? "queue" : task.cause}`;
    const known = found.get(key);
    const first = known && known.first.since <= task.since ? known.first : task;
    found.set(key, { first, count: (known?.count ?? 0) + 1 });
  }
  return [...found.values()];
}

/** Those of a target that wait for the same thing stand together, with the one that has waited longest. */
export function groupWaits(open: OpenNow, openTaskOf: ToOpenTask): WaitGroup[] {
  const { glanced, isWhole, read, surroundings } = open;
  const groups = new Map<string, WaitGroup>();
  for (const { first, count } of longestWaiting(glanced)) {
    const task = read.get(first.tracked);
    const around = surroundings.get(first.target);
    if (!task || !around) continue;
    const whole = isWhole(first.target);
    const inTurn = IN_QUEUE.includes(first.cause);
    // When not all were counted, those that stand in the queue itself are known from there.
    const n = inTurn && !whole ? Math.max(count, around.target.queue.waiting) : count;
    const wait = whyNow(task, around, open, inTurn && whole ? n : undefined);
    if (!wait) continue;
    const key = `${first.target}\t${wait.cause}`;
    const known = groups.get(key);
    const here = openTaskOf(task, wait.words, wait.since);
    const isLonger = known?.first === undefined || here.since < known.first.since;
    groups.set(key, {
      cause: wait.cause,
      target: first.target,
      atLeast: !whole,
      count: (known?.count ?? 0) + n,
      first: isLonger ? here : known.first,
      ...(wait.heldSince !== undefined && { heldSince: wait.heldSince }),
      words: isLonger ? wait.words : known.words,
    });
  }
  return [...groups.values(), ...notSeen(open)];
}

type ToOpenTask = (task: OpenTaskRecord, words: string | undefined, since: number | undefined) => OpenTask;

/** Why a task waits; `inTurn` says how many of its target wait for their turn, when all were counted. */
export function whyNow(task: OpenTaskRecord, around: Surroundings, open: OpenNow, inTurn?: number) {
  const target = inTurn === undefined ? around.target : { ...around.target, waitForTurn: inTurn };
  return whyItWaits(task, { ...around, target }, busyWith(task, open.read));
}

/** The task that has the job group, if it is among those read. */
function busyWith({ plan }: OpenTaskRecord, read: OpenNow["read"]): string | undefined {
  const busy = [...read.values()].find(
    (one) => one.plan.jobGroupId === plan.jobGroupId && isBusy(one.record.state),
  );
  return busy && `${busy.plan.schema}.${busy.plan.table} on ${busy.plan.target}`;
}

/** A publish that runs for less long is in motion. */
const LONG_MS = 600_000;

/** The publishes that run for much longer than those of their target usually take from the job group's end. */
export function longPublishes(
  { read }: OpenNow,
  now: number,
  usualMs: (target: string) => number,
  openTaskOf: ToOpenTask,
): LongPublish[] {
  return [...read.values()].flatMap((task) => {
    const { record, plan } = task;
    const { submittingAt } = record;
    if (!isBusy(record.state) || submittingAt === undefined) return [];
    const limit = Math.max(LONG_MS, Math.min(4 * usualMs(plan.target), plan.deadlineMs / 2));
    if (now - submittingAt <= limit) return [];
    return [{ ...openTaskOf(task, undefined, submittingAt), deadlineMs: plan.deadlineMs }];
  });
}

/** Targets of which no task was among those glanced at: what holds up the queue holds up them. */
function notSeen({ glanced, isWhole, surroundings }: OpenNow): WaitGroup[] {
  const seen = new Set(glanced.map(({ target }) => target));
  return [...surroundings].flatMap(([target, around]) => {
    const { waiting, delayed } = around.target.queue;
    if (seen.has(target) || isWhole(target) || waiting + delayed === 0) return [];
    const { cause, words, heldSince } = inItsQueue(target, around);
    const since = heldSince === undefined ? {} : { heldSince };
    return [{ cause, target, count: waiting + delayed, atLeast: false, words, ...since }];
  });
}

/** Those that publish, or are about to. */
export const areBusy = (glanced: readonly GlancedTask[]): GlancedTask[] =>
  glanced.filter(({ state }) => isBusy(state as TaskState));
