import { PlatformError } from "../errors.ts";
import type {
  Completion,
  CompletionOutcome,
  CompletionRecords,
  RecordedTask,
} from "../queues/completion-record.ts";
import type { Outcome, Run } from "../queues/outcome.ts";
import { hasGaps, type Untold, untoldWords } from "./gaps.ts";
import {
  asFirstSeen,
  type FactsPlatform,
  gatherFacts,
  isUnknown,
  type JobGroup,
  type Needs,
  standingOf,
} from "./job-group-facts.ts";
import { makeTasks, type MakeTasksDeps } from "./make-tasks.ts";
import type { JobGroupFacts, PublishPlan, Rules } from "../rules/model.ts";
import { taskKey } from "../rules/task-identity.ts";
import type { UndecidedRule } from "../rules/undecided.ts";

export interface DispatchDeps extends MakeTasksDeps {
  readonly platform: FactsPlatform;
  readonly records: Pick<CompletionRecords, "read" | "plan" | "note" | "conclude">;
  /** The rules in force, and the pure functions that read them. */
  readonly rules: {
    readonly current: Rules;
    needs(rules: Rules): Needs;
    plan(rules: Rules, facts: JobGroupFacts, undecided: readonly UndecidedRule[]): Planned;
    undecided(rules: Rules, facts: JobGroupFacts): readonly UndecidedRule[];
  };
  readonly now: () => number;
}

/** What the rules make of a job group. */
export interface Planned {
  readonly plans: readonly PublishPlan[];
  /** What hangs on rules that are not decided yet. */
  readonly held: readonly { readonly plan: PublishPlan; readonly message: string }[];
  readonly conflicts: readonly { readonly message: string }[];
  readonly problems: readonly { readonly message: string }[];
}

/** A job group that is not known, or has not ended: first look again after 5 s, then slower. */
const LOOK_AGAIN_FIRST_MS = 5_000;
const LOOK_AGAIN_MAX_MS = 5 * 60_000;
/** One that the relay started itself: when it ends no report may come that is news. */
const LOOK_AGAIN_AT_RUN_MAX_MS = 30_000;
/** A job group that the platform does not know for so long after its report is none; nor is a name that it does not tell. */
const UNKNOWN_AFTER_MS = 15 * 60_000;
/** A job group that does not end for so long is left; a later report opens it again. */
const ENDLESS_AFTER_MS = 7 * 24 * 60 * 60_000;
/** Rules whose targets Redis does not know are not those in force, or will be known within so long. */
const RULES_AGAIN_MS = 1_000;
/** While the gate is shut, dispatch asks again so often. */
const GATE_LOOK_MS = 1_000;

/**
 * Turns one completion into publish tasks: asks the platform for the job group (a report is only a hint), asks the
 * rules, writes the tasks into the record, adds their jobs. It ends quickly; the tasks run on their own.
 */
export async function dispatchCompletion(jobGroupId: number, deps: DispatchDeps, run: Run): Promise<Outcome> {
  for (;;) {
    const { completion, tasks: planned } = await deps.records.read(jobGroupId);
    if (!completion) throw new Error(`The record of job group ${jobGroupId} is gone`);
    const verdict = await judge({ ...completion, planned }, jobGroupId, deps, run);
    if ("next" in verdict) return verdict;
    const { outcome, words, tasks } = verdict;
    if (await deps.records.conclude(jobGroupId, completion.rev, outcome, words)) {
      run.tell(words);
      run.show({ progress: 100, stage: outcome, words });
      if (outcome === "failed") return { next: "fail", outcome: "failed", words };
      return { next: "done", value: { outcome, words, tasks } };
    }
    run.tell("Another report brought something new: dispatching again");
  }
}

interface Verdict {
  readonly outcome: CompletionOutcome;
  readonly words: string;
  readonly tasks: number;
}

/** What is dispatched, and the tasks that were planned before. */
type Dispatched = Completion & { readonly planned: readonly RecordedTask[] };

async function judge(
  completion: Dispatched,
  jobGroupId: number,
  deps: DispatchDeps,
  run: Run,
): Promise<Verdict | Outcome> {
  const ageMs = deps.now() - (completion.reportedAt ?? deps.now());
  try {
    const group = await deps.platform.getJobGroup(jobGroupId, run.signal);
    const standing = standingOf(group);
    switch (standing.kind) {
      case "finished":
        break;
      case "skip":
        return verdict("skipped", `Skipped: ${standing.words}`);
      case "not-yet":
        if (ageMs > ENDLESS_AFTER_MS) {
          return verdict("failed", `${standing.words} ${days(ageMs)} days after its report`);
        }
        return completion.source === "run"
          ? lookAgain(run, Math.min(ageMs, 4 * LOOK_AGAIN_AT_RUN_MAX_MS), standing.words)
          : lookAgain(run, ageMs, standing.words);
    }
    return await dispatch(group, completion, ageMs, deps, run);
  } catch (error) {
    return notAnswered(jobGroupId, ageMs, run, error);
  }
}

async function dispatch(
  group: JobGroup,
  completion: Dispatched,
  ageMs: number,
  deps: DispatchDeps,
  run: Run,
): Promise<Verdict | Outcome> {
  const { current, needs, plan, undecided } = deps.rules;
  const first = asFirstSeen(group, completion.planned);
  const { facts, gaps } = await gatherFacts(
    first,
    completion.labels,
    deps.platform,
    needs(current),
    run.signal,
  );
  const open = hasGaps(gaps) ? undecided(current, facts) : [];
  const untold = untoldWords(group.id, gaps, open);
  const planned = plan(current, facts, open);
  const notes = notesOf(planned, untold, completion.planned);
  if (notes.join() !== (completion.notes ?? []).join()) {
    for (const note of notes) run.tell(note);
    // Before there is any job, so that no summary is without them.
    await deps.records.note(group.id, notes);
  }

  const { plans } = planned;
  const made = plans.length > 0 ? await makeTasks(group.id, plans, completion, deps) : NOTHING_MADE;
  if (made === undefined) {
    // The rules changed under this run, or Redis came back empty: the rules in force are registered within a second.
    run.tell("A target of these rules is not registered any more: dispatching again by the rules in force");
    return { next: "later", inMs: RULES_AGAIN_MS };
  }
  const words = [made, ...notes].filter(Boolean).join("; ");
  if (untold) {
    // One that was reported early, and ran long, is waited for as well; what a publish of ours touched does not count.
    const sinceMs = Math.min(ageMs, Math.max(0, deps.now() - first.updatedAt));
    if (sinceMs <= UNKNOWN_AFTER_MS) return lookAgain(run, sinceMs, words);
    const advice = `To mend it, ${untold.advice}; then report the job group again`;
    return verdict("failed", `${words}. ${advice}`, plans.length);
  }
  if (plans.length > 0) return verdict("dispatched", words, plans.length);
  return planned.problems.length > 0
    ? verdict("failed", `Nothing was published: ${words}`)
    : verdict("no-rule", `No rule matches job group ${group.id}: nothing to publish`);
}

const NOTHING_MADE = "";

/** What is to be said of what gets no task, or not yet; one that has its task is not held back. */
function notesOf(
  { held, problems, conflicts }: Planned,
  untold: Untold | undefined,
  recorded: readonly RecordedTask[],
): string[] {
  const standing = new Set(recorded.map(({ plan }) => taskKey(plan)));
  const waiting = held.filter(({ plan }) => !standing.has(taskKey(plan)));
  return [
    ...(untold ? [untold.words] : []),
    ...[...waiting, ...problems, ...conflicts].map(({ message }) => message),
  ];
}

function notAnswered(jobGroupId: number, ageMs: number, run: Run, error: unknown): Verdict | Outcome {
  if (run.signal.aborted) return { next: "hand-over" };
  if (!(error instanceof PlatformError)) throw error;
  const { failure, message } = error;
  switch (failure.next) {
    case "refused":
      if (!isUnknown(error)) return verdict("failed", message);
      if (ageMs > UNKNOWN_AFTER_MS) {
        return verdict("unknown", `The platform does not know job group ${jobGroupId}: ${message}`);
      }
      return lookAgain(run, ageMs, `The platform does not know job group ${jobGroupId} yet`);
    case "gate":
      run.show({ progress: 0, stage: "waits for the platform", words: message });
      return { next: "hold", ms: GATE_LOOK_MS };
    case "retry":
    case "busy":
    case "not-sent":
    case "unknown":
      return lookAgain(run, ageMs, message, failure.retryAfterMs);
  }
}

/** Waits a quarter of the time since the report: soon at first, then ever slower. */
function lookAgain(run: Run, ageMs: number, words: string, atLeastMs = 0): Outcome {
  const inMs = Math.max(atLeastMs, Math.min(Math.max(ageMs / 4, LOOK_AGAIN_FIRST_MS), LOOK_AGAIN_MAX_MS));
  run.tell(`${words}; looking again in ${Math.round(inMs / 1_000)} s`);
  run.show({ progress: 0, stage: "looks again later", words });
  return { next: "later", inMs };
}

const verdict = (outcome: CompletionOutcome, words: string, tasks = 0): Verdict => ({
  outcome,
  words,
  tasks,
});
const days = (ms: number): number => Math.floor(ms / 86_400_000);
