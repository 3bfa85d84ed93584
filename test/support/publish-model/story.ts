import type { Action, PublishPlan } from "../../../src/rules/model.ts";
import type { Tenant } from "./platform.ts";

/** Everything that chance decides in one run of the model. */
export interface Story {
  readonly tenant: Tenant;
  readonly serialize: boolean;
  readonly tasks: readonly TaskSketch[];
  /** One per PUT, in the order in which they leave; then all goes well. */
  readonly puts: readonly PutFate[];
  /** One per GET; then all are answered. */
  readonly gets: readonly GetFate[];
  readonly incidents: readonly Incident[];
}

export interface TaskSketch {
  readonly jobGroupId: number;
  /** Index in `PLACES`. */
  readonly place: number;
  readonly action: Action;
  readonly settleAfterMs: number | "never";
  readonly attempts: number;
  /** The first run starts so long after the beginning. */
  readonly startMs: number;
}

/** `applied`: does the platform take it, whatever is answered? */
export interface PutFate {
  readonly way:
    | "answered"
    | "lost"
    | "no-connection"
    | "throttled"
    | "unauthorized"
    | "refused"
    | "busy"
    | "retry";
  readonly applied: boolean;
  /** Until it leaves the process. */
  readonly connectMs: number;
  /** Until its answer, or the end of waiting for one. */
  readonly replyMs: number;
  readonly course: CourseSketch;
}

export interface CourseSketch {
  /** When its job shows, as a share of settleAfter: up to 1 keeps assumption A. */
  readonly appear: number;
  readonly workMs: number | "stuck";
  readonly fails: boolean;
}

export interface GetFate {
  readonly way: "answered" | "retry" | "gate" | "refused";
  readonly replyMs: number;
}

/** What happens after `gap` more moments. */
export type Incident = { readonly gap: number } & (
  | { readonly what: "kill" | "stop" | "blip"; readonly which: number }
  | { readonly what: "freeze"; readonly which: number; readonly ms: number }
  /** Every process is away for a while. */
  | { readonly what: "away"; readonly ms: number }
  /** Somebody publishes in the platform's UI. */
  | {
      readonly what: "ui";
      readonly jobGroupId: number;
      readonly place: number;
      readonly action: Action;
      readonly course: CourseSketch;
    }
  /** Redis comes back without its last `backMs`, or empty; the workers start again `pauseMs` later. */
  | { readonly what: "redis-lost"; readonly backMs: number | "all"; readonly pauseMs: number }
);

/** The last is nobody's target: only somebody in the UI publishes there. */
const PLACES = [
  { connection: 2, schema: "public", table: "orders" },
  { connection: 2, schema: "public", table: "items" },
  { connection: 3, schema: "public", table: "orders" },
  { connection: 2, schema: "public", table: "other" },
] as const;

export const START_AT = Date.UTC(2026, 10, 24, 8);

/** When a job group's results were there. */
export const finishedAt = (jobGroupId: number): number => START_AT - 60_000 + jobGroupId * 1_000;

/** A publish is overdue after this. */
const DEADLINE_MS = 10 * 60_000;

export function planOf(task: Omit<TaskSketch, "startMs">, serialize: boolean): PublishPlan {
  const place = PLACES[task.place] ?? PLACES[3];
  return {
    v: 1,
    jobGroupId: task.jobGroupId,
    finishedAt: finishedAt(task.jobGroupId),
    flowNodeId: 27,
    rule: "orders",
    rulesVersion: "1",
    target: "sales",
    ...place,
    action: task.action,
    format: "avro",
    attempts: task.attempts,
    backoff: { floorMs: 1_000, capMs: 60_000 },
    deadlineMs: DEADLINE_MS,
    settleAfterMs: task.settleAfterMs,
    priority: 1_000,
    stale: "supersede",
    serialize,
  };
}
