import type { RecordedTask } from "../queues/completion-record.ts";
import type { JobGroupFacts, Provenance, PublishPlan } from "../rules/model.ts";
import { taskId, taskKey } from "../rules/task-identity.ts";
import { type Judged, type JudgeDeps, judgeJobGroup, type Reason } from "./judge-job-group.ts";
import { bodyOf, type PublishBody } from "./publish-task.ts";
import { summariseJobGroup } from "./summarise-job-group.ts";

export interface ExplainDeps extends JudgeDeps {
  /** How the fleet's gate to the platform stands. */
  gate(): Promise<{ readonly ms: number; readonly words: string }>;
  /** How a target and its queue stand. */
  target(name: string): Promise<TargetStanding>;
}

/** How a target stands; times are milliseconds. */
export interface TargetStanding {
  readonly name: string;
  /** Is it in the rules of this process? */
  readonly inRules: boolean;
  readonly connection?: number;
  /** `null`: no rate limit. */
  readonly pace: {
    readonly max: number;
    readonly perMs: number;
    readonly burst: boolean;
    /** When the next start is due; 0: now. */
    readonly nextStartInMs: number;
  } | null;
  /** Publishes at once over all processes; `null` when the target is not in the rules. */
  readonly concurrency: number | null;
  readonly paused: boolean;
  readonly breaker: {
    readonly open: boolean;
    readonly failures: number;
    readonly openMs: number;
    readonly words: string;
  };
  readonly queue: { readonly waiting: number; readonly delayed: number; readonly active: number };
}

/** Why a job group is published as it is: what `GET /v1/job-groups/{id}/explain` answers. */
export interface Explanation {
  readonly jobGroupId: number;
  /** In a sentence or two. */
  readonly detail: string;
  /** The version of the rules that were asked; `null`: this process has none. */
  readonly rulesVersion: string | null;
  readonly platform: { readonly answered: boolean; readonly known: boolean; readonly words: string };
  readonly gate: { readonly shutMs: number; readonly words: string };
  /** What the rules were asked about, as far as it is known. */
  readonly facts: Omit<JobGroupFacts, "finishedAt"> & { readonly finishedAt?: string };
  readonly rules: readonly ExplainedRule[];
  /** What the rules make of the job group, and what its record holds beside. */
  readonly tasks: readonly ExplainedTask[];
  readonly targets: readonly TargetStanding[];
  readonly notes: readonly string[];
  /** What the record says; `null`: nobody reported the job group. */
  readonly record: {
    readonly outcome: string;
    readonly words?: string;
    readonly reportCount: number;
    readonly summary: string;
  } | null;
}

interface ExplainedRule {
  readonly name: string;
  readonly matches: boolean | "unknown";
  /** The first condition that does not hold. */
  readonly failed?: Omit<Reason, "holds">;
  readonly reasons: readonly Reason[];
}

interface ExplainedTask {
  readonly id: string;
  readonly rule: string;
  /** The version of the rules that it was made with. */
  readonly rulesVersion: string;
  readonly target: string;
  readonly schema: string;
  readonly table: string;
  readonly action: string;
  /** `new`: the next dispatch makes it. Else how it stands in the record. */
  readonly state: string;
  /** Would the rules make it today? */
  readonly inRules: boolean;
  /** The reports that it goes back to; absent when it is not made yet. */
  readonly reports?: Provenance;
  /** The last that is to be said of it. */
  readonly words?: string;
  /** What is sent, or was: a task that stands in the record keeps the plan that it was made with. */
  readonly request: {
    readonly method: "PUT";
    readonly path: string;
    readonly body: PublishBody;
    /** False: what the platform did not tell (recipe, date of the end) may change it. */
    readonly exact: boolean;
  };
}

/**
 * Explains a job group by the code of dispatch, whether somebody reported it or not; writes nowhere and never rejects
 * for what the platform does. Rejects when Redis cannot be read.
 */
export async function explainJobGroup(jobGroupId: number, deps: ExplainDeps): Promise<Explanation> {
  const [judged, gate] = await Promise.all([judgeJobGroup(jobGroupId, {}, deps), deps.gate()]);
  const { completion, recorded, look, notes } = judged;
  const tasks = explainTasks(judged);
  const names = [...new Set(tasks.map(({ target }) => target))];
  const targets = await Promise.all(names.map((name) => deps.target(name)));
  const { finishedAt, ...facts } = look.facts;
  const unreported = completion ? "" : `Nobody reported job group ${jobGroupId} to this relay. `;
  return {
    jobGroupId,
    detail: `${unreported}${judged.words}`,
    rulesVersion: typeof deps.rules === "string" ? null : deps.rules.current.version,
    platform: { answered: look.answered, known: look.known, words: look.words },
    gate: { shutMs: gate.ms, words: gate.words },
    facts: { ...facts, ...(look.known && { finishedAt: new Date(finishedAt).toISOString() }) },
    rules: judged.rules.map(({ name, matches, reasons }) => ({
      name,
      matches,
      ...firstFailed(reasons),
      reasons,
    })),
    tasks,
    targets,
    notes,
    record: completion
      ? {
          outcome: completion.outcome ?? "open",
          ...(completion.words !== undefined && { words: completion.words }),
          reportCount: completion.reportCount,
          summary: summariseJobGroup(recorded).words,
        }
      : null,
  };
}

function firstFailed(reasons: readonly Reason[]): { failed?: Omit<Reason, "holds"> } {
  const reason = reasons.find(({ holds }) => !holds);
  if (reason === undefined) return {};
  const { field, wanted, found } = reason;
  return { failed: { field, wanted, found } };
}

function explainTasks({ recorded, planned, look }: Judged): ExplainedTask[] {
  const standing = new Map(recorded.map((task) => [taskKey(task.plan), task]));
  const keys = new Set(planned.map(({ plan }) => taskKey(plan)));
  const made = planned.flatMap(({ plan }) => {
    const task = standing.get(taskKey(plan));
    // What is blocked is not made, whatever the rules say.
    if (!task && look.blocked !== undefined) return [];
    return [explainTask(task?.plan ?? plan, task, true, task !== undefined || look.answered)];
  });
  const others = recorded.filter(({ plan }) => !keys.has(taskKey(plan)));
  return [...made, ...others.map((task) => explainTask(task.plan, task, false, true))];
}

function explainTask(
  plan: PublishPlan,
  task: RecordedTask | undefined,
  inRules: boolean,
  exact: boolean,
): ExplainedTask {
  const { jobGroupId, rule, rulesVersion, target, schema, table, action, reports } = plan;
  const words = task?.record.words;
  return {
    id: taskId(jobGroupId, taskKey(plan)),
    rule,
    rulesVersion,
    target,
    schema,
    table,
    action,
    state: task?.record.state ?? "new",
    inRules,
    ...(reports && { reports }),
    ...(words !== undefined && { words }),
    request: { method: "PUT", path: `/v4/jobGroups/${jobGroupId}/publish`, body: bodyOf(plan), exact },
  };
}
