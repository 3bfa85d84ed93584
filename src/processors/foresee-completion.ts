import type { Completion } from "../queues/completion-record.ts";
import { completionId, taskId, taskKey } from "../rules/task-identity.ts";
import { type JudgeDeps, type JudgedTask, judgeJobGroup } from "./judge-job-group.ts";
import { summariseJobGroup } from "./summarise-job-group.ts";

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
  /** As `JudgedTask` has it. */
  readonly state: string;
  /** Why it would not be made. */
  readonly words?: string;
}

/** Tells what dispatch would do with a report, and does nothing; see `judgeJobGroup`. */
export async function foreseeCompletion(
  report: { readonly jobGroupId: number; readonly labels: Readonly<Record<string, string>> },
  deps: JudgeDeps,
): Promise<Forecast> {
  const { jobGroupId, labels } = report;
  const { completion, recorded, look, rules, planned, notes, words } = await judgeJobGroup(
    jobGroupId,
    labels,
    deps,
  );
  return {
    detail: `This was a check, nothing was stored. ${words}`,
    completion: completionId(jobGroupId),
    duplicate: completion !== undefined && !bringsSomething(completion, labels),
    known: completion
      ? {
          outcome: completion.outcome ?? "open",
          reports: completion.reportCount,
          summary: summariseJobGroup(recorded, completion).words,
        }
      : null,
    platform: { answered: look.answered, words: look.words },
    rules: rules.map(({ name, matches }) => ({ name, matches })),
    tasks: look.blocked === undefined ? planned.map(foreseen) : [],
    notes,
  };
}

/** What merging the report would answer `same` to: see the script of `completion-record`. */
function bringsSomething(completion: Completion, labels: Readonly<Record<string, string>>): boolean {
  const ended = completion.outcome !== undefined && completion.outcome !== "dispatched";
  return ended || Object.entries(labels).some(([name, value]) => completion.labels[name] !== value);
}

function foreseen({ plan, state, words }: JudgedTask): ForeseenTask {
  const { jobGroupId, rule, target, schema, table, action } = plan;
  const id = taskId(jobGroupId, taskKey(plan));
  return {
    id,
    rule,
    target,
    table: `${schema}.${table}`,
    action,
    state,
    ...(words !== undefined && { words }),
  };
}
