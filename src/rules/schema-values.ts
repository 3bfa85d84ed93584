import { z } from "zod";
import { DURATION_PATTERN, formatDuration, parseDuration } from "./duration.ts";
import { TEMPLATE_PATTERN, templateProblems } from "./name-template.ts";
import { found, needs } from "./schema-words.ts";

// The values of a rules file. What zod cannot put into JSON Schema by itself is in their meta.

export const wholeNumber = (min: number, max: number) => {
  const error = needs(
    max === Number.MAX_SAFE_INTEGER
      ? `a whole number, ${min} or more`
      : `a whole number from ${min} to ${max}`,
  );
  return z.int({ error }).min(min, { error }).max(max, { error });
};

export const text = (wanted: string, error = needs(wanted)) =>
  z.string({ error }).min(1, { error, abort: true });

export const flag = z.boolean({ error: needs("true or false") });

/** A duration as text, into milliseconds. The lowest and highest are part of the words, not of the JSON Schema. */
export const duration = (minMs: number, maxMs: number, or = "") =>
  z
    .unknown()
    .meta({ type: "string", pattern: DURATION_PATTERN })
    .transform((value, context) => {
      const ms = typeof value === "string" ? parseDuration(value) : undefined;
      if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
      const unit = typeof value === "number" ? `. A number needs a unit: ${value}s, ${value}m, ...` : "";
      const wanted = `a duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, such as 500ms 20s 1m 2h 90d${or}`;
      context.addIssue({ code: "custom", message: needs(wanted)({ input: value }) + unit });
      return z.NEVER;
    });

/** A schema or table, with placeholders. */
export const nameTemplate = (wanted: string) =>
  text(wanted, ({ input }) => needs(wanted)({ input }) + placeholderHint(input))
    .superRefine((template, context) => {
      for (const problem of templateProblems(template))
        context.addIssue({ code: "custom", message: `${found(template)} ${problem}` });
    })
    .meta({ pattern: TEMPLATE_PATTERN });

/** Without quotes `{date}` is a map to YAML, of one key that has no value. */
function placeholderHint(value: unknown): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "";
  const [[key, nothing] = [], ...others] = Object.entries(value);
  return key !== undefined && nothing === null && others.length === 0 ? `: put "{${key}}" in quotes` : "";
}
