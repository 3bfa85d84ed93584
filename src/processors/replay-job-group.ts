import type { Completion, CompletionRecords } from "../queues/completion-record.ts";
import { REPLAYED_BY_FORCE } from "../rules/task-state.ts";
import type { TaskRecord } from "../queues/record.ts";
import type { Reopened, ReplayStore } from "../queues/replay-store.ts";
import type { Provenance, PublishPlan } from "../rules/model.ts";
import type { DispatchDeps } from "./dispatch-completion.ts";
import type { Foreseen } from "./foresee-replay.ts";
import type { ReplayAct, ReplayChoice, ReplayStep } from "./foresee-replayed-task.ts";
import { provenanceOf } from "./make-tasks.ts";
import { forcedAs, nameOfReplay, tellDone } from "./replay-by-force.ts";
import type { ReplayLine } from "./replay-line.ts";

export interface CarryOutDeps {
  readonly records: Pick<CompletionRecords, "merge" | "plan" | "conclude">;
  readonly store: Pick<ReplayStore, "reopen">;
  readonly fanOut: Pick<DispatchDeps["fanOut"], "first" | "add">;
  /** Takes the job of a task that has ended out of its queue; one that is gone needs nothing. */
  readonly removeJob: (plan: PublishPlan) => Promise<void>;
  readonly now: () => number;
}

/** An act with the line that told of it. */
type Acting = ReplayStep & { readonly act: ReplayAct };

/**
 * Does what was foreseen of a job group, as far as its record still is as it was then: writes the tasks there, then adds
 * their jobs. Cut off between the two, the sweep adds them.
 */
export async function replayJobGroup(
  { jobGroupId, completion, steps, whole }: Foreseen,
  choice: ReplayChoice,
  by: string,
  deps: CarryOutDeps,
): Promise<ReplayLine[]> {
  const at = deps.now();
  const acting = steps.flatMap((step): Acting[] =>
    step.act ? [{ ...step, act: { ...step.act, plan: signed(step.act.plan, completion, at) } }] : [],
  );
  const record = (act: ReplayAct): TaskRecord => recordOf(act, choice, by, at);

  const fresh = acting.filter(({ act }) => !act.shown);
  // Whoever asks for some of the tasks alone leaves the others to the reports that may still come; so it is when some
  // cannot be told yet.
  const merged =
    fresh.length > 0 && whole
      ? await deps.records.merge(jobGroupId, { source: "replay", labels: {} })
      : undefined;
  const planned = await planFresh(jobGroupId, fresh, record, choice, deps, fresh.length === acting.length);
  const opened: [Acting, Reopened][] = [...planned.written];
  for (const one of acting) {
    const { plan, shown } = one.act;
    if (!shown) continue;
    const name = one.act.again ? nameOfReplay(choice) : undefined;
    opened.push([one, await deps.store.reopen(plan, shown.json, record(one.act), name)]);
  }
  const ready = opened.flatMap(([one, written]) => (written === "ok" ? [one.act] : []));
  // A record may expire before the job of its task.
  for (const { shown, plan } of ready) await deps.removeJob(shown?.plan ?? plan);
  await deps.fanOut.add(
    jobGroupId,
    ready.map(({ plan }) => plan),
    planned.first,
  );
  if (merged && merged.answer !== "same") {
    const words = `Job group ${jobGroupId}: replayed by ${by}`;
    await deps.records.conclude(jobGroupId, merged.rev, "dispatched", words);
  }
  const written = new Map(opened.map(([{ line }, how]) => [line, how]));
  return steps.map(({ line }) => tellWritten(line, written.get(line)));
}

async function planFresh(
  jobGroupId: number,
  fresh: readonly Acting[],
  record: (act: ReplayAct) => TaskRecord,
  choice: ReplayChoice,
  { records, fanOut }: CarryOutDeps,
  alone: boolean,
): Promise<{ written: [Acting, Reopened][]; first?: PublishPlan }> {
  if (fresh.length === 0) return { written: [] };
  const plans = fresh.map(({ act }) => act.plan);
  // Tasks that are added to others find their job group in any state: each asks by itself.
  const first = alone ? await fanOut.first(jobGroupId, plans) : undefined;
  const acts = new Map(fresh.map(({ act }) => [act.plan, act]));
  const standing = await records.plan(jobGroupId, plans, first, (plan) => {
    const act = acts.get(plan);
    if (!act) throw new Error("A plan is written that is none of the replay's");
    return record(act);
  });
  const written = fresh.map((one, i): [Acting, Reopened] => {
    if (standing === false) return [one, "target"];
    const stands = standing[i];
    if (!stands) return [one, "ok"];
    const done = one.act.again ? forcedAs(stands, nameOfReplay(choice)) : undefined;
    return [one, done ? { doneAt: done.at, reason: done.reason } : "changed"];
  });
  const isFirst = written.some(([{ act }, how]) => act.plan === first && how === "ok");
  return { written, ...(isFirst && first && { first }) };
}

function tellWritten(line: ReplayLine, written: Reopened | undefined): ReplayLine {
  if (typeof written === "object") {
    return { ...line, does: "nothing", done: false, words: tellDone({ at: written.doneAt, ...written }) };
  }
  switch (written) {
    case undefined:
      return { ...line, done: false };
    case "ok":
      return { ...line, done: true };
    case "changed":
      return {
        ...line,
        state: "refused",
        does: "nothing",
        done: false,
        words: "it changed just now: left alone, look again",
      };
    case "target":
      return {
        ...line,
        state: "refused",
        does: "nothing",
        done: false,
        words: "no running relay has its target in its rules any more",
      };
  }
}

/** The replay counts among the reports to which a task goes back. */
function signed(plan: PublishPlan, completion: Completion | undefined, at: number): PublishPlan {
  const before = completion && provenanceOf(completion);
  const reports: Provenance = {
    count: (before?.count ?? 0) + 1,
    listed: [...(before?.listed ?? []), { at: new Date(at).toISOString(), source: "replay" }],
  };
  return { ...plan, reports };
}

/** A task from the start, that knows the publish jobs it had and who asked for it. */
function recordOf(
  { shown, foreign, again }: ReplayAct,
  { reason = "", key }: ReplayChoice,
  by: string,
  at: number,
): TaskRecord {
  const before = shown?.record;
  const known = [...(before?.foreign ?? []), ...foreign];
  const decision = again
    ? { outcome: REPLAYED_BY_FORCE, by, reason, at, ...(key !== undefined && { key }) }
    : { outcome: "replay", by, reason, at };
  return {
    v: 1,
    state: "planned",
    attempts: 0,
    crashes: 0,
    waits: 0,
    answeredMs: 0,
    publishJobs: before?.publishJobs ?? [],
    ...(known.length > 0 && { foreign: known }),
    decisions: [...(before?.decisions ?? []), decision],
    words: `Replayed by ${by}${again ? " by force" : ""}${reason && `: ${reason}`}`,
  };
}
