import type { z } from "zod";
import {
  MAX_LABEL_NAME_CHARS,
  MAX_LABEL_VALUE_CHARS,
  MAX_LABELS,
  REPORT_EXAMPLE,
  reportSchema,
} from "./report-schema.ts";

/** How a completion became known; `run`: the relay started the job group itself, so it has not ended yet. */
export type ReportSource = "webhook" | "api" | "message" | "poller" | "run";

/** "Job group N finished", as somebody told us; a hint that the platform is asked about before anything is done. */
export interface CompletionReport {
  readonly jobGroupId: number;
  /** The status that the reporter named; absent when none was. */
  readonly status?: string;
  /** Every other field of the report, for rules to match on. */
  readonly labels: Record<string, string>;
  readonly source: ReportSource;
  /** What the sender calls this delivery; absent when it gives it no name. */
  readonly delivery?: string;
}

/** A report was read; `test` is a sender that tries whether it gets through, as the platform's "Test" button does. */
export type ParsedReport =
  | { readonly kind: "report"; readonly report: CompletionReport }
  | ({ readonly kind: "test" } & TestReport)
  | { readonly kind: "malformed"; readonly detail: string };

/** What a test delivery holds. */
export interface TestReport {
  /** By what it was known: `$jobId` that was not replaced, or a field like `"test": true`. */
  readonly mark: string;
  readonly status?: string;
  readonly labels: Record<string, string>;
}

const BODY_HINT = '{"jobId":"$jobId","jobStatus":"$jobStatus"}';
const REPORT_HINT = JSON.stringify(REPORT_EXAMPLE);

/** The fields that mean something to us; all others are labels. Designer Cloud's body has the `job...` names. */
const OWN_FIELDS: ReadonlySet<string> = new Set(Object.keys(reportSchema.shape));

const EXPECTED: Readonly<Record<string, string>> = {
  jobId: "must be the job group's id, a positive whole number (as a number or in quotes)",
  jobGroupId: "must be the job group's id, a positive whole number (as a number or in quotes)",
  jobStatus: "must be a string of at most 100 characters",
  status: "must be a string of at most 100 characters",
  labels: 'must be an object of names and values, like {"env":"prod"}',
};

/**
 * Reads a completion report, whoever sent it: `jobId` or `jobGroupId` (numbers may come as strings), `jobStatus` or
 * `status`, `labels`; any other field becomes a label too. Never throws; `malformed` says what to change.
 */
export function parseReport(body: unknown, source: ReportSource): ParsedReport {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    return malformed(
      `A report must be a JSON object like ${source === "webhook" ? BODY_HINT : REPORT_HINT}.`,
    );
  }
  const given = body as Record<string, unknown>;
  const testMark = testMarkOf(given);
  const ids = [given["jobId"], given["jobGroupId"]];
  const [jobIdGiven, jobGroupIdGiven] = ids.map((id) => (isNoId(id, testMark) ? undefined : id));
  const parsed = reportSchema.safeParse({ ...given, jobId: jobIdGiven, jobGroupId: jobGroupIdGiven });
  if (!parsed.success) return malformed(describe(parsed.error, given));
  const { jobStatus, status = jobStatus } = parsed.data;
  const jobId = toNumber(parsed.data.jobId);
  const jobGroupId = toNumber(parsed.data.jobGroupId) ?? jobId;
  if (jobId !== undefined && jobId !== jobGroupId) {
    return malformed(
      `"jobId" is ${jobId} and "jobGroupId" is ${jobGroupId}: they mean the same, send one of them.`,
    );
  }

  const labels: Record<string, string> = {};
  // As given: what zod hands back is without "__proto__", which is to be refused, not dropped.
  const explicit = (given["labels"] ?? {}) as Record<string, unknown>;
  const problem = collect(given, OWN_FIELDS, labels) ?? collect(explicit, NONE, labels);
  if (problem !== undefined) return malformed(problem);
  // "$jobStatus" beside a real id: the platform filled in one placeholder alone, which tells nothing.
  const known = typeof status === "string" && status !== "$jobStatus" ? { status } : {};
  if (known.status !== undefined && HALF_CHARACTER.test(known.status)) return malformed(HALF_STATUS);
  if (jobGroupId !== undefined) {
    return { kind: "report", report: { jobGroupId, ...known, labels, source } };
  }
  const mark = ids.includes(UNREPLACED) ? '"$jobId" was not replaced' : testMark;
  if (mark !== undefined) return { kind: "test", mark, ...known, labels };
  return malformed(
    source === "webhook"
      ? `"jobId" is missing: set the webhook's body to ${BODY_HINT}.`
      : `"jobGroupId" is missing: send the job group's id, like ${REPORT_HINT}.`,
  );
}

const UNREPLACED = "$jobId";

/** A test may leave the id as the placeholder, or put nothing in its place. */
function isNoId(id: unknown, testMark: string | undefined): boolean {
  return id === UNREPLACED || (testMark !== undefined && (id === null || id === ""));
}

/** Beside a job's id these are labels like any other: a real report is never taken for a test. */
function testMarkOf(given: Readonly<Record<string, unknown>>): string | undefined {
  if (given["test"] === true || given["test"] === "true") return 'it has no job id, and "test" is true';
  for (const field of ["type", "event"]) {
    const value = given[field];
    if (typeof value !== "string" || !TEST_WORDS.has(value.toLowerCase())) continue;
    return `it has no job id, and "${field}" is "${value}"`;
  }
  return undefined;
}

const TEST_WORDS: ReadonlySet<string> = new Set(["test", "ping"]);

/** JSON may escape half of a surrogate pair, which is no character: Redis' scripts cannot read it. */
const HALF_CHARACTER = /\p{Surrogate}/u;
const HALF_STATUS = '"status" holds half of a character (a lone surrogate): send text.';

const toNumber = (id: number | string | undefined): number | undefined =>
  id === undefined ? undefined : Number(id);

const NONE: ReadonlySet<string> = new Set();

/** Turns fields into labels; the explicit `labels` come last and win. Answers with what is wrong, if anything is. */
function collect(
  from: Readonly<Record<string, unknown>>,
  except: ReadonlySet<string>,
  into: Record<string, string>,
): string | undefined {
  for (const name of Object.keys(from)) {
    if (except.has(name)) continue;
    const value = from[name];
    if (value === null || value === undefined) continue;
    // Set on a plain object, it would replace the prototype instead of being kept.
    if (name === "__proto__") return 'A label cannot be called "__proto__": rename or leave out that field.';
    if (name.length === 0 || name.length > MAX_LABEL_NAME_CHARS) {
      return `The name of field "${shorten(name)}" must have 1 to ${MAX_LABEL_NAME_CHARS} characters: rename or leave out that field.`;
    }
    const text = typeof value === "string" ? value : toText(value);
    if (text === undefined) return `Field "${name}" is nested too deeply: flatten or leave out that field.`;
    if (HALF_CHARACTER.test(name) || HALF_CHARACTER.test(text)) {
      return `Field "${shorten(name)}" holds half of a character (a lone surrogate): send text, or leave out that field.`;
    }
    if (text.length > MAX_LABEL_VALUE_CHARS) {
      return `Field "${name}" has ${text.length} characters, ${MAX_LABEL_VALUE_CHARS} are allowed: shorten or leave out that field.`;
    }
    into[name] = text;
  }
  if (Object.keys(into).length > MAX_LABELS) {
    return `There are more than ${MAX_LABELS} fields beside the job's id and status: send only those that rules look at.`;
  }
  return undefined;
}

function toText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    // A body within the limit can still nest deeper than the stack goes.
    return undefined;
  }
}

function describe(error: z.ZodError, given: Readonly<Record<string, unknown>>): string {
  const field = String(error.issues[0]?.path[0] ?? "");
  const value = given[field];
  const seen = typeof value === "object" ? "" : `, not ${shorten(JSON.stringify(value))}`;
  return `"${field}" ${EXPECTED[field] ?? "is wrong"}${seen}.`;
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function malformed(detail: string): ParsedReport {
  return { kind: "malformed", detail };
}
