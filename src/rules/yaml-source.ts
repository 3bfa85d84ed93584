import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLError,
} from "yaml";
import { excerptOf } from "./excerpt.ts";
import type { RulesProblem } from "./rules-error.ts";
import { quoteAdvice } from "./quote-advice.ts";
import { suggestionIn } from "./suggest.ts";

/** Keys and indexes from the file's root to a value. */
export type Path = readonly PropertyKey[];

/** A YAML text as plain values, with the places they came from. */
export interface YamlSource {
  /** Undefined when the text has no structure that can be relied on. */
  readonly value: unknown;
  readonly problems: readonly RulesProblem[];
  /** A problem at the value of `path`, or at its key; at the nearest parent when there is nothing at `path`. */
  at(path: Path, message: string, part?: "key" | "value"): RulesProblem;
}

/**
 * Reads one YAML 1.2 document; nothing is thrown. After a mistake in the syntax that one alone is told: what follows from it
 * would hide it. All other problems are told at once.
 */
export function readYaml(text: string): YamlSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: "error" });
  const lineAt = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    const place = { line: Math.max(line, 1), column: Math.max(col, 1) };
    const lineStart = lines.lineStarts[place.line - 1] ?? 0;
    const [lineText = ""] = text.slice(lineStart, lines.lineStarts[place.line]).split(/[\r\n]/, 1);
    return { place, lineText };
  };
  const problemAt = ([start, end]: Span, message: string): RulesProblem => {
    const { place, lineText } = lineAt(start);
    const suggestion = suggestionIn(message);
    return {
      ...place,
      message,
      ...(suggestion !== undefined && { suggestion }),
      excerpt: excerptOf(lineText, place.line, place.column, end - start),
    };
  };
  const adviceAt = (offset: number) => {
    const { place, lineText } = lineAt(offset);
    return quoteAdvice(lineText, place.column - 1);
  };
  const at: YamlSource["at"] = (path, message, part = "value") => {
    const value = part === "value" ? document.getIn(path) : undefined;
    return {
      ...(path.length > 0 && { path: pathText(path) }),
      ...problemAt(placeOf(document, path, part), message),
      ...(isShort(value) && { value }),
    };
  };
  const broken = firstSyntaxError(document);
  if (broken !== undefined) {
    const message = adviceAt(broken.pos[0]) ?? broken.message;
    return { value: undefined, problems: [problemAt(broken.pos, message)], at };
  }
  const problems = document.errors.map(({ pos }) =>
    problemAt(pos, "this key stands here twice: keep one of them"),
  );
  for (const { node, message } of surprises(document)) {
    const span = spanOf(node) ?? [0, 0];
    const advice = isScalar(node) && !node.anchor ? undefined : adviceAt(span[0]);
    problems.push(problemAt(span, advice === undefined ? message : `${message}: ${advice}`));
  }
  return { value: plainValue(document, problems), problems, at };
}

/** A key that stands twice leaves the rest of the file readable; a tag that is not known, which YAML only warns of, may not. */
function firstSyntaxError({ errors, warnings }: Document): YAMLError | undefined {
  return [...errors, ...warnings]
    .filter(({ code }) => code !== "DUPLICATE_KEY")
    .reduce<YAMLError | undefined>(
      (first, one) => (first === undefined || one.pos[0] < first.pos[0] ? one : first),
      undefined,
    );
}

/** `rules[0].publish[1].table`, `targets["my target"]`. */
function pathText(path: Path): string {
  const steps = path.map((step) => {
    if (typeof step === "number") return `[${step}]`;
    return /^[\p{L}\p{N}_$-]+$/u.test(String(step))
      ? `.${String(step)}`
      : `[${JSON.stringify(String(step))}]`;
  });
  return steps.join("").replace(/^\./, "");
}

function plainValue(document: Document, problems: RulesProblem[]): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // An alias without an anchor was told already; left are aliases that multiply without end.
    if (problems.length === 0)
      problems.push({ line: 1, column: 1, message: `cannot be read: ${String(error)}` });
    return undefined;
  }
}

/** YAML that is legal and means something else than it seems to. */
function surprises(document: Document): { node: Node; message: string }[] {
  const found: { node: Node; message: string }[] = [];
  visit(document, {
    Pair(_, { key }) {
      if (isScalar(key)) {
        // Dropped without a word by code further on, and a lost condition widens a rule.
        if (key.value === "__proto__")
          found.push({ node: key, message: `"__proto__" cannot be used as a key: rename it` });
        if (key.value === "<<")
          found.push({ node: key, message: "merge keys (<<) are not read: write the keys out" });
      } else if (isMap(key) || isSeq(key)) {
        found.push({ node: key, message: "a key must be a word, not a list or a map" });
        return visit.SKIP;
      }
      return undefined;
    },
    Scalar(_, node) {
      const isWord = typeof node.value === "number" || typeof node.value === "boolean";
      if (isWord && node.source !== undefined && node.source !== String(node.value)) {
        const message = `${node.source} is read as ${String(node.value)}: write that, or put it in quotes`;
        found.push({ node, message });
      }
      if (node.anchor !== undefined && node.value === null && node.source === "")
        found.push({ node, message: `&${node.anchor} stands at nothing` });
    },
    Alias(_, node) {
      if (node.resolve(document) === undefined)
        found.push({ node, message: `*${node.source} has no anchor &${node.source}` });
    },
  });
  return found;
}

const isShort = (value: unknown): value is string | number | boolean =>
  ["string", "number", "boolean"].includes(typeof value);

/** Offsets of the first letter and behind the last. */
type Span = readonly [start: number, end: number];

function placeOf(document: Document, path: Path, part: "key" | "value"): Span {
  let node: unknown = document.contents;
  let span = spanOf(node) ?? [0, 0];
  for (const [depth, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (pair === undefined) return span;
      const keyOnly = isScalar(pair.value) && pair.value.value === null && (pair.value.source ?? "") === "";
      const useKey = keyOnly || pair.value === null || (part === "key" && depth === path.length - 1);
      node = pair.value;
      span = spanOf(useKey ? pair.key : pair.value) ?? span;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      span = spanOf(node) ?? span;
    } else {
      return span;
    }
  }
  return span;
}

/** Of a map or list only its start: it goes over many lines, and what is wrong with it is as a whole. */
function spanOf(node: unknown): Span | undefined {
  if (isMap(node) || isSeq(node)) return node.range ? [node.range[0], node.range[0]] : undefined;
  return (isScalar(node) || isAlias(node)) && node.range ? [node.range[0], node.range[1]] : undefined;
}
