import { hostname, userInfo } from "node:os";
import type { Logger } from "pino";
import { type Config, ConfigError } from "./config.ts";
import type { Said } from "./explain-command.ts";
import { type Cell, type Look, PLAIN, type Style, table, wrapped } from "./look.ts";
import type { ReplayLine } from "./processors/replay-line.ts";
import { createAudit } from "./queues/audit-store.ts";
import { createCompletionRecords } from "./queues/completion-record.ts";
import { reachRedis } from "./reach-redis.ts";
import { ReplayStoppedError } from "./relay-replay-act.ts";
import { createReplay, type ReplayOptions, ReplayNameError, type ReplayResult } from "./relay-replay.ts";
import { withCore } from "./with-core.ts";

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
  /** Names a replay by force; default: the reason. */
  readonly key?: string;
  /** False: a dry run. */
  readonly yes: boolean;
  readonly json: boolean;
  /** Default: the user of this machine. */
  readonly by?: string;
}

/**
 * Replays job groups, or tells what that would come to, whether the relay runs or not. Not `ok` when something is
 * refused or not known, or a job group that was named matches no rule, or it came to no end. Throws when Redis does not answer, and `ConfigError` for a
 * rule or target that is not there.
 */
export async function runReplay(
  args: ReplayArguments,
  config: Config,
  log: Logger,
  look: Look = PLAIN,
  told: Pick<ReplayOptions, "onProgress" | "onWait"> = {},
): Promise<Said> {
  const user = userInfo().username;
  const { yes, json, by = user, ...query } = args;
  const who = by === user ? user : `${by} (user ${user})`;
  return withCore(config, log, async (core) => {
    const { connections, keys } = core;
    await reachRedis(connections, config, "nothing was done");
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
    let stopped: string | undefined;
    const result = await replay({ ...query, by: who, dryRun: !yes }, { max: Infinity, asker, ...told }).catch(
      (error: unknown) => {
        if (!(error instanceof ReplayStoppedError)) return asUsage(error);
        stopped = error.message;
        return error.result;
      },
    );
    const all = { ...result, ...(stopped !== undefined && { stopped }) };
    return {
      text: json ? JSON.stringify(all, undefined, 2) : tellReplay(all, look),
      ok: stopped === undefined && isGood(result, args),
    };
  });
}

function asUsage(error: unknown): never {
  throw error instanceof ReplayNameError ? new ConfigError([error.message]) : error;
}

function isGood({ lines }: ReplayResult, { jobGroupIds }: ReplayArguments): boolean {
  return lines.every(
    ({ state }) => state !== "refused" && state !== "unknown" && (state !== "no-rule" || !jobGroupIds),
  );
}

/** A replay for people: a row for each task, then what it comes to. */
function tellReplay(
  { dryRun, summary, lines, stopped }: ReplayResult & { readonly stopped?: string },
  look: Look,
): string {
  const head = ["job group", "target", "table", "action", "state", dryRun ? "with --yes" : "done", "words"];
  const rows = lines.map((line) => rowOf(line, dryRun));
  const end = `${summary}.${dryRun ? ` This was a dry run: ${look.paint("bold", "--yes")} does it.` : ""}`;
  const told = table("Replay", head, rows, look).slice(2);
  const after = [end, ...(stopped === undefined ? [] : [look.paint("bad", `${stopped}.`)])];
  return [...told, ...(told.length > 0 ? [""] : []), ...wrapped(after, look)].join("\n");
}

const STYLES: Readonly<Record<ReplayLine["state"], Style>> = {
  new: "bold",
  failed: "bad",
  published: "good",
  running: "bold",
  waiting: "bold",
  parked: "warn",
  superseded: "dim",
  refused: "bad",
  unknown: "bad",
  "no-rule": "warn",
  note: "dim",
};

function rowOf({ jobGroupId, state, does, words, task, done }: ReplayLine, dryRun: boolean): Cell[] {
  const acts = dryRun ? does !== "nothing" : done === true;
  return [
    String(jobGroupId),
    task?.target ?? "-",
    task ? `${task.schema}.${task.table}` : "-",
    task?.action ?? "-",
    { text: state, style: STYLES[state] },
    acts ? { text: dryRun ? does : `${does} (queued)`, style: "good" } : { text: "nothing", style: "dim" },
    words,
  ];
}
