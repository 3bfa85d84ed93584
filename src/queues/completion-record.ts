import type { Redis } from "ioredis";
import { z } from "zod";
import type { PublishPlan } from "../rules/model.ts";
import { foldIdentifier } from "../rules/identifier.ts";
import { isReplayed } from "../rules/lane.ts";
import { completionId } from "../rules/task-identity.ts";
import { COMPLETIONS, type Keys } from "./names.ts";
import { PLANNED, readTaskRecord, type TaskRecord, taskField, writeTaskRecord } from "./record.ts";
import { registerScript, words } from "./script.ts";
import { CONCLUDE, COUNT_LOSS, NOTE, PLAN, REPORT } from "./scripts/completion.ts";
import { isOrdered, trackedOf, waiterOf } from "./task-place.ts";
import { readWaits, type Waits } from "./waits.ts";

/** How a completion ended; all but `dispatched` are opened again by the next report. */
export type CompletionOutcome = "dispatched" | "no-rule" | "skipped" | "unknown" | "failed";

export interface Merged {
  /** `same`: the report brought nothing new. */
  readonly answer: "new" | "changed" | "reopened" | "same";
  /** Grows with each report that brought something. */
  readonly rev: number;
  /** A first report, and yet a job of the completion's id stood already: somebody else's, or one that ended long ago. */
  readonly stood: boolean;
}

/** What somebody said of a job group. */
export interface Report {
  readonly source: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly status?: string;
  /** What the sender called the delivery. */
  readonly delivery?: string;
}

/** A report as the record remembers it. */
export interface RememberedReport extends Report {
  /** Epoch milliseconds of Redis' clock. */
  readonly at: number;
}

/** What is known of a completion from its reports. */
export interface Completion {
  readonly rev: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly source: string;
  readonly outcome?: string;
  readonly words?: string;
  /** What the last dispatch that asked the rules had to say of what is not published; absent for nothing. */
  readonly notes?: readonly string[];
  readonly reportedAt?: number;
  /** How many reports came in all. */
  readonly reportCount: number;
  /** The first report, and the newest of the others, in their order. */
  readonly reports: readonly RememberedReport[];
}

/** A task as it stands in its job group's record, with the plan it was made with. */
export interface RecordedTask {
  readonly plan: PublishPlan;
  readonly record: TaskRecord;
  /** The record as it stands in Redis, to compare with when somebody decides. */
  readonly json: string;
  readonly waits: Waits;
}

export interface CompletionRecords {
  merge(jobGroupId: number, report: Report): Promise<Merged>;
  /** Who was the first to report each of the job groups; undefined where nobody was. */
  sourcesOf(jobGroupIds: readonly number[]): Promise<(string | undefined)[]>;
  /**
   * Which of the job groups somebody reported, but no webhook, as far as the reports are kept; and not those that were
   * `countedAsLost`.
   */
  missWebhook(jobGroupIds: readonly number[]): Promise<boolean[]>;
  countedAsLost(jobGroupIds: readonly number[]): Promise<void>;
  read(jobGroupId: number): Promise<{ completion?: Completion; tasks: RecordedTask[] }>;
  /** False when a report came since `rev`: dispatch again. */
  conclude(jobGroupId: number, rev: number, outcome: CompletionOutcome, words: string): Promise<boolean>;
  /** Replaces what is to be said of what is not published. A record that is gone is not made again. */
  note(jobGroupId: number, notes: readonly string[]): Promise<void>;
  /**
   * Writes the tasks that the record does not hold yet; answers what stands for each, undefined for a new one. False:
   * a target is not registered (any more), and nothing was written.
   */
  plan(
    jobGroupId: number,
    plans: readonly PublishPlan[],
    /** Of tasks that run one at a time, the one that need not wait for its turn; by default, all ask by themselves. */
    first?: PublishPlan,
    /** What is written for a new one; by default, nothing was done of it yet. */
    recordOf?: (plan: PublishPlan) => TaskRecord,
  ): Promise<(TaskRecord | undefined)[] | false>;
  /** Writes a task that the record has lost; it is on its target's queue already. */
  restore(plan: PublishPlan): Promise<void>;
  /** Makes sure that the record knows the completion: Redis may have come back without its last second. */
  ensure(jobGroupId: number): Promise<void>;
  /** Did a report come that no dispatch has handled? */
  isUnhandled(jobGroupId: number): Promise<boolean>;
  /** Job groups that were reported before `beforeMs` and not dispatched yet. */
  unhandled(beforeMs: number): Promise<number[]>;
}

const labelsSchema = z.record(z.string(), z.string());
const notesSchema = z.array(z.string());
const reportSchema = z.object({
  at: z.number(),
  source: z.string(),
  labels: labelsSchema,
  status: z.string().optional(),
  delivery: z.string().optional(),
});
/** A job group's record does not grow with each delivery of the same report. */
const REPORTS_KEPT = 50;

/** The part of a job group's record that holds its completion, and the way in for its tasks. */
export function createCompletionRecords(redis: Redis, keys: Keys, retentionMs: number): CompletionRecords {
  const report = registerScript(redis, "relayReport", REPORT, 3);
  const conclude = registerScript(redis, "relayConclude", CONCLUDE, 2);
  const plan = registerScript(redis, "relayPlan", PLAN, 4);
  const note = registerScript(redis, "relayNote", NOTE, 1);
  const countLoss = registerScript(redis, "relayCountLoss", COUNT_LOSS, 1);

  const merge = async (id: number, { source, status, delivery, labels }: Report): Promise<Merged> => {
    const remembered = JSON.stringify({ source, status, delivery, labels });
    const [answer, rev, stood] = words(
      await report(
        [keys.group(id), keys.unhandled, keys.queue(COMPLETIONS, completionId(id))],
        [id, JSON.stringify(labels), source, remembered, REPORTS_KEPT, delivery ?? "", keys.prefix],
      ),
    );
    return { answer: answer as Merged["answer"], rev: Number(rev), stood: stood === "1" };
  };

  const write = (
    id: number,
    finishedAt: number,
    plans: readonly PublishPlan[],
    first: PublishPlan | undefined,
    targets: "registered" | "any" = "registered",
    recordOf: (plan: PublishPlan) => TaskRecord = () => PLANNED,
  ) =>
    plan(
      [keys.group(id), keys.open, keys.waiters(id), keys.targets],
      [
        finishedAt,
        id,
        keys.prefix,
        retentionMs,
        ...plans.flatMap((task) => [
          taskField(task),
          writeTaskRecord(recordOf(task)),
          JSON.stringify(task),
          ...tracking(keys, task, first),
          targets === "registered" ? task.target : "",
          task.rule,
          foldIdentifier(task.table),
        ]),
      ],
    );

  return {
    merge,
    // Commands of one tick go out together.
    sourcesOf: async (ids) => {
      const found = await Promise.all(ids.map((id) => redis.hget(keys.group(id), "source")));
      return found.map((source) => source ?? undefined);
    },
    missWebhook: async (ids) => {
      const all = await Promise.all(ids.map((id) => redis.hgetall(keys.group(id))));
      return all.map(
        (one) =>
          one["rev"] !== undefined &&
          one["webhookLost"] === undefined &&
          one["source"] !== "webhook" &&
          readReports(one).every(({ source }) => source !== "webhook"),
      );
    },
    countedAsLost: async (ids) => {
      await Promise.all(ids.map((id) => countLoss([keys.group(id)], [])));
    },
    read: async (id) => {
      const all = await redis.hgetall(keys.group(id));
      const completion = readCompletion(all);
      return { ...(completion && { completion }), tasks: readTasks(all) };
    },
    conclude: async (id, rev, outcome, said) =>
      (await conclude(
        [keys.group(id), keys.unhandled],
        [id, rev, outcome, said, retentionMs, keys.prefix],
      )) === 1,
    note: async (id, notes) => void (await note([keys.group(id)], [JSON.stringify(notes)])),
    plan: async (id, plans, first, recordOf) => {
      const [one] = plans;
      if (!one) return [];
      const reply = await write(id, one.finishedAt, plans, first, "registered", recordOf);
      if (reply === 0) return false;
      return words(reply).map((standing) => (standing === "" ? undefined : readTaskRecord(standing)));
    },
    restore: async (task) => void (await write(task.jobGroupId, task.finishedAt, [task], undefined, "any")),
    ensure: async (id) => {
      if ((await redis.hexists(keys.group(id), "rev")) === 1) return;
      await merge(id, { source: "message", labels: {} });
    },
    isUnhandled: async (id) => (await redis.zscore(keys.unhandled, String(id))) !== null,
    unhandled: async (beforeMs) => {
      const found = await redis.zrangebyscore(keys.unhandled, 0, beforeMs * 1_000);
      return found.map(Number);
    },
  };
}

function tracking(keys: Keys, plan: PublishPlan, first: PublishPlan | undefined): string[] {
  const tableKey = taskField(plan).replace(/^task:/, "");
  return [
    trackedOf(plan),
    isOrdered(plan) ? `${keys.table(tableKey)}${isReplayed(plan) ? ":replays" : ""}` : "",
    plan.serialize && first && first !== plan ? waiterOf(plan) : "",
  ];
}

function readCompletion(all: Record<string, string>): Completion | undefined {
  if (!all["rev"]) return undefined;
  return {
    rev: Number(all["rev"]),
    labels: labelsSchema.parse(JSON.parse(all["labels"] ?? "{}")),
    source: all["source"] ?? "",
    ...(all["outcome"] && { outcome: all["outcome"] }),
    ...(all["words"] && { words: all["words"] }),
    ...(all["notes"] && { notes: notesSchema.parse(JSON.parse(all["notes"])) }),
    ...(all["reportedAt"] && { reportedAt: Number(all["reportedAt"]) }),
    reportCount: Number(all["reports"] ?? 0),
    reports: readReports(all),
  };
}

function readReports(all: Record<string, string>): RememberedReport[] {
  return Object.entries(all)
    .flatMap(([field, json]) => {
      const n = /^report:(\d+)$/.exec(field)?.[1];
      return n === undefined ? [] : [{ n: Number(n), json }];
    })
    .toSorted((a, b) => a.n - b.n)
    .map(({ json }) => {
      const { status, delivery, ...rest } = reportSchema.parse(JSON.parse(json));
      return {
        ...rest,
        ...(status !== undefined && { status }),
        ...(delivery !== undefined && { delivery }),
      };
    });
}

function readTasks(all: Record<string, string>): RecordedTask[] {
  return Object.entries(all)
    .filter(([field]) => field.startsWith("task:"))
    .map(([field, json]) => ({
      plan: JSON.parse(all[`plan:${field}`] ?? "{}") as PublishPlan,
      record: readTaskRecord(json),
      json,
      waits: readWaits(all, field),
    }));
}
