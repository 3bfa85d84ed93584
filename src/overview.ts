import { isBusy } from "./rules/task-state.ts";
import type { OpenTask, Overview, TargetView, WaitGroup } from "./pages/view.ts";
import { inItsQueue, type Surroundings, whyItWaits } from "./processors/why-it-waits.ts";
import type { GateStore } from "./queues/gate-store.ts";
import type { GroupIndex } from "./queues/group-index.ts";
import type { Holds } from "./queues/holds.ts";
import type { KnownTarget } from "./queues/known-targets.ts";
import type { OpenTaskRecord, OldestOpen } from "./queues/oldest-open.ts";
import { paceOf } from "./queues/pace.ts";
import type { PollFigures } from "./queues/poll-store.ts";
import type { Figures } from "./queues/tally.ts";
import type { WaitCause } from "./queues/waits.ts";

/** What the overview is made of. */
export interface OverviewDeps {
  readonly now: () => Promise<number>;
  readonly targets: () => readonly KnownTarget[];
  readonly lookAround: (target: string) => Promise<Surroundings>;
  readonly holds: Pick<Holds, "lastPublished">;
  readonly gate: Pick<GateStore, "look">;
  readonly openTasks: (waiting: number) => Promise<OldestOpen>;
  readonly groups: Pick<GroupIndex, "failedDispatches" | "count">;
  readonly undispatched: () => Promise<Overview["undispatched"]>;
  readonly parked: () => Promise<number>;
  readonly tally: { read(): Promise<Figures> };
  readonly poll: { readonly figures: () => Promise<PollFigures>; readonly polls: boolean };
  readonly rulesTrouble: () => string | undefined;
  /** Who paused these targets, by their names, where it is known. */
  readonly pausedBy: (targets: readonly string[]) => Promise<ReadonlyMap<string, string>>;
}

/** So many of the oldest waiting tasks are asked what they wait for. */
const ASKED = 200;
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
      deps.openTasks(ASKED),
      deps.undispatched(),
      deps.parked(),
      deps.tally.read(),
      deps.poll.figures(),
      deps.groups.count("failed"),
      deps.groups.failedDispatches(now - DAY_MS),
    ]);
  const surroundings = new Map(known.map(({ name }, i) => [name, around[i]]));
  const asked = await Promise.all(
    open.tasks
      .filter(({ record }) => record.state !== "parked")
      .map(async (task) => {
        const { target } = task.plan;
        // A task may be of a target that came or went just now.
        const there = surroundings.get(target) ?? (await deps.lookAround(target));
        return { task, wait: whyItWaits(task, there, busyWith(task, open.tasks)) };
      }),
  );
  const paused = known.filter((_, i) => around[i]?.target.paused).map(({ name }) => name);
  const pausedBy = paused.length > 0 ? await deps.pausedBy(paused) : new Map<string, string>();
  const views = known.map((target, i): TargetView => {
    const who = pausedBy.get(target.name);
    return { ...viewOf(target, around[i], last[i]), ...(who !== undefined && { pausedBy: who }) };
  });
  const trouble = deps.rulesTrouble();
  const [oldest] = asked;
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
    waits: [...groupWaits(asked, open.all), ...notAsked(asked, surroundings)],
    ...(oldest && { oldest: openTaskOf(oldest.task, oldest.wait?.words, oldest.wait?.since, now) }),
    parkedTasks: open.tasks
      .filter(({ record }) => record.state === "parked")
      .slice(0, PARKED_SHOWN)
      .map((task) => openTaskOf(task, task.record.words, task.record.endedAt, now)),
    webhooks: { ...poll, polls: deps.poll.polls },
    ...(trouble !== undefined && { rulesTrouble: trouble }),
  };
}

/** The task that has the job group, if it is among those looked at. */
function busyWith({ plan }: OpenTaskRecord, tasks: readonly OpenTaskRecord[]): string | undefined {
  const busy = tasks.find((one) => one.plan.jobGroupId === plan.jobGroupId && isBusy(one.record.state));
  return busy && `${busy.plan.schema}.${busy.plan.table} on ${busy.plan.target}`;
}

interface Asked {
  readonly task: OpenTaskRecord;
  readonly wait: ReturnType<typeof whyItWaits>;
}

/** Those that wait for the same thing stand together, the one that has waited longest first. */
function groupWaits(asked: readonly Asked[], all: boolean): WaitGroup[] {
  const groups = new Map<string, WaitGroup>();
  for (const { task, wait } of asked) {
    if (!wait) continue;
    const { target } = task.plan;
    const key = `${target}\t${wait.cause}`;
    const known = groups.get(key);
    const first = openTaskOf(task, wait.words, wait.since, wait.since);
    groups.set(key, {
      cause: wait.cause,
      target,
      atLeast: !all,
      count: (known?.count ?? 0) + 1,
      first: known?.first && known.first.since <= first.since ? known.first : first,
      ...(wait.heldSince !== undefined && { heldSince: wait.heldSince }),
      words: known?.words ?? wait.words,
    });
  }
  return [...groups.values()];
}

/** Targets with tasks so far behind that none of them was asked: what holds up the queue holds up them. */
function notAsked(
  asked: readonly Asked[],
  surroundings: ReadonlyMap<string, Surroundings | undefined>,
): WaitGroup[] {
  const seen = new Set(asked.map(({ task }) => task.plan.target));
  return [...surroundings].flatMap(([target, around]) => {
    if (!around || seen.has(target) || around.target.queue.waiting === 0) return [];
    const { cause, words, heldSince } = inItsQueue(target, around);
    const count = around.target.queue.waiting;
    return [{ cause, target, count, atLeast: false, words, ...(heldSince !== undefined && { heldSince }) }];
  });
}

const STATE_WORDS: Readonly<Record<string, string>> = {
  admitted: "It starts now",
  submitting: "Its publish was sent, the answer is awaited",
  submitted: "The platform publishes it now",
};

function openTaskOf(
  { id, plan, record }: OpenTaskRecord,
  words: string | undefined,
  since: number | undefined,
  now: number,
): OpenTask {
  return {
    id,
    jobGroupId: plan.jobGroupId,
    target: plan.target,
    table: `${plan.schema}.${plan.table}`,
    finishedAt: plan.finishedAt,
    state: record.state,
    words: words ?? STATE_WORDS[record.state] ?? record.words ?? "its turn comes",
    since: since ?? now,
  };
}

function viewOf(
  target: KnownTarget,
  around: Surroundings | undefined,
  last: TargetView["last"] | undefined,
): TargetView {
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
