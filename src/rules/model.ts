/** What a publish does to its table. Source: the publish endpoint (first three) and publication settings (last three). */
export type Action = "create" | "load" | "createAndLoad" | "truncateAndLoad" | "dropAndLoad" | "upsert";

/** Actions that end in the same state when repeated. */
export const REPEATABLE_ACTIONS: readonly Action[] = ["truncateAndLoad", "dropAndLoad", "upsert"];

/** A named Redshift destination. */
export interface Target {
  readonly name: string;
  readonly description?: string;
  /** Designer Cloud connection id. */
  readonly connection: number;
  /** May hold the placeholders of a publication's table. */
  readonly schema: string;
  /** Publishes started; absent means no limit. */
  readonly rateLimit?: { readonly max: number; readonly perMs: number; readonly burst: boolean };
  /** Publishes running at once, over all processes. */
  readonly concurrency: number;
  /** The goal for the time from a job group's finish until it is published. */
  readonly freshnessMs?: number;
}

/** A pattern of `when`: an id, or a name with `*` and `?`; any of the list. */
export type Pattern = number | string;

/** All must hold; a list means any of; `"all"` matches every completion. */
export type When =
  | "all"
  | {
      readonly jobGroup?: readonly Pattern[];
      readonly flow?: readonly Pattern[];
      readonly recipe?: readonly Pattern[];
      readonly flowRun?: readonly Pattern[];
      readonly creator?: readonly Pattern[];
      readonly workspace?: readonly Pattern[];
      readonly ranFrom?: readonly Pattern[];
      readonly labels?: Readonly<Record<string, readonly Pattern[]>>;
    };

/** One publication of a rule. */
export interface Publication {
  readonly target: string;
  /** Overrides the target's schema; may hold the placeholders of `table`. */
  readonly schema?: string;
  /** May hold {jobGroupId} {date} {date:YYYY_MM} {recipe} {flow} {labels.x}. */
  readonly table: string;
  readonly action: Action;
  readonly format: string;
  readonly attempts: number;
  readonly backoff: { readonly floorMs: number; readonly capMs: number };
  /** Counts only time in which the platform answers. */
  readonly deadlineMs: number;
  /** How long after the last moment of sending a publish may still show; `never` parks instead of sending again. */
  readonly settleAfterMs: number | "never";
  /** 1 (first) to 1000; 1000 by default. */
  readonly priority: number;
  /** What to do when a newer job group was published to the table first. */
  readonly stale: "supersede" | "publish";
}

export interface Rule {
  readonly name: string;
  /** False switches the rule off; absent means true. */
  readonly enabled?: boolean;
  readonly when: When;
  readonly publish: readonly Publication[];
}

/** A rules file that was read and found good. */
export interface Rules {
  /** A short hash of the file's text. */
  readonly version: string;
  /** One publish of a job group at a time (default true). */
  readonly serializeJobGroups: boolean;
  readonly targets: readonly Target[];
  readonly rules: readonly Rule[];
}

/** What is known of a finished job group when the rules are asked. */
export interface JobGroupFacts {
  readonly jobGroupId: number;
  readonly name?: string;
  /** When the job group finished, epoch milliseconds. */
  readonly finishedAt: number;
  readonly flow?: { readonly id: number; readonly name?: string };
  readonly recipe?: { readonly id: number; readonly name?: string };
  readonly flowRun?: number;
  readonly creator?: number;
  readonly workspace?: number;
  readonly ranFrom?: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** One publish task as planned: a snapshot; a rule changed later changes nothing that is under way. */
export interface PublishPlan {
  readonly v: 1;
  readonly jobGroupId: number;
  readonly finishedAt: number;
  /** The recipe the job group ran from, sent as `flowNodeId` when known. */
  readonly flowNodeId?: number;
  readonly rule: string;
  readonly rulesVersion: string;
  readonly target: string;
  readonly connection: number;
  readonly schema: string;
  readonly table: string;
  readonly action: Action;
  readonly format: string;
  readonly attempts: number;
  readonly backoff: { readonly floorMs: number; readonly capMs: number };
  readonly deadlineMs: number;
  readonly settleAfterMs: number | "never";
  readonly priority: number;
  readonly stale: "supersede" | "publish";
  readonly serialize: boolean;
  /** Where it comes from, for people: nothing is decided by it. Absent in plans of older versions. */
  readonly reports?: Provenance;
}

/** The reports of the job group that stood when a task was planned. */
export interface Provenance {
  /** How many had come. */
  readonly count: number;
  /** The first of them and the newest others, in their order; `at` is an ISO time. */
  readonly listed: readonly { readonly at: string; readonly source: string; readonly delivery?: string }[];
}
