import type { Redis } from "ioredis";
import { z } from "zod";
import type { Keys } from "./names.ts";
import { registerScript } from "./script.ts";
import { AUDIT } from "./scripts/audit.ts";

/** Entries kept of the whole trail, about. */
const KEPT = 100_000;
/** Of one job group. */
const KEPT_OF_JOB_GROUP = 500;
const CUT_AT = 1_000;
/** Whoever is refused all the time does not flush the trail. */
const REFUSALS_A_MINUTE = 60;

const entrySchema = z.object({
  /** The person's name, or what is known in its place. */
  who: z.string(),
  role: z.enum(["operator", "viewer", "api", "command line"]),
  /** The address that was asked from. */
  from: z.string(),
  /** A verb: `pause`, `retry`, `resolve: again`. */
  action: z.string(),
  /** `asked`: written before anything is done; the entry that `follows` it tells how that went. */
  outcome: z.enum(["asked", "done", "refused", "failed"]),
  /** The id of the entry `asked`. */
  follows: z.string().optional(),
  queue: z.string().optional(),
  taskId: z.string().optional(),
  jobGroupId: z.number().optional(),
  target: z.string().optional(),
  /** Why, in the person's words. */
  reason: z.string().optional(),
  /** What was sent, or why it was refused. */
  detail: z.string().optional(),
  requestId: z.string().optional(),
});

/** What somebody asked for, or what became of it. */
export type AuditEntry = Readonly<z.infer<typeof entrySchema>>;

/** An entry as it stands in the trail. */
export interface Audited extends AuditEntry {
  readonly id: string;
  /** ISO 8601, of Redis' clock. */
  readonly at: string;
}

export interface AuditQuery {
  /** Only entries older than this one, by its id. */
  readonly before?: string;
  readonly limit: number;
  readonly jobGroupId?: number;
}

export interface Audit {
  /** Resolves to the entry's id once it is written; rejects when it is not, and then nothing may be done. */
  record(entry: AuditEntry): Promise<string>;
  /** Tells that an operator was refused before anything began: 60 entries a minute and person, the rest in the log alone. Never rejects. */
  refused(asked: Asked): Promise<void>;
  /** Newest first; `next` is the `before` of the next page, absent on the last. */
  list(query: AuditQuery): Promise<{ readonly entries: readonly Audited[]; readonly next?: string }>;
}

/** What is asked for, before it is known how that went. */
export type Asked = Omit<AuditEntry, "outcome" | "follows">;

export interface AuditLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** What operators did: a stream of about 100,000 entries, and one per job group that lives as long as its record. */
export function createAudit(redis: Redis, keys: Keys, retentionMs: number, log: AuditLog): Audit {
  const add = registerScript(redis, "relayAudit", AUDIT, 2);
  const mayTell = createMinutes(REFUSALS_A_MINUTE);
  const audit: Audit = {
    record: async (entry) => {
      const { jobGroupId } = entry;
      const json = JSON.stringify(entry, (_, value: unknown) =>
        typeof value === "string" && value.length > CUT_AT ? `${value.slice(0, CUT_AT)}...` : value,
      );
      const ofGroup = Number(jobGroupId !== undefined);
      const id = String(
        await add(
          [keys.audit, keys.auditOf(jobGroupId ?? 0)],
          [json, KEPT, ofGroup, KEPT_OF_JOB_GROUP, retentionMs],
        ),
      );
      log.info({ audit: { id, ...entry } }, `${entry.action}: ${entry.outcome}`);
      return id;
    },
    refused: async (asked) => {
      const entry = { ...asked, outcome: "refused" } as const;
      if (!mayTell(asked.who))
        return log.warn({ audit: entry }, `${asked.action}: refused, too often to be kept`);
      await audit.record(entry).catch((error: unknown) => {
        log.warn({ err: error, audit: entry }, "a refusal could not be audited: it stands here alone");
      });
    },
    list: async ({ before, limit, jobGroupId }) => {
      const key = jobGroupId === undefined ? keys.audit : keys.auditOf(jobGroupId);
      const found = await redis.xrevrange(key, before ? `(${before}` : "+", "-", "COUNT", limit + 1);
      const page = found.slice(0, limit);
      const last = page.at(-1)?.[0];
      return {
        entries: page.flatMap(([id, [, json = ""]]) => readEntry(id, json)),
        ...(found.length > limit && last !== undefined && { next: last }),
      };
    },
  };
  return audit;
}

/** Says whether a name may have one more in this minute. */
function createMinutes(most: number): (name: string) => boolean {
  const counts = new Map<string, number>();
  let minute = 0;
  return (name) => {
    const now = Math.floor(Date.now() / 60_000);
    if (now !== minute) counts.clear();
    minute = now;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return count <= most;
  };
}

/** How an action went, as far as the trail is to tell. */
export interface Ending {
  readonly outcome: "done" | "refused" | "failed";
  readonly detail?: string;
}

/**
 * Writes `asked`; resolves to what writes how it went. Rejects when it cannot be written: then nothing may be done.
 * When only the ending cannot, the action stands and the log has it.
 */
export async function askedFor(
  audit: Audit,
  entry: Asked,
  log: AuditLog,
): Promise<(ending: Ending) => Promise<void>> {
  const follows = await audit.record({ ...entry, outcome: "asked" });
  return async (ending) => {
    const told = { ...entry, ...ending, follows };
    await audit.record(told).catch((error: unknown) => {
      log.warn({ err: error, audit: told }, "the audit trail could not be written: this stands here alone");
    });
  };
}

/** Writes `asked`, acts, and writes how it went. Rejects without acting when the first cannot be written. */
export async function carryOut<T>(
  audit: Audit,
  entry: Asked,
  log: AuditLog,
  act: () => Promise<T>,
  endingOf: (result: T) => Ending,
): Promise<T> {
  const end = await askedFor(audit, entry, log);
  let result: T;
  try {
    result = await act();
  } catch (error) {
    await end({ outcome: "failed", detail: error instanceof Error ? error.message : String(error) });
    throw error;
  }
  await end(endingOf(result));
  return result;
}

/** The job group of a task, a completion or a parent, by its job's id. */
export function jobGroupOf(jobId: string): number | undefined {
  const id = Number(/^jobgroup-([1-9]\d*)(?:-|$)/.exec(jobId)?.[1]);
  return Number.isSafeInteger(id) ? id : undefined;
}

/** One that a later version wrote in another way is passed over. */
function readEntry(id: string, json: string): Audited[] {
  try {
    const at = new Date(Number(id.split("-")[0])).toISOString();
    return [{ id, at, ...entrySchema.parse(JSON.parse(json)) }];
  } catch {
    return [];
  }
}
