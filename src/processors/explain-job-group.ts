import type { RecordedTask } from "../queues/completion-record.ts";
import type { JobGroupFacts, Provenance } from "../rules/model.ts";
import { taskId, taskKey } from "../rules/task-identity.ts";
import {
  type Judged,
  type JudgeDeps,
  type JudgedTask,
  judgeJobGroup,
  type Reason,
} from "./judge-job-group.ts";
import { bodyOf, type PublishBody } from "./publish-task.ts";
import { summariseJobGroup } from "./summarise-job-group.ts";

export interface ExplainDeps extends JudgeDeps {
  /** How the fleet's gate to the platform stands. */
  gate(): Promise<{ readonly ms: number; readonly words: string; readonly since?: number }>;
  /** How targets and their queues stand, in the order of their names here. */
  targets(names: readonly string[]): Promise<readonly TargetStanding[]>;
  /** The version of the newest rules that the fleet took up; undefined when it never had any. */
  newestRules(): Promise<string | undefined>;
}

/**
 * Where a target's connection, pace and concurrency come from: the fleet goes by them; or they stand in the rules file of
 * this process alone; or nobody knows them.
 */
export type Limits = "in force" | "not in force yet" | "not known";

/** How a target stands; times are milliseconds. */
export interface TargetStanding {
  readonly name: string;
  /** Is it in the rules of this process? */
  readonly inRules: boolean;
  readonly limits: Limits;
  /** Whose they are. */
  readonly limitsWords: string;
  /** Absent when it is not known. */
  readonly connection?: number;
  /** `null`: no rate limit; or, with limits that are not known, not known. */
  readonly pace: {
    readonly max: number;
    readonly perMs: number;
    readonly burst: boolean;
    /** When the next start is due; 0: now. */
    readonly nextStartInMs: number;
  } | null;
  /** Publishes at once over all processes; `null` when they are not known. */
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
  /** The newest rules of the fleet, `null` when it never had any, beside those that were asked. */
  readonly fleet: { readonly rulesVersion: string | null; readonly same: boolean; readonly words: string };
  readonly platform: { readonly answered: boolean; readonly known: boolean; readonly words: string };
  /** `since` (ISO 8601) stays until a call is answered: until then it counts as shut. */
  readonly gate: { readonly shutMs: number; readonly words: string; readonly since?: string };
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
  readonly state: JudgedTask["state"];
  /** Would the rules make it today? */
  readonly inRules: boolean;
  /** The reports that it goes back to; absent when it is not made yet. */
  readonly reports?: Provenance;
  /** The last that is to be said of it; why it is not made. */
  readonly words?: string;
  /** What is sent, or was, or would be if it were made: a task that stands in the record keeps the plan that it was made with. */
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
  const [judged, gate, newest] = await Promise.all([
    judgeJobGroup(jobGroupId, {}, deps),
    deps.gate(),
    deps.newestRules(),
  ]);
  const { completion, recorded, look, notes } = judged;
  const tasks = explainTasks(judged);
  const targets = await deps.targets([...new Set(tasks.map(({ target }) => target))]);
  const { finishedAt, ...facts } = look.facts;
  const rulesVersion = typeof deps.rules === "string" ? null : deps.rules.current.version;
  const unreported = completion ? "" : `Nobody reported job group ${jobGroupId} to this relay. `;
  return {
    jobGroupId,
    detail: `${unreported}${judged.words}`,
    rulesVersion,
    fleet: compareRules(rulesVersion, newest ?? null),
    platform: { answered: look.answered, known: look.known, words: look.words },
    gate: {
      shutMs: gate.ms,
      words: gate.words,
      ...(gate.since !== undefined && { since: new Date(gate.since).toISOString() }),
    },
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
          summary: summariseJobGroup(recorded, completion).words,
        }
      : null,
  };
}

function compareRules(asked: string | null, newest: string | null): Explanation["fleet"] {
  const same = asked !== null && asked === newest;
  const told = (words: string): Explanation["fleet"] => ({ rulesVersion: newest, same, words });
  if (newest === null) return told("no relay has run with any rules yet");
  if (same) return told("the newest of the fleet");
  const asks = asked === null ? "no rules were asked here" : `those asked here are version ${asked}`;
  return told(`the fleet's newest rules are version ${newest}, ${asks}: give all the same file`);
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
  const exact = look.answered && look.known && look.ended;
  const made = planned.map((judged) => {
    const task = standing.get(taskKey(judged.plan));
    return task ? explainRecorded(task, true) : explainTask(judged, true, exact);
  });
  const others = recorded.filter(({ plan }) => !keys.has(taskKey(plan)));
  return [...made, ...others.map((task) => explainRecorded(task, false))];
}

function explainRecorded({ plan, record: { state, words } }: RecordedTask, inRules: boolean): ExplainedTask {
  return explainTask({ plan, state, ...(words !== undefined && { words }) }, inRules, true);
}

function explainTask({ plan, state, words }: JudgedTask, inRules: boolean, exact: boolean): ExplainedTask {
  const { jobGroupId, rule, rulesVersion, target, schema, table, action, reports } = plan;
  return {
    id: taskId(jobGroupId, taskKey(plan)),
    rule,
    rulesVersion,
    target,
    schema,
    table,
    action,
    state,
    inRules,
    ...(reports && { reports }),
    ...(words !== undefined && { words }),
    request: { method: "PUT", path: `/v4/jobGroups/${jobGroupId}/publish`, body: bodyOf(plan), exact },
  };
}
