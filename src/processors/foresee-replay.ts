import { PlatformError } from "../errors.ts";
import type { Completion, RecordedTask } from "../queues/completion-record.ts";
import type { ReplayStore } from "../queues/replay-store.ts";
import { REPLAY_PRIORITY } from "../rules/lane.ts";
import type { PublishPlan } from "../rules/model.ts";
import { taskKey } from "../rules/task-identity.ts";
import { type Judged, type JudgedTask, type JudgeDeps, judgeJobGroup } from "./judge-job-group.ts";
import type { PlatformJob, PublishPlatform } from "./publish-task.ts";
import { type Around, foreseeTask, type ReplayChoice, type ReplayStep } from "./foresee-replayed-task.ts";
import { lineOf, type ReplayLine } from "./replay-line.ts";

export interface ReplayDeps {
  readonly judge: JudgeDeps;
  /** Past the gate, as in `judge`. */
  readonly platform: Pick<PublishPlatform, "listJobs" | "listTables">;
  readonly store: Pick<ReplayStore, "hasTarget" | "newerInTable">;
}

/** What a replay of one job group comes to. */
export interface Foreseen {
  readonly jobGroupId: number;
  /** Epoch milliseconds; absent when neither the record nor the platform tells. */
  readonly finishedAt?: number;
  readonly completion?: Completion;
  /** Are its steps all that the rules make of it? */
  readonly whole: boolean;
  /** A line for each task, or one for the job group; what is to be done has an act. */
  readonly steps: readonly ReplayStep[];
}

/**
 * Tells what a replay of a job group would do, by the code of dispatch and of the publish; writes nowhere, and never
 * rejects for what the platform does. Rejects when Redis cannot be read.
 */
export async function foreseeReplay(
  jobGroupId: number,
  choice: ReplayChoice,
  deps: ReplayDeps,
): Promise<Foreseen> {
  const judged = await judgeJobGroup(jobGroupId, {}, deps.judge);
  const { completion, recorded, look } = judged;
  const finished = Math.min(
    look.known ? look.facts.finishedAt : Infinity,
    ...recorded.map(({ plan }) => plan.finishedAt),
  );
  return {
    jobGroupId,
    ...(Number.isFinite(finished) && { finishedAt: finished }),
    ...(completion && { completion }),
    whole: !isNarrowed(choice) && !isUnsure(judged),
    steps: await stepsOf(jobGroupId, judged, choice, deps),
  };
}

async function stepsOf(
  jobGroupId: number,
  judged: Judged,
  choice: ReplayChoice,
  deps: ReplayDeps,
): Promise<ReplayStep[]> {
  const { completion, recorded, look, planned, notes } = judged;
  const whole = (state: ReplayLine["state"], words: string): ReplayStep[] => [
    { line: lineOf(jobGroupId, state, "nothing", words) },
  ];
  if (typeof deps.judge.rules === "string") return whole("refused", deps.judge.rules);
  if (!look.answered)
    return whole("unknown", `not known: ${look.words}; do it again once the platform tells it`);
  if (look.blockedNow !== undefined) return whole("refused", look.blockedNow);

  const made = new Map(planned.map(({ plan }) => [taskKey(plan), plan]));
  const unsure = new Map(planned.map((one) => [taskKey(one.plan), unsureOf(one)]));
  const standing = new Map(recorded.map((task) => [taskKey(task.plan), task]));
  const chosen = [...new Set([...made.keys(), ...standing.keys()])].filter((key) =>
    isChosen(made.get(key) ?? standing.get(key)?.plan, standing.get(key), completion, choice),
  );
  const around = aroundOf(jobGroupId, recorded, choice, deps);
  const steps: ReplayStep[] = [];
  for (const key of chosen)
    steps.push(
      await foreseeTask(
        { plan: replayed(made.get(key)), task: standing.get(key), unsure: unsure.get(key) },
        around,
      ),
    );
  if (choice.failed || isNarrowed(choice)) return steps;
  if (steps.length > 0) return [...steps, ...notes.flatMap((words) => whole("note", words))];
  const why = notes.length > 0 ? notes.join("; ") : "no rule matches it";
  if (isUnsure(judged)) return whole("refused", tellUntold(judged));
  return whole(notes.length > 0 ? "refused" : "no-rule", why);
}

/** A replay looks once: what the platform does not tell is to be mended before the next. */
const tellUntold = ({ untold, words }: Judged): string =>
  untold ? `${untold.words}. To mend it, ${untold.advice}; then replay it again` : words;

const unsureOf = ({ state, words, unsure }: JudgedTask): string | undefined =>
  state === "held back" ? words : unsure;

/** Is there a rule of which nobody can say yet whether it matches? */
const isUnsure = ({ rules, planned }: Judged): boolean =>
  rules.some(({ matches }) => matches === "unknown") || planned.some((one) => unsureOf(one) !== undefined);

/** Does the choice leave out some of a job group's new tasks? */
const isNarrowed = ({ rule, target }: ReplayChoice): boolean => rule !== undefined || target !== undefined;

function isChosen(
  plan: PublishPlan | undefined,
  task: RecordedTask | undefined,
  completion: Completion | undefined,
  { rule, target, failed }: ReplayChoice,
): boolean {
  // A dispatch that failed made none of its tasks.
  const state = task ? task.record.state : completion?.outcome;
  if (failed && state !== "failed") return false;
  return (rule === undefined || plan?.rule === rule) && (target === undefined || plan?.target === target);
}

const replayed = (plan: PublishPlan | undefined): PublishPlan | undefined =>
  plan && { ...plan, priority: REPLAY_PRIORITY };

/** What the tasks of one job group are asked about; the platform is asked once, and only if somebody wants to know. */
function aroundOf(
  jobGroupId: number,
  recorded: readonly RecordedTask[],
  choice: ReplayChoice,
  { platform, store, judge }: ReplayDeps,
): Around {
  let listed: Promise<readonly PlatformJob[]> | undefined;
  const signal = AbortSignal.timeout(judge.platformTimeoutMs);
  return {
    choice,
    store,
    recorded,
    listJobs: () => (listed ??= platform.listJobs(jobGroupId, signal)),
    listTables: (plan) => platform.listTables(plan, signal),
    wordsOf: (error) => {
      if (error instanceof PlatformError) return error.message;
      if (signal.aborted) return `the platform did not answer within ${judge.platformTimeoutMs / 1_000} s`;
      throw error;
    },
  };
}
