import { rememberAnswers } from "./designer-cloud/remember-answers.ts";
import { foreseeAll, type ForeseeAllOptions } from "./foresee-all.ts";
import type { Foreseen, ReplayDeps } from "./processors/foresee-replay.ts";
import type { ReplayChoice } from "./processors/foresee-replayed-task.ts";
import type { JudgeDeps } from "./processors/judge-job-group.ts";
import { type ReplayLine, summariseReplay } from "./processors/replay-line.ts";
import type { Audit, AuditLog } from "./queues/audit-store.ts";
import type { CompletionRecords } from "./queues/completion-record.ts";
import { createReplayStore } from "./queues/replay-store.ts";
import type { Asker } from "./relay-audit.ts";
import { type Asks, judgeDepsOf } from "./relay-check.ts";
import type { Core } from "./relay-core.ts";
import { createAct, ReplayStoppedError, tellStopped } from "./relay-replay-act.ts";
import { findReplayed } from "./replayed-job-groups.ts";

/** Job groups by their ids, or by when they finished on the platform, in epoch milliseconds. */
export interface ReplayQuery extends ReplayChoice {
  readonly jobGroupIds?: readonly number[];
  readonly since?: number;
  /** Default: now. */
  readonly until?: number;
  readonly dryRun: boolean;
  /** Who asks, as the record is to tell. */
  readonly by: string;
}

/** What a replay would do, or did. */
export interface ReplayResult {
  readonly dryRun: boolean;
  readonly summary: string;
  /** In the order in which the job groups finished. */
  readonly lines: readonly ReplayLine[];
}

export interface ReplayOptions extends Pick<ForeseeAllOptions, "onWait" | "waitAtMostMs"> {
  /** More job groups than this are refused with a `ReplayTooLargeError`. */
  readonly max: number;
  readonly asker: Asker;
  /** Told of each job group that was looked at, and then of each that was replayed. */
  readonly onProgress?: (doing: "looked at" | "replayed", done: number, of: number) => void;
}

/** The replay has more job groups than one call may have. */
export class ReplayTooLargeError extends Error {
  override readonly name = "ReplayTooLargeError";
}

/** What is asked for is not in the rules. */
export class ReplayNameError extends Error {
  override readonly name = "ReplayNameError";
}

export type Replay = (query: ReplayQuery, options: ReplayOptions) => Promise<ReplayResult>;

export interface ReplayParts {
  readonly core: Core;
  /** Read and written on the connection that gives up soon. */
  readonly records: CompletionRecords;
  readonly rulesFile: string;
  readonly retentionMs: number;
  readonly asks: Asks;
  readonly audit: Audit;
  readonly log: AuditLog;
}

const NAMES_MS = 60_000;
const NAMES_MAX = 10_000;

/**
 * Replays job groups, after all were looked at. A dry run ends there; else each is replayed as far as its record is still
 * as it was then. Rejects with `ReplayTooLargeError` or `ReplayNameError` before anything is done, and with
 * `ReplayStoppedError` when it came to no end.
 */
export function createReplay(parts: ReplayParts): Replay {
  const { core, records, rulesFile, asks } = parts;
  const redis = core.connections.ingest;
  const store = createReplayStore(redis, core.keys, parts.retentionMs);
  const act = createAct(parts, store);
  const deps = (): ReplayDeps => ({
    judge: withNames(judgeDepsOf(core, records, rulesFile, asks)),
    platform: core.platform.pastGate,
    store,
  });

  return async (query, { max, asker, onProgress, ...quota }) => {
    const { dryRun } = query;
    checkNames(query, core);
    const ids = query.jobGroupIds ?? (await findReplayed(parts, query));
    if (ids.length > max) {
      // Of a rule or a target only the looking tells: they make it no smaller.
      const advice = query.failed ? "narrow the time" : "narrow the time, or ask for what failed alone";
      throw new ReplayTooLargeError(
        `There are ${ids.length} job groups, and a call may have ${max}: ${advice}`,
      );
    }
    const foreseen = await foreseeAll([...new Set(ids)], query, deps(), {
      onLooked: (done, of) => onProgress?.("looked at", done, of),
      ...quota,
    });
    const meant = foreseen.filter((one) => isWithin(one, query)).toSorted(byEnd);
    const lines: ReplayLine[] = [];
    const acts = meant.filter(({ steps }) => steps.some((step) => step.act)).length;
    const result = (): ReplayResult => ({ dryRun, summary: summariseReplay(lines, dryRun), lines });
    let acted = 0;
    for (const one of meant) {
      const willAct = !dryRun && one.steps.some((step) => step.act);
      if (!willAct) {
        lines.push(...one.steps.map(({ line }) => ({ ...line, ...(!dryRun && { done: false }) })));
        continue;
      }
      try {
        lines.push(...(await act(one, query, asker)));
      } catch (error) {
        const words = tellStopped(one.jobGroupId, acts - acted - 1, error);
        throw new ReplayStoppedError(words, result(), error);
      }
      onProgress?.("replayed", ++acted, acts);
    }
    return result();
  };
}

/** Asks for each recipe and flow once in a replay, not for each of its job groups. */
function withNames({ platform, ...deps }: JudgeDeps): JudgeDeps {
  const once = { lifeMs: NAMES_MS, max: NAMES_MAX };
  return {
    ...deps,
    platform: {
      getJobGroup: (id, signal) => platform.getJobGroup(id, signal),
      getRecipe: rememberAnswers((id, signal) => platform.getRecipe(id, signal), {
        ...once,
        isWhole: ({ name, flowId }) => name !== undefined && flowId !== undefined,
      }),
      getFlow: rememberAnswers((id, signal) => platform.getFlow(id, signal), {
        ...once,
        isWhole: ({ name }) => name !== undefined,
      }),
    },
  };
}

/** What was meant by a time finished in it; what was named is meant whatever its time. */
function isWithin(
  { finishedAt }: Foreseen,
  { jobGroupIds, since = 0, until = Infinity }: ReplayQuery,
): boolean {
  if (jobGroupIds) return true;
  return finishedAt === undefined || (finishedAt >= since && finishedAt <= until);
}

/** The oldest first: so the newest results are the last in a table. */
const byEnd = (a: Foreseen, b: Foreseen): number =>
  (a.finishedAt ?? 0) - (b.finishedAt ?? 0) || a.jobGroupId - b.jobGroupId;

function checkNames({ rule, target }: ReplayChoice, { rules }: Core): void {
  const current = rules.current();
  if (!current) return;
  if (rule !== undefined && !current.rules.some(({ name }) => name === rule))
    throw new ReplayNameError(`There is no rule ${JSON.stringify(rule)} in the rules in force`);
  if (target !== undefined && !current.targets.some(({ name }) => name === target))
    throw new ReplayNameError(`There is no target ${JSON.stringify(target)} in the rules in force`);
}
