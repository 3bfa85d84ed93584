import { createHash } from "node:crypto";
import { crossCheck } from "./cross-checks.ts";
import { type Publication, REPEATABLE_ACTIONS, type Rules } from "./model.ts";
import { describeProblem, RulesError, type RulesProblem } from "./rules-error.ts";
import { type RulesFile, rulesFile } from "./schema.ts";
import { wordIssues, wordsOfSets } from "./schema-words.ts";
import { warnings } from "./warnings.ts";
import { readYaml } from "./yaml-source.ts";

/** How long a publish may stay unseen: where a repeated one would add rows, longer than where it ends in the same state. */
const SETTLE_MS = { appends: 120_000, repeatable: 15_000 };

/**
 * Reads a rules file; pure, the caller reads the disk. `fileName` is for the messages alone.
 * Warnings are in the form `rules.yaml:12:7 rules[0].name: message`.
 *
 * @throws RulesError with all problems of the file at once.
 */
export function parseRules(text: string, fileName: string): { rules: Rules; warnings: string[] } {
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
  return {
    rules: toRules(parsed.data, createHash("sha256").update(text).digest("hex").slice(0, 12)),
    warnings: inOrder(warnings(parsed.data, source)).map((warning) => describeProblem(fileName, warning)),
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
  return {
    version,
    serializeJobGroups: file.serializeJobGroups,
    targets: Object.entries(file.targets).map(([name, target]) => ({ name, ...target })),
    rules: file.rules.map((rule) => ({ ...rule, publish: rule.publish.map(toPublication) })),
  };
}

function toPublication({
  deadline,
  settleAfter,
  ...same
}: RulesFile["rules"][number]["publish"][number]): Publication {
  const settle = REPEATABLE_ACTIONS.includes(same.action) ? SETTLE_MS.repeatable : SETTLE_MS.appends;
  return { ...same, deadlineMs: deadline, settleAfterMs: settleAfter ?? settle };
}
