import type { OpenTask, Overview, TargetView } from "./pages/view.ts";
import type { Surroundings } from "./processors/why-it-waits.ts";
import type { GateStore } from "./queues/gate-store.ts";
import type { GroupIndex } from "./queues/group-index.ts";
import type { Holds } from "./queues/holds.ts";
import type { KnownTarget } from "./queues/known-targets.ts";
import type { GlancedTask, OldestOpen, OpenTaskRecord, OpenTaskReader } from "./queues/oldest-open.ts";
import { paceOf } from "./queues/pace.ts";
import type { PollFigures } from "./queues/poll-store.ts";
import type { Figures } from "./queues/tally.ts";
import type { WaitCause } from "./queues/waits.ts";
import { areBusy, groupWaits, longestWaiting, longPublishes, type OpenNow, whyNow } from "./wait-groups.ts";

/** What the overview is made of. */
export interface OverviewDeps {
  readonly now: () => Promise<number>;
  readonly targets: () => readonly KnownTarget[];
  readonly lookAround: (target: string) => Promise<Surroundings>;
  readonly holds: Pick<Holds, "lastPublished">;
  readonly gate: Pick<GateStore, "look">;
  readonly openTasks: OpenTaskReader;
  readonly groups: Pick<GroupIndex, "failedDispatches" | "count">;
  readonly undispatched: () => Promise<Overview["undispatched"]>;
  readonly parked: () => Promise<number>;
  readonly tally: { read(): Promise<Figures> };
  readonly poll: { readonly figures: () => Promise<PollFigures>; readonly polls: boolean };
  readonly rulesTrouble: () => string | undefined;
  /** Who paused these targets, by their names, where it is known. */
  readonly pausedBy: (targets: readonly string[]) => Promise<ReadonlyMap<string, string>>;
}

const PARKED_SHOWN = 5;
const DAY_MS = 86_400_000;

/** Gathers what the overview shows, as it stands at one moment. */
export async function lookOver(deps: OverviewDeps): Promise<Overview> {
  const known = deps.targets();
  const now = await deps.now();
  const [around, last, gate, open, undispatched, parked, figures, poll, failedGroups, dispatchFailed] =
    await Promise.all([
      Promise.all(known.map(({ name }) => deps.lookAround(name))),
      Promise.all(known.map(({ name }) => deps.holds.lastPublished(name))),
      deps.gate.look(),
      deps.openTasks.glance(),
      deps.undispatched(),
      deps.parked(),
      deps.tally.read(),
      deps.poll.figures(),
      deps.groups.count("failed"),
      deps.groups.failedDispatches(now - DAY_MS),
    ]);
  const openNow = await lookCloser(deps, open, new Map(known.map(({ name }, i) => [name, around[i]])));
  const toOpenTask = (task: OpenTaskRecord, words?: string, since = now) => openTaskOf(task, words, since);
  const paused = known.filter((_, i) => around[i]?.target.paused).map(({ name }) => name);
  const pausedBy = paused.length > 0 ? await deps.pausedBy(paused) : new Map<string, string>();
  const views = known.map((target, i): TargetView => {
    const who = pausedBy.get(target.name);
    const late = lateOf(target, open.tasks, now);
    return { ...viewOf(target, around[i], last[i]), late, ...(who !== undefined && { pausedBy: who }) };
  });
  const usualMs = (target: string) => figures.targets.get(target)?.day.freshness?.p50 ?? 0;
  const trouble = deps.rulesTrouble();
  const oldest = openNow.read.get(oldestOf(open.tasks)?.tracked ?? "");
  const parkedTasks = areParked(open.tasks).flatMap(({ tracked }) => openNow.read.get(tracked) ?? []);
  return {
    now,
    gate,
    open: open.count,
    parked,
    active: views.reduce((sum, { queue }) => sum + queue.running, 0),
    undispatched,
    dispatchFailed,
    failedGroups,
    figures,
    targets: views,
    waits: groupWaits(openNow, toOpenTask),
    longPublishes: longPublishes(openNow, now, usualMs, toOpenTask),
    ...(oldest && { oldest: toOpenTask(oldest, waitOf(oldest, openNow)?.words) }),
    parkedTasks: parkedTasks.map((task) => toOpenTask(task, task.record.words, task.record.endedAt)),
    webhooks: { ...poll, polls: deps.poll.polls },
    ...(trouble !== undefined && { rulesTrouble: trouble }),
  };
}

/** Reads in full what the page names: who has waited longest, who publishes, who is parked, who is the oldest. */
async function lookCloser(
  deps: OverviewDeps,
  { tasks, isWhole }: OldestOpen,
  known: ReadonlyMap<string, Surroundings | undefined>,
): Promise<OpenNow> {
  const oldest = oldestOf(tasks);
  const wanted = new Set([
    ...longestWaiting(tasks).map(({ first }) => first),
    ...areBusy(tasks),
    ...areParked(tasks),
    ...(oldest ? [oldest] : []),
  ]);
  const read = new Map<string, OpenTaskRecord>();
  const surroundings = new Map<string, Surroundings>();
  await Promise.all([
    ...[...wanted].map(async (task) => {
      const found = await deps.openTasks.read(task);
      if (found) read.set(task.tracked, found);
    }),
    // A task may be of a target that came or went just now.
    ...[...new Set([...known.keys(), ...tasks.map(({ target }) => target)])].map(async (target) => {
      surroundings.set(target, known.get(target) ?? (await deps.lookAround(target)));
    }),
  ]);
  return { glanced: tasks, isWhole, read, surroundings };
}

/** The task whose job group finished first. */
const oldestOf = (tasks: readonly GlancedTask[]): GlancedTask | undefined =>
  tasks.reduce<GlancedTask | undefined>(
    (first, task) => (first && first.finishedAt <= task.finishedAt ? first : task),
    undefined,
  );

/** What was replayed is late on purpose. */
const lateOf = ({ name, freshnessMs }: KnownTarget, tasks: readonly GlancedTask[], now: number): number =>
  freshnessMs === undefined
    ? 0
    : tasks.filter(
        ({ target, finishedAt, replayed }) =>
          target === name && !replayed && finishedAt > 0 && finishedAt + freshnessMs < now,
      ).length;

const areParked = (tasks: readonly GlancedTask[]): GlancedTask[] =>
  tasks.filter(({ state }) => state === "parked").slice(0, PARKED_SHOWN);

function waitOf(task: OpenTaskRecord, open: OpenNow) {
  const around = open.surroundings.get(task.plan.target);
  return around && whyNow(task, around, open);
}

const STATE_WORDS: Readonly<Record<string, string>> = {
  admitted: "It starts now",
  submitting: "Its publish was sent, the answer is awaited",
  submitted: "The platform publishes it now",
};

/** A publish whose answer never came is looked for, and no answer is awaited. */
function stateWords({ state, putWords }: OpenTaskRecord["record"]): string | undefined {
  if (state === "submitting" && putWords !== undefined)
    return `Whether its publish was applied is looked for before anything is sent again: ${putWords}`;
  return STATE_WORDS[state];
}

function openTaskOf(
  { id, plan, record }: OpenTaskRecord,
  words: string | undefined,
  since: number,
): OpenTask {
  return {
    id,
    jobGroupId: plan.jobGroupId,
    target: plan.target,
    table: `${plan.schema}.${plan.table}`,
    finishedAt: plan.finishedAt,
    state: record.state,
    words: words ?? stateWords(record) ?? record.words ?? "its turn comes",
    since,
  };
}

function viewOf(
  target: KnownTarget,
  around: Surroundings | undefined,
  last: TargetView["last"] | undefined,
): Omit<TargetView, "late"> {
  const { name, description, inRules, connection, concurrency, rateLimit, freshnessMs } = target;
  const { max, perUs } = paceOf(target);
  const look = around?.target;
  const held: { cause: WaitCause; since: number } | undefined = look?.hold;
  return {
    name,
    inRules,
    connection,
    concurrency,
    paused: look?.paused ?? false,
    nextStartInMs: look?.nextStartInMs ?? 0,
    breaker: look?.breaker ?? { failures: 0, openMs: 0, open: false, words: "" },
    queue: look?.queue ?? { waiting: 0, delayed: 0, active: 0, running: 0 },
    ...(description !== undefined && { description }),
    ...(look?.pace !== undefined && { pace: look.pace }),
    ...(rateLimit && { everyMs: perUs / max / 1_000 }),
    ...(freshnessMs !== undefined && { freshnessMs }),
    ...(last && { last }),
    ...(held && { held }),
  };
}
