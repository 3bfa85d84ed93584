import { createHash } from "node:crypto";
import { crossCheck } from "./cross-checks.ts";
import type { Publication, Rules, Target } from "./model.ts";
import { resolveSettings } from "./publication-settings.ts";
import { describeProblem, RulesError, type RulesProblem } from "./rules-error.ts";
import { type RulesFile, rulesFile, type Settings } from "./schema.ts";
import { wordIssues, wordsOfSets } from "./schema-words.ts";
import { warnings } from "./warnings.ts";
import { readYaml } from "./yaml-source.ts";

/**
 * Reads a rules file; pure, the caller reads the disk. `fileName` is for the messages alone.
 * `warnings` are in the form `rules.yaml:12:7 rules[0].name: message`, `warned` are the same with their places.
 *
 * @throws RulesError with all problems of the file at once.
 */
export function parseRules(
  text: string,
  fileName: string,
): { rules: Rules; warnings: string[]; warned: readonly RulesProblem[] } {
  const source = readYaml(text);
  if (source.value === undefined) throw new RulesError(fileName, inOrder(source.problems));
  if (source.value === null) {
    const message = "the file is empty: it needs `version: 1`, `targets` and `rules`";
    throw new RulesError(fileName, inOrder([...source.problems, { line: 1, column: 1, message }]));
  }
  const parsed = rulesFile.safeParse(source.value, { error: wordsOfSets });
  const issues = parsed.success ? [] : wordIssues(parsed.error.issues);
  const problems = [
    ...source.problems,
    ...issues.map(({ path, message, part }) => source.at(path, message, part)),
    ...crossCheck(source),
  ];
  if (!parsed.success || problems.length > 0) throw new RulesError(fileName, inOrder(problems));
  const warned = inOrder(warnings(parsed.data, source));
  return {
    rules: toRules(parsed.data, createHash("sha256").update(text).digest("hex").slice(0, 12)),
    warnings: warned.map((warning) => describeProblem(fileName, warning)),
    warned,
  };
}

/** By place, and once each: a value that aliases repeat has its problem once. */
function inOrder(problems: readonly RulesProblem[]): RulesProblem[] {
  const once = new Map(
    problems.map((problem) => [`${problem.line}:${problem.column} ${problem.message}`, problem]),
  );
  return [...once.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

function toRules(file: RulesFile, version: string): Rules {
  const defaultsOf = (target: string) => [file.defaults, file.targets[target]?.defaults];
  return {
    version,
    serializeJobGroups: file.serializeJobGroups,
    targets: Object.entries(file.targets).map(([name, target]) => toTarget(name, target)),
    rules: file.rules.map((rule) => ({
      ...rule,
      publish: rule.publish.map((publication) => toPublication(publication, defaultsOf(publication.target))),
    })),
  };
}

function toTarget(name: string, target: RulesFile["targets"][string]): Target {
  const { defaults: _, freshness, ...same } = target;
  return { name, ...same, ...(freshness !== undefined && { freshnessMs: freshness }) };
}

function toPublication(
  { target, schema, table, action, format, ...own }: RulesFile["rules"][number]["publish"][number],
  defaults: readonly (Settings | undefined)[],
): Publication {
  return {
    target,
    ...(schema !== undefined && { schema }),
    table,
    action,
    format,
    ...resolveSettings(action, [...defaults, own]),
  };
}
