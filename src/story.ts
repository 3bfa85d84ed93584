import type { DispatchSaid } from "./dispatch-said.ts";
import { summariseJobGroup } from "./processors/summarise-job-group.ts";
import { type Surroundings, type WaitNow, whyItWaits } from "./processors/why-it-waits.ts";
import type { Audited } from "./queues/audit-store.ts";
import type { Completion, CompletionRecords, RecordedTask } from "./queues/completion-record.ts";
import type { Provenance } from "./rules/model.ts";
import { taskId, taskKey } from "./rules/task-identity.ts";
import { isBusy } from "./rules/task-state.ts";

/** What a story is told from. */
export interface StoryDeps {
  readonly records: Pick<CompletionRecords, "read">;
  /** What a dispatch that is not done waits for. */
  readonly dispatchSaid: DispatchSaid;
  /** What tells why the tasks of a target wait. */
  readonly lookAround: (target: string) => Promise<Surroundings>;
  /** What operators did about the job group, newest first. */
  readonly auditOf: (jobGroupId: number) => Promise<readonly Audited[]>;
  /** The lines that the runs of a task wrote, as long as its job is kept. */
  readonly stepsOf: (target: string, taskId: string) => Promise<readonly string[]>;
}

/** The whole story of one job group; times are ISO 8601, waits milliseconds. */
export interface Story {
  readonly jobGroupId: number;
  /** Absent when nobody's report is known. */
  readonly completion?: StoryCompletion;
  /** `published 2 of 3, 1 parked`, and what was not published for which reason. */
  readonly summary: string;
  readonly tasks: readonly StoryTask[];
  /** What operators did about it, in their order. */
  readonly audit: readonly Audited[];
}

export type StoryCompletion = ReturnType<typeof tellCompletion>;

export interface StoryTask {
  readonly id: string;
  readonly target: string;
  readonly schema: string;
  readonly table: string;
  readonly action: string;
  readonly rule: string;
  readonly rulesVersion: string;
  readonly reports?: Provenance | undefined;
  readonly state: string;
  readonly attempts: number;
  readonly words?: string | undefined;
  readonly publishJobId?: number | undefined;
  readonly requestId?: string | undefined;
  readonly finishedAt: string;
  readonly submittingAt?: string | undefined;
  readonly submittedAt?: string | undefined;
  readonly endedAt?: string | undefined;
  /** Milliseconds by cause, of the waits that are over. */
  readonly waited: Readonly<Record<string, number>>;
  /** Why it waits at this moment. */
  readonly waits?: {
    readonly cause: string;
    readonly since: string;
    /** When what holds it up began. */
    readonly heldSince?: string;
    readonly words: string;
  };
  readonly steps: readonly string[];
  readonly evidence?: unknown;
  readonly decisions?: unknown;
}

/** Tells the story of a job group; undefined when nothing is known of it. */
export async function tellStory(deps: StoryDeps, jobGroupId: number): Promise<Story | undefined> {
  const [{ completion, tasks }, audited] = await Promise.all([
    deps.records.read(jobGroupId),
    deps.auditOf(jobGroupId),
  ]);
  if (!completion && tasks.length === 0) return undefined;
  const isOpen = completion !== undefined && completion.outcome === undefined;
  const waits = isOpen ? await deps.dispatchSaid(jobGroupId) : undefined;
  return {
    jobGroupId,
    ...(completion && { completion: tellCompletion(completion, waits) }),
    summary: summariseJobGroup(tasks, completion).words,
    tasks: await Promise.all(tasks.map((task) => tellTask(deps, task, tasks))),
    audit: audited.toReversed(),
  };
}

function tellCompletion(
  { outcome, words, labels, source, reportedAt, reportCount, reports }: Completion,
  waits: string | undefined,
) {
  return {
    outcome: outcome ?? "open",
    ...(words !== undefined && { words }),
    ...(waits !== undefined && { waits }),
    labels,
    source,
    ...(reportedAt !== undefined && { reportedAt: new Date(reportedAt).toISOString() }),
    reportCount,
    reports: reports.map(({ at, ...report }) => ({ at: new Date(at).toISOString(), ...report })),
  };
}

async function tellTask(
  { lookAround, stepsOf }: StoryDeps,
  recorded: RecordedTask,
  all: readonly RecordedTask[],
): Promise<StoryTask> {
  const { plan, record, waits } = recorded;
  const { target, schema, table, action, rule, rulesVersion, reports, jobGroupId } = plan;
  const id = taskId(jobGroupId, taskKey(plan));
  const busy = all.find((one) => one !== recorded && isBusy(one.record.state));
  const busyWith = busy && `${busy.plan.schema}.${busy.plan.table} on ${busy.plan.target}`;
  const [steps, now] = await Promise.all([
    stepsOf(target, id),
    record.state === "planned" && waits.now
      ? lookAround(target).then((around) => whyItWaits(recorded, around, busyWith))
      : undefined,
  ]);
  return {
    id,
    target,
    schema,
    table,
    action,
    rule,
    rulesVersion,
    reports,
    state: record.state,
    attempts: record.attempts,
    words: record.words,
    publishJobId: record.publishJobId,
    requestId: record.requestId,
    finishedAt: new Date(plan.finishedAt).toISOString(),
    submittingAt: time(record.submittingAt),
    submittedAt: time(record.submittedAt),
    endedAt: time(record.endedAt),
    waited: waits.over,
    ...(now && { waits: tellWait(now) }),
    steps,
    evidence: record.evidence,
    decisions: record.decisions,
  };
}

const tellWait = ({ since, heldSince, ...rest }: WaitNow) => ({
  ...rest,
  since: new Date(since).toISOString(),
  ...(heldSince !== undefined && { heldSince: new Date(heldSince).toISOString() }),
});

const time = (at: number | undefined): string | undefined =>
  at === undefined ? undefined : new Date(at).toISOString();
