import { z } from "zod";

const WORDS_MAX = 500;
const HTML_WORDS_MAX = 120;
/** How much of a page is looked at for its hint. */
const HTML_LOOKED_AT = 16_384;
/** Deeper than any message; an answer nested without end must not end the process. */
const DEPTH_MAX = 5;
const SPOKEN = ["name", "message", "reason", "error", "errorMessage", "details", "cause"];

/** What an answer that is not a success says. */
export interface PlatformWords {
  /** The exception's name, such as `AccessControlException`. */
  readonly name?: string;
  /** Message and details, in one line, clipped; may be empty. */
  readonly text: string;
}

const exceptionSchema = z.object({
  exception: z.object({
    name: z.string().optional().catch(undefined),
    message: z.unknown().optional(),
    details: z.unknown().optional(),
  }),
});

/** Reads the platform's exception, or the hint in a proxy's page. `redact` takes secrets out before anything is cut. */
export function readWords(body: string, redact: (text: string) => string): PlatformWords {
  const json = parseJson(body);
  const parsed = exceptionSchema.safeParse(json);
  if (parsed.success) {
    const { name, message, details } = parsed.data.exception;
    const text = clip(
      redact([flatten(message), flatten(details)].filter((part) => part !== "").join(" ")),
      WORDS_MAX,
    );
    return name ? { name: clip(redact(name), 100), text } : { text };
  }
  if (json !== undefined) return { text: clip(redact(flatten(json)), WORDS_MAX) };
  if (/<(!doctype|html|head|body|title|h1|center|p)\b/i.test(body)) {
    return { text: clip(redact(stripHtml(body)), HTML_WORDS_MAX) };
  }
  return { text: clip(redact(body), WORDS_MAX) };
}

/** Text for people out of whatever stands where a message is expected: null, a string, an object of unknown shape. */
export function flatten(value: unknown, depth = 0): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "object") return "";
  if (depth === DEPTH_MAX) return "...";
  if (Array.isArray(value)) return distinct(value.map((part) => flatten(part, depth + 1))).join("; ");
  const fields = Object.entries(value);
  // The platform's objects carry ids and stacks too; the fields that speak to people come under these names.
  const spoken = SPOKEN.flatMap((name) => fields.filter(([field]) => field === name));
  const words = distinct(spoken.map(([, part]) => flatten(part, depth + 1))).join(": ");
  if (words !== "") return words;
  return fields.map(([name, part]) => `${name} ${flatten(part, depth + 1)}`.trim()).join("; ");
}

/** One line of at most `max` characters. */
export function clip(text: string, max: number): string {
  // Control characters must reach neither a log nor a terminal.
  const line = text.replace(/[\s\p{Cc}]+/gu, " ").trim();
  return line.length <= max ? line : `${line.slice(0, max - 3)}...`;
}

/** The words say that these results were already written to this target. */
export function sayAlreadyPublished(words: string): boolean {
  return /\balready\s+(been\s+|was\s+|were\s+)?(written|published)\b/i.test(words);
}

/** The words say that another publish of the job group runs. */
export function sayPublishRuns(words: string): boolean {
  return (
    /\banother\s+publish/i.test(words) ||
    /\bbeing\s+published\b/i.test(words) ||
    /\bpublish\w*\b[^.]{0,60}\b(is|are)\s+(already\s+|still\s+|currently\s+)?(running|in\s+progress|under\s*way|active)\b/i.test(
      words,
    ) ||
    /\bpublish\w*\s+(already\s+)?(running|in\s+progress)\b/i.test(words)
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function distinct(parts: readonly string[]): string[] {
  return [...new Set(parts.filter((part) => part !== ""))];
}

function stripHtml(page: string): string {
  return page
    .slice(0, HTML_LOOKED_AT)
    .replace(/<(script|style)\b[\s\S]*?<\/\1\s*>/gi, " ")
    .replace(/<[^<>]*>/g, " ")
    .replace(/&nbsp;/gi, " ");
}
