import { identifierWarning } from "./identifier.ts";
import type { RulesProblem } from "./rules-error.ts";
import type { RulesFile } from "./schema.ts";
import { didYouMean } from "./suggest.ts";
import { placeholdersOf } from "./table-template.ts";
import type { Path, YamlSource } from "./yaml-source.ts";

const SHORT_SETTLE_MS = 30_000;
/** Seen on the platform; others may exist, so an unknown one is no error. */
const RAN_FROM = ["ui", "schedule", "api"];

/** What is allowed, and probably not meant. */
export function warnings(file: RulesFile, source: YamlSource): RulesProblem[] {
  return [
    ...targetWarnings(file, source),
    ...(file.rules.length === 0 ? [source.at(["rules"], "there is no rule: nothing will be published")] : []),
    ...file.rules.flatMap((rule, index) => [
      ...ranFromWarnings(rule, index, source),
      ...rule.publish.flatMap((publication, position) =>
        publicationWarnings(publication, ["rules", index, "publish", position], source),
      ),
    ]),
  ];
}

function targetWarnings({ targets, rules }: RulesFile, source: YamlSource): RulesProblem[] {
  const used = new Set(rules.flatMap(({ publish }) => publish.map(({ target }) => target)));
  return Object.entries(targets).flatMap(([name, { schema }]) => [
    ...(used.has(name)
      ? []
      : [source.at(["targets", name], `no rule publishes to the target ${JSON.stringify(name)}`, "key")]),
    ...nameWarnings(schema, ["targets", name, "schema"], source),
  ]);
}

function publicationWarnings(
  { schema, table, settleAfter, format }: RulesFile["rules"][number]["publish"][number],
  path: Path,
  source: YamlSource,
): RulesProblem[] {
  const found = [
    ...nameWarnings(schema, [...path, "schema"], source),
    ...nameWarnings(table, [...path, "table"], source),
  ];
  if (typeof settleAfter === "number" && settleAfter < SHORT_SETTLE_MS) {
    const message =
      "settleAfter is under 30s: if the platform shows a publish later than that, it may be sent a second time";
    found.push(source.at([...path, "settleAfter"], message));
  }
  if (format !== "avro") {
    const message = `format is ${format}: Redshift is published to from avro results`;
    found.push(source.at([...path, "format"], message));
  }
  return found;
}

function nameWarnings(name: string | undefined, path: Path, source: YamlSource): RulesProblem[] {
  // With a placeholder it is another name for each job group.
  if (name === undefined || placeholdersOf(name).length > 0) return [];
  const warning = identifierWarning(name);
  return warning === undefined ? [] : [source.at(path, `${JSON.stringify(name)} ${warning}`)];
}

function ranFromWarnings(
  { when }: RulesFile["rules"][number],
  index: number,
  source: YamlSource,
): RulesProblem[] {
  if (when === "all") return [];
  const odd = (when.ranFrom ?? [])
    .map(String)
    .filter((value) => !/[*?]/.test(value) && !RAN_FROM.includes(value));
  return odd.map((value) =>
    source.at(
      ["rules", index, "when", "ranFrom"],
      `ranFrom ${JSON.stringify(value)} is new to us; the platform says ${RAN_FROM.join(", ")}.${didYouMean(value, RAN_FROM)}`,
    ),
  );
}
