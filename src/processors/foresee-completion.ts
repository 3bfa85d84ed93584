import type { Completion, RecordedTask } from "../queues/completion-record.ts";
import type { JobGroupFacts, PublishPlan, Rules } from "../rules/model.ts";
import { completionId, taskId, taskKey } from "../rules/task-identity.ts";
import type { DispatchDeps } from "./dispatch-completion.ts";
import type { FactsPlatform } from "./job-group-facts.ts";
import { type Look, lookAtJobGroup, NEEDS_NOTHING } from "./look-at-job-group.ts";
import { summariseJobGroup } from "./summarise-job-group.ts";

export interface ForeseeDeps {
  /** Reads the job group's record. */
  read(jobGroupId: number): Promise<{ completion?: Completion; tasks: readonly RecordedTask[] }>;
  /** Asked past the gate, which a check must not move. */
  readonly platform: FactsPlatform;
  /** Why the platform may not be asked now; undefined when it may. */
  held(): Promise<string | undefined>;
  /** What dispatch goes by; a string says why there are no rules. */
  readonly rules:
    | (DispatchDeps["rules"] & { explain(rules: Rules, facts: JobGroupFacts): Explained })
    | string;
  /** How long the platform is waited for, in milliseconds. */
  readonly platformTimeoutMs: number;
  readonly now: () => number;
}

type Explained = readonly {
  readonly rule: string;
  readonly matches: boolean;
  readonly reasons: readonly { readonly field: string; readonly found: string; readonly holds: boolean }[];
}[];

/** What would come of a report. */
export interface Forecast {
  readonly detail: string;
  readonly completion: string;
  /** Would the webhook answer that the report brought nothing new? */
  readonly duplicate: boolean;
  /** How the completion stands, when somebody reported it before. */
  readonly known: { readonly outcome: string; readonly reports: number; readonly summary: string } | null;
  readonly platform: { readonly answered: boolean; readonly words: string };
  /** `unknown`: it depends on what only the platform can tell. */
  readonly rules: readonly { readonly name: string; readonly matches: boolean | "unknown" }[];
  readonly tasks: readonly ForeseenTask[];
  /** What the rules say beside: publications that cannot be made, or that others stand before. */
  readonly notes: readonly string[];
}

interface ForeseenTask {
  readonly id: string;
  readonly rule: string;
  readonly target: string;
  /** `public.orders` */
  readonly table: string;
  readonly action: string;
  /** `new`, or how the task stands in the record: one that is there is not made again. */
  readonly state: string;
}

/**
 * Tells what dispatch would do with a report, and does nothing: reads the record and the platform, writes nowhere.
 *
 * When the platform does not answer in time, it goes by the report alone and says so. Rejects when the record cannot
 * be read.
 */
export async function foreseeCompletion(
  report: { readonly jobGroupId: number; readonly labels: Readonly<Record<string, string>> },
  deps: ForeseeDeps,
): Promise<Forecast> {
  const { jobGroupId } = report;
  const [{ completion, tasks }, held] = await Promise.all([deps.read(jobGroupId), deps.held()]);
  const labels = { ...completion?.labels, ...report.labels };
  const { rules } = deps;
  const needs = typeof rules === "string" ? NEEDS_NOTHING : rules.needs(rules.current);
  const look = await lookAtJobGroup(jobGroupId, labels, needs, held, { ...deps, planned: tasks });
  const judged = typeof rules === "string" ? NO_RULES : judgeRules(rules, look, tasks);
  return {
    detail: `This was a check, nothing was stored. ${tell(jobGroupId, look, rules, judged)}`,
    completion: completionId(jobGroupId),
    duplicate: completion !== undefined && !bringsSomething(completion, report.labels),
    known: completion
      ? {
          outcome: completion.outcome ?? "open",
          reports: completion.reportCount,
          summary: summariseJobGroup(tasks).words,
        }
      : null,
    platform: { answered: look.answered, words: look.words },
    rules: judged.rules,
    tasks: look.blocked === undefined ? judged.tasks : [],
    notes: judged.notes,
  };
}

/** What merging the report would answer `same` to: see the script of `completion-record`. */
function bringsSomething(completion: Completion, labels: Readonly<Record<string, string>>): boolean {
  const ended = completion.outcome !== undefined && completion.outcome !== "dispatched";
  return ended || Object.entries(labels).some(([name, value]) => completion.labels[name] !== value);
}

type Judged = Pick<Forecast, "rules" | "tasks" | "notes">;
const NO_RULES: Judged = { rules: [], tasks: [], notes: [] };

function judgeRules(
  rules: Exclude<ForeseeDeps["rules"], string>,
  { facts, answered, blocked }: Look,
  recorded: readonly RecordedTask[],
): Judged {
  const planned = rules.plan(rules.current, facts);
  const states = new Map(recorded.map(({ plan, record }) => [taskKey(plan), record.state]));
  // What was not heard cannot rule a rule out.
  const isOpen = ({ field, found, holds }: Explained[number]["reasons"][number]): boolean =>
    holds || (!field.startsWith("labels.") && found === "not known");
  const allTold = answered && (blocked === undefined || facts.recipe !== undefined);
  return {
    rules: rules.explain(rules.current, facts).map(({ rule, matches, reasons }) => ({
      name: rule,
      matches: matches || (!allTold && reasons.every(isOpen) ? "unknown" : false),
    })),
    tasks: planned.plans.map((plan) => foreseen(plan, states.get(taskKey(plan)) ?? "new")),
    notes: [...planned.problems, ...planned.conflicts].map(({ message }) => message),
  };
}

function foreseen(plan: PublishPlan, state: string): ForeseenTask {
  const { jobGroupId, rule, target, schema, table, action } = plan;
  return { id: taskId(jobGroupId, taskKey(plan)), rule, target, table: `${schema}.${table}`, action, state };
}

function tell(
  jobGroupId: number,
  look: Look,
  rules: ForeseeDeps["rules"],
  { tasks, rules: all }: Judged,
): string {
  if (look.blocked !== undefined) return `${look.blocked}.`;
  if (typeof rules === "string") return `Nothing would be published: ${rules}.`;
  const alone = look.answered
    ? ""
    : " as far as the report alone tells, for the platform gave no full answer";
  const fresh = tasks.filter(({ state }) => state === "new").length;
  if (fresh > 0) return `${count(fresh)} of job group ${jobGroupId} would be made${alone}.`;
  if (tasks.length > 0)
    return `Nothing would be published again: ${count(tasks.length)} of job group ${jobGroupId} stand in its record.`;
  const open = all.some(({ matches }) => matches === "unknown");
  return `Nothing would be published: no rule matches job group ${jobGroupId}${open ? " for sure," : ""}${alone}.`;
}

const count = (n: number): string => `${n} publish ${n === 1 ? "task" : "tasks"}`;
