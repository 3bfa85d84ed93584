import type { Completion, RecordedTask } from "../queues/completion-record.ts";
import type { JobGroupFacts, PublishPlan, Rules } from "../rules/model.ts";
import { taskKey } from "../rules/task-identity.ts";
import type { UndecidedRule } from "../rules/undecided.ts";
import type { DispatchDeps } from "./dispatch-completion.ts";
import { hasGaps, type Untold, untoldWords } from "./gaps.ts";
import type { TaskState } from "../rules/task-state.ts";
import type { FactsPlatform } from "./job-group-facts.ts";
import { type Look, lookAtJobGroup, NEEDS_NOTHING } from "./look-at-job-group.ts";

export interface JudgeDeps {
  /** Reads the job group's record. */
  read(jobGroupId: number): Promise<{ completion?: Completion; tasks: readonly RecordedTask[] }>;
  /** Asked past the gate, which a question must not move; and afresh, for a person wants to see what was just mended. */
  readonly platform: FactsPlatform;
  /** Why the platform may not be asked now; undefined when it may. */
  held(): Promise<string | undefined>;
  /** What dispatch goes by; a string says why there are no rules. */
  readonly rules:
    | (Omit<DispatchDeps["rules"], "undecided"> & {
        explain(rules: Rules, facts: JobGroupFacts): Explained;
        undecided(rules: Rules, facts: JobGroupFacts, groupKnown?: boolean): readonly UndecidedRule[];
      })
    | string;
  /** How long the platform is waited for, in milliseconds. */
  readonly platformTimeoutMs: number;
  readonly now: () => number;
}

/** One condition of a rule beside what the job group has, in words. */
export interface Reason {
  readonly field: string;
  readonly wanted: string;
  readonly found: string;
  readonly holds: boolean;
}

type Explained = readonly {
  readonly rule: string;
  readonly matches: boolean;
  readonly reasons: readonly Reason[];
}[];

export interface JudgedRule {
  readonly name: string;
  /** `unknown`: it depends on what only the platform can tell. */
  readonly matches: boolean | "unknown";
  readonly reasons: readonly Reason[];
}

/** What the rules make of a job group. */
export interface JudgedTask {
  readonly plan: PublishPlan;
  /**
   * `new`: the next dispatch makes it. `held back`: it hangs on rules that cannot be judged. `not planned`: nothing of the job
   * group is published. Else how the task stands in the record: one that is there is not made again.
   */
  readonly state: "new" | "held back" | "not planned" | TaskState;
  /** Why it would not be made. */
  readonly words?: string;
  /** Of one that stands in the record: why the rules in force cannot say that they make it so. */
  readonly unsure?: string;
}

/** How a job group stands: in its record, on the platform, to the rules. */
export interface Judged {
  readonly completion: Completion | undefined;
  readonly recorded: readonly RecordedTask[];
  readonly look: Look;
  readonly rules: readonly JudgedRule[];
  readonly planned: readonly JudgedTask[];
  /** What the rules say beside: publications that cannot be made, or that others stand before. */
  readonly notes: readonly string[];
  /** Which rules cannot be judged, for want of what. */
  readonly untold?: Untold;
  /** What would come of it, in one sentence. */
  readonly words: string;
}

/**
 * Tells what dispatch would do with a job group whose reports brought `labels` beside those of its record, and does
 * nothing: reads the record and the platform, writes nowhere.
 *
 * When the platform does not answer in time, it goes by the reports alone and says so. Rejects when the record cannot
 * be read.
 */
export async function judgeJobGroup(
  jobGroupId: number,
  labels: Readonly<Record<string, string>>,
  deps: JudgeDeps,
): Promise<Judged> {
  const { rules } = deps;
  const [{ completion, tasks: recorded }, held] = await Promise.all([deps.read(jobGroupId), deps.held()]);
  const needs = typeof rules === "string" ? NEEDS_NOTHING : rules.needs(rules.current);
  const all = { ...completion?.labels, ...labels };
  const look = await lookAtJobGroup(jobGroupId, all, needs, held, { ...deps, planned: recorded });
  const judged = typeof rules === "string" ? NO_RULES : askRules(rules, look, recorded);
  const { untold } = judged;
  const waits =
    untold === undefined || look.blocked !== undefined
      ? ""
      : `${untold.words}; it would be asked again for a while. `;
  return { completion, recorded, look, ...judged, words: `${waits}${tell(jobGroupId, look, rules, judged)}` };
}

type Answer = Pick<Judged, "rules" | "planned" | "notes" | "untold">;
const NO_RULES: Answer = { rules: [], planned: [], notes: [] };

function askRules(
  rules: Exclude<JudgeDeps["rules"], string>,
  { facts, gaps, known, blocked }: Look,
  recorded: readonly RecordedTask[],
): Answer {
  // What was not heard cannot rule a rule out.
  const undecided = rules.undecided(rules.current, facts, known);
  const open = new Set(undecided.map(({ rule }) => rule));
  // Without a full answer there is more to say than which names are lacking.
  const untold = hasGaps(gaps) ? untoldWords(facts.jobGroupId, gaps, undecided) : undefined;
  const { plans, held, problems, conflicts } = rules.plan(rules.current, facts, undecided);
  const states = new Map(recorded.map(({ plan, record }) => [taskKey(plan), record.state]));
  const judge = (plan: PublishPlan, otherwise: Omit<JudgedTask, "plan">): JudgedTask => {
    const standing = states.get(taskKey(plan));
    if (standing !== undefined) {
      const unsure = otherwise.state === "held back" ? otherwise.words : undefined;
      return { plan, state: standing, ...(unsure !== undefined && { unsure }) };
    }
    return blocked === undefined ? { plan, ...otherwise } : { plan, state: "not planned", words: blocked };
  };
  return {
    ...(untold && { untold }),
    rules: rules.explain(rules.current, facts).map(({ rule, matches, reasons }) => ({
      name: rule,
      matches: matches || (open.has(rule) ? "unknown" : false),
      reasons,
    })),
    planned: [
      ...plans.map((plan) => judge(plan, { state: "new" })),
      ...held.map(({ plan, message }) => judge(plan, { state: "held back", words: message })),
    ],
    notes: [...problems, ...conflicts].map(({ message }) => message),
  };
}

function tell(
  jobGroupId: number,
  look: Look,
  rules: JudgeDeps["rules"],
  { planned, rules: all }: Answer,
): string {
  if (look.blocked !== undefined) return `${look.blocked}.`;
  if (typeof rules === "string") return `Nothing would be published: ${rules}.`;
  const alone = look.answered
    ? ""
    : " as far as the report alone tells, for the platform gave no full answer";
  const held = planned.filter(({ state }) => state === "held back").length;
  const fresh = planned.filter(({ state }) => state === "new").length;
  const waiting = held > 0 ? `; ${count(held)} would be held back` : "";
  if (fresh > 0 || held > 0)
    return `${count(fresh)} of job group ${jobGroupId} would be made${waiting}${alone}.`;
  if (planned.length > 0)
    return `Nothing would be published again: ${count(planned.length)} of job group ${jobGroupId} stand in its record.`;
  const open = all.some(({ matches }) => matches === "unknown");
  return `Nothing would be published: no rule matches job group ${jobGroupId}${open ? " for sure," : ""}${alone}.`;
}

const count = (n: number): string => `${n} publish ${n === 1 ? "task" : "tasks"}`;
