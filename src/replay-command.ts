import { hostname, userInfo } from "node:os";
import type { Logger } from "pino";
import { type Config, ConfigError } from "./config.ts";
import type { Said } from "./explain-command.ts";
import type { ReplayLine } from "./processors/replay-line.ts";
import { createAudit } from "./queues/audit-store.ts";
import { createCompletionRecords } from "./queues/completion-record.ts";
import { inTime } from "./queues/in-time.ts";
import { createReplay, type ReplayOptions, ReplayNameError, type ReplayResult } from "./relay-replay.ts";
import { withCore } from "./with-core.ts";

/** A person does not wait for a Redis that is away. */
const REDIS_WITHIN_MS = 5_000;

/** What `replay` was asked for; times are epoch milliseconds. */
export interface ReplayArguments {
  /** Either these, or `since`. */
  readonly jobGroupIds?: readonly number[];
  readonly since?: number;
  readonly until?: number;
  readonly rule?: string;
  readonly target?: string;
  readonly failed: boolean;
  readonly force: boolean;
  readonly reason?: string;
  /** False: a dry run. */
  readonly yes: boolean;
  readonly json: boolean;
  /** Default: the user of this machine. */
  readonly by?: string;
}

/**
 * Replays job groups, or tells what that would come to, whether the relay runs or not. Not `ok` when something is
 * refused, or a job group that was named matches no rule. Throws when Redis does not answer, and `ConfigError` for a
 * rule or target that is not there.
 */
export async function runReplay(
  args: ReplayArguments,
  config: Config,
  log: Logger,
  onProgress?: ReplayOptions["onProgress"],
): Promise<Said> {
  const user = userInfo().username;
  const { yes, json, by = user, ...query } = args;
  const who = by === user ? user : `${by} (user ${user})`;
  return withCore(config, log, async (core) => {
    const { connections, keys } = core;
    // Not `core.reached`: that sets the targets' limits.
    if (!(await inTime(connections.reached(), REDIS_WITHIN_MS)))
      throw new Error("Redis does not answer: nothing was done. Say in REDIS_URL where it is");
    const retentionMs = config.ledgerRetentionMs;
    const replay = createReplay({
      core,
      records: createCompletionRecords(connections.ingest, keys, retentionMs),
      rulesFile: config.rulesFile,
      retentionMs,
      asks: "past the gate",
      audit: createAudit(connections.ingest, keys, retentionMs, log),
      log,
    });
    const asker = { who, role: "command line", from: hostname() } as const;
    const result = await replay(
      { ...query, by: who, dryRun: !yes },
      { max: Infinity, asker, ...(onProgress && { onProgress }) },
    ).catch(asUsage);
    return {
      text: json ? JSON.stringify(result, undefined, 2) : tellReplay(result),
      ok: isGood(result, args),
    };
  });
}

function asUsage(error: unknown): never {
  throw error instanceof ReplayNameError ? new ConfigError([error.message]) : error;
}

function isGood({ lines }: ReplayResult, { jobGroupIds }: ReplayArguments): boolean {
  return lines.every(({ state }) => state !== "refused" && (state !== "no-rule" || !jobGroupIds));
}

/** A replay for people: a line for each task. */
function tellReplay({ dryRun, summary, lines }: ReplayResult): string {
  const end = dryRun ? `${summary}. This was a dry run: --yes does it.` : `${summary}.`;
  return [...lines.map(tellLine), end].join("\n");
}

function tellLine({ jobGroupId, state, does, words, task, done }: ReplayLine): string {
  const what = task ? `${task.target}.${task.schema}.${task.table} (${task.action})` : "-";
  const is = does === "nothing" ? state : `${state} -> ${does}${done === undefined ? "" : " (queued)"}`;
  return `${jobGroupId}  ${what}  ${is}: ${words}`;
}

/** Draws how far a replay is on one line of a terminal, and wipes it away when `end` is called. */
export function createProgressBar(out: { write(text: string): unknown; readonly isTTY?: boolean }): {
  readonly draw: NonNullable<ReplayOptions["onProgress"]>;
  readonly end: () => void;
} {
  if (out.isTTY !== true) return { draw: () => undefined, end: () => undefined };
  let drawn = false;
  return {
    draw: (doing, done, of) => {
      drawn = true;
      const full = Math.round((BAR * done) / Math.max(of, 1));
      out.write(
        `\r\u001b[K[${"#".repeat(full)}${"-".repeat(BAR - full)}] ${done} of ${of} job groups ${doing}`,
      );
    },
    end: () => {
      if (drawn) out.write("\r\u001b[K");
    },
  };
}

const BAR = 30;
