import { z } from "zod";
import type { PublishPlan } from "../rules/model.ts";
import { taskKey } from "../rules/task-identity.ts";
import { TASK_STATES } from "../rules/task-state.ts";

const ids = z.array(z.number());
const millis = z.number();

/** Where a task stands. */
export const taskStateSchema = z.enum(TASK_STATES);

const taskRecordSchema = z.looseObject({
  v: z.literal(1),
  state: taskStateSchema,
  /** Attempts used up. */
  attempts: z.number().default(0),
  /** Crashes in the same step, one after the other. */
  crashes: z.number().default(0),
  /** Waits for "another publish is running" in a row. */
  waits: z.number().default(0),
  /** Publish jobs that stood before the PUT. */
  baseline: ids.optional(),
  /** Publish jobs that are this task's, the newest last. */
  publishJobs: ids.default([]),
  /** Publish jobs that were found to be somebody else's. */
  foreign: ids.optional(),
  /** An earlier attempt may have been applied: what may be repeated was repeated, when nothing told. */
  untold: z.boolean().optional(),
  /** The publish job that is followed. */
  publishJobId: z.number().optional(),
  /** The job group in which the publish shows, when the platform gave it one of its own. */
  shownIn: z.number().optional(),
  /** From here on the PUT may have been sent. Redis' clock, epoch milliseconds, as all times here. */
  submittingAt: millis.optional(),
  /** The life of Redis in which that was written. */
  redisLife: z.string().optional(),
  /** After this moment the PUT cannot have been sent any more. */
  sendableUntil: millis.optional(),
  /** When the platform answered 200. */
  submittedAt: millis.optional(),
  /** Time in which the platform answered, summed up for the deadline. */
  answeredMs: z.number().default(0),
  endedAt: millis.optional(),
  /** How often its job had been taken from a dead process when the task ended. */
  endedStalls: z.number().optional(),
  /** The answer to the last PUT says that another publish runs; whether ours was applied it does not say. */
  saysBusy: z.boolean().optional(),
  /** What came of the last PUT when its outcome is unknown, in words. */
  putWords: z.string().optional(),
  /** What the platform asked for: nothing is sent before. */
  notBefore: millis.optional(),
  /** The last that is to be said of the task. */
  words: z.string().optional(),
  /** The platform's request id of the last PUT. */
  requestId: z.string().optional(),
  /** For a parked task: what was sent, what the platform lists, why it cannot be told. */
  evidence: z.record(z.string(), z.unknown()).optional(),
  /** Who decided on it, and why: of a parked task, or by a replay. */
  decisions: z
    .array(
      z.object({
        outcome: z.string(),
        by: z.string(),
        reason: z.string(),
        /** What a replay by force was named with; without it, its reason is its name. */
        key: z.string().optional(),
        at: millis,
      }),
    )
    .optional(),
});

/** One publish task as its job group's record holds it. */
export type TaskRecord = z.infer<typeof taskRecordSchema>;

/** A task of which nothing was done yet. */
export const PLANNED: TaskRecord = {
  v: 1,
  state: "planned",
  attempts: 0,
  crashes: 0,
  waits: 0,
  publishJobs: [],
  answeredMs: 0,
};

/** Version and state come first: the scripts read them from there. */
export function writeTaskRecord(record: TaskRecord): string {
  const { v, state, ...rest } = record;
  return JSON.stringify({ v, state, ...rest });
}

/** Reads what a record's field holds; throws when it was written by a version that is not known. */
export function readTaskRecord(json: string): TaskRecord {
  return taskRecordSchema.parse(JSON.parse(json));
}

/** The record's field of a task: one per connection, schema and table. */
export const taskField = (plan: PublishPlan): string => `task:${taskKey(plan)}`;
