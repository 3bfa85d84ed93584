/** Reports of finished job groups, one job per job group. */
export const COMPLETIONS = "completions";
/** The parent of each job group's publish tasks. */
export const JOB_GROUPS = "job-groups";
/** Publish tasks that wait for a person, kept until decided. */
export const PARKED = "parked";

/** Turns of the poller, one at a time. */
export const POLL = "poll";

/** Notifications on their way, one job per address and notification. */
export const NOTIFICATIONS = "notifications";

/** The queue of a target: one each, so that limit, concurrency and pause are the target's own. */
export const publishQueue = (target: string): string => `publish.${target}`;

/** What a namespace may be, and how that is said. */
export const NAMESPACE = {
  pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
  words: "must be 1 to 64 letters, digits, dots, dashes or underscores",
  byDefault: "publish-relay",
} as const;

/** BullMQ's prefix: the namespace as a hash tag, so that a Redis Cluster keeps all keys in one slot. */
const queuePrefix = (namespace: string): string => `{${namespace}}`;

/** The keys in Redis that are ours; BullMQ's own stand beside them under the same prefix. */
export interface Keys {
  readonly prefix: string;
  /** Hash: the job group's record. */
  group(jobGroupId: number): string;
  /** Sorted set: tasks that wait until the job group is free, by the time they began to wait. */
  waiters(jobGroupId: number): string;
  /** Sorted set: open tasks that replace or merge one table, by the time their job group finished. With `:replays` behind it, those that were replayed; with `:busy`, the one that publishes. */
  table(tableKey: string): string;
  /** Hash: the newest job group that was published to a table. */
  newest(tableKey: string): string;
  /** List: the last starts of a target, newest first, in microseconds of Redis' clock. With `:live` behind it, the tasks that wait for the next and were not replayed. */
  pace(target: string): string;
  /** Sorted set: every task that has not ended, so that the sweep finds those whose job is gone. */
  readonly open: string;
  /** Sorted set: completions that were reported and not dispatched yet. */
  readonly unhandled: string;
  /** String with a lifetime: while it exists, the gate to the platform is shut. */
  readonly gate: string;
  /** String with a lifetime: why the gate is shut, in one word. */
  readonly gateReason: string;
  /** Hash: how often the gate was shut in a row. */
  readonly gateMemory: string;
  /** Hash: what has held up a target, and for how long. */
  held(target: string): string;
  /** Sorted set: all job groups (no list), or those of a list like `target:sales`, by the time of their first report. */
  groups(list?: string): string;
  /** Hash: what ended in a minute (`m`) or in ten minutes (`t`), counted from 1970. */
  ended(span: "m" | "t", index: number): string;
  /** Hash: a target's breaker. */
  breaker(target: string): string;
  /** Hash: how far the poller has looked, and what it counts. */
  readonly pollState: string;
  /** Sorted set: job groups that the poller found and nobody reported yet, or no webhook, by the time they finished. */
  readonly pollHeld: string;
  /** Hash: the last definition of each target that has work or is in the rules. */
  readonly targets: string;
  /** Hash: the newest version of the rules file, and when the targets changed last. */
  readonly rules: string;
  /** Sorted set: versions of the rules file, in the order in which the fleet took them up on purpose. */
  readonly rulesSeen: string;
  /** Hash: the processes that live, with the version of the rules that each runs. */
  readonly processes: string;
  /** Of the troubles that are told. */
  readonly notices: {
    /** Hash with a lifetime: a trouble. */
    of(trouble: string): string;
    /** Sorted set: troubles, by the time at which what was counted is summed up. */
    readonly due: string;
    /** Set: the troubles that stand. */
    readonly standing: string;
    /** Hash: what has to be told and is not queued yet. */
    readonly outbox: string;
    /** String with a lifetime: one of the processes has looked. */
    readonly turn: string;
  };
  /** Hash with a lifetime: a run of a recipe that was asked for by this execution id. */
  run(executionId: string): string;
  /** String with a lifetime: who has the turn to send it. */
  runTurn(executionId: string): string;
  /** Stream: what operators did. */
  readonly audit: string;
  /** Stream: the part of it that is about one job group. */
  auditOf(jobGroupId: number): string;
  /** A key of BullMQ's. */
  queue(name: string, suffix: string): string;
}

export function keysOf(namespace: string): Keys {
  const prefix = queuePrefix(namespace);
  return {
    prefix,
    group: (id) => `${prefix}:group:${id}`,
    waiters: (id) => `${prefix}:waiters:${id}`,
    table: (key) => `${prefix}:table:${key}`,
    newest: (key) => `${prefix}:newest:${key}`,
    pace: (target) => `${prefix}:pace:${target}`,
    open: `${prefix}:open`,
    unhandled: `${prefix}:unhandled`,
    gate: `${prefix}:gate`,
    gateReason: `${prefix}:gate-reason`,
    gateMemory: `${prefix}:gate-memory`,
    held: (target) => `${prefix}:held:${target}`,
    groups: (list) => (list === undefined ? `${prefix}:groups` : `${prefix}:groups:${list}`),
    ended: (span, index) => `${prefix}:ended:${span}:${index}`,
    breaker: (target) => `${prefix}:breaker:${target}`,
    pollState: `${prefix}:poll-state`,
    pollHeld: `${prefix}:poll-held`,
    targets: `${prefix}:targets`,
    rules: `${prefix}:rules`,
    rulesSeen: `${prefix}:rules-seen`,
    processes: `${prefix}:processes`,
    notices: {
      of: (trouble) => `${prefix}:notice:${trouble}`,
      due: `${prefix}:notice-due`,
      standing: `${prefix}:notice-standing`,
      outbox: `${prefix}:notice-outbox`,
      turn: `${prefix}:notice-turn`,
    },
    run: (executionId) => `${prefix}:run:${executionId}`,
    runTurn: (executionId) => `${prefix}:run-turn:${executionId}`,
    audit: `${prefix}:audit`,
    auditOf: (id) => `${prefix}:audit:${id}`,
    queue: (name, suffix) => `${prefix}:${name}:${suffix}`,
  };
}
