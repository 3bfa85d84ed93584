import { z } from "zod";
import { didYouMean, suggestionIn } from "./suggest.ts";
import type { Path } from "./yaml-source.ts";

/** Zod's own issue types are split over codes; this is all that is read of them. */
type Issue = z.core.$ZodIssue;

/** A mistake in words, at the path of the key or value that has to change. */
interface WordedIssue {
  readonly path: Path;
  readonly part: "key" | "value";
  readonly message: string;
}

/** An object schema that takes no other keys, and says so key by key, one line each. */
export function keyed<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== "unrecognized_keys") return needs(`a map with ${known.join(", ")}`)(issue);
      return issue.keys
        .map(
          (key) =>
            `unknown key ${JSON.stringify(key)}; known here: ${known.join(", ")}.${didYouMean(key, known)}`,
        )
        .join("\n");
    },
  });
}

/** How the words for a key that is not there begin. */
export const IS_MISSING = "is missing";

/** The words for a value that is not what is wanted; they follow the field's path. */
export function needs(wanted: string) {
  return ({ input }: { readonly input?: unknown }): string => {
    if (input === undefined) return `${IS_MISSING}; it must be ${wanted}`;
    if (input === null) return `is empty; it must be ${wanted}`;
    return `must be ${wanted}, not ${found(input)}`;
  };
}

/** A value as an operator sees it in the file. */
export function found(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "a map";
  const shown = JSON.stringify(value) ?? String(value);
  return shown.length > 60 ? `${shown.slice(0, 57)}..."` : shown;
}

/** Words for the issues that have none in the schema: closed sets. */
export const wordsOfSets: z.core.$ZodErrorMap = (issue) => {
  if (issue.code !== "invalid_value") return undefined;
  const values = issue.values.map(String);
  const hint = typeof issue.input === "string" ? didYouMean(issue.input, values) : "";
  return needs(`one of ${values.join(", ")}`)(issue) + (hint === "" ? "" : `.${hint}`);
};

/** Zod's issues as an operator reads them. */
export function wordIssues(issues: readonly Issue[]): WordedIssue[] {
  const worded = issues.flatMap(wordIssue);
  // A misspelt key and the one that is missing for it are one mistake.
  const meant = new Set(
    worded.flatMap(({ path, part, message }) => {
      const suggestion = part === "key" ? suggestionIn(message) : undefined;
      return suggestion === undefined ? [] : [JSON.stringify([...path.slice(0, -1), suggestion])];
    }),
  );
  return worded.filter(
    ({ path, message }) => !(message.startsWith(IS_MISSING) && meant.has(JSON.stringify(path))),
  );
}

function wordIssue(issue: Issue): WordedIssue[] {
  if (issue.code === "unrecognized_keys") {
    const lines = issue.message.split("\n");
    return issue.keys.map((key, index) => ({
      path: [...issue.path, key],
      part: "key",
      message: lines[index] ?? "",
    }));
  }
  if (issue.code === "invalid_union") {
    const branch = issue.errors.find((errors) => !errors.some(isOtherKind));
    if (branch !== undefined) {
      return wordIssues(branch.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })));
    }
  }
  const message = issue.path.length === 0 ? `the file ${issue.message}` : issue.message;
  return [{ path: issue.path, part: "value", message }];
}

/** The value is not of this branch's kind at all, so the branch has nothing to say about it. */
function isOtherKind({ code, path }: Issue): boolean {
  return (
    path.length === 0 && ["invalid_type", "invalid_value", "invalid_union", "invalid_format"].includes(code)
  );
}
