import { identifierWarning } from "./identifier.ts";
import { takenPlaces } from "./taken-places.ts";
import type { RulesProblem } from "./rules-error.ts";
import type { RulesFile, Settings } from "./schema.ts";
import { didYouMean } from "./suggest.ts";
import { placeholdersOf } from "./name-template.ts";
import type { Path, YamlSource } from "./yaml-source.ts";

const SHORT_SETTLE_MS = 30_000;
/** Seen on the platform; others may exist, so an unknown one is no error. */
const RAN_FROM = ["ui", "schedule", "api"];

/** What is allowed, and probably not meant. */
export function warnings(file: RulesFile, source: YamlSource): RulesProblem[] {
  return [
    ...settleWarnings(file.defaults, ["defaults"], source),
    ...targetWarnings(file, source),
    ...takenPlaces(file, source),
    ...file.rules.flatMap((rule, index) => [
      ...ranFromWarnings(rule, index, source),
      ...rule.publish.flatMap((publication, position) =>
        publicationWarnings(publication, ["rules", index, "publish", position], source),
      ),
    ]),
  ];
}

function targetWarnings({ targets, rules }: RulesFile, source: YamlSource): RulesProblem[] {
  const targetsOf = (some: RulesFile["rules"]) =>
    new Set(some.flatMap(({ publish }) => publish.map(({ target }) => target)));
  const used = targetsOf(rules);
  const enabled = rules.filter(({ enabled }) => enabled !== false);
  // While no rule is in force the file is in the making: that is said once, and not here.
  const inForce = enabled.length === 0 ? new Set(Object.keys(targets)) : targetsOf(enabled);
  const unused = (name: string): RulesProblem[] => {
    if (inForce.has(name)) return [];
    const whose = used.has(name) ? "only rules that are switched off publish" : "no rule publishes";
    return [source.at(["targets", name], `${whose} to the target ${JSON.stringify(name)}`, "key")];
  };
  return Object.entries(targets).flatMap(([name, { schema, defaults }]) => [
    ...unused(name),
    ...nameWarnings(schema, ["targets", name, "schema"], source),
    ...settleWarnings(defaults, ["targets", name, "defaults"], source),
  ]);
}

function publicationWarnings(
  publication: RulesFile["rules"][number]["publish"][number],
  path: Path,
  source: YamlSource,
): RulesProblem[] {
  const { schema, table, format } = publication;
  const found = [
    ...nameWarnings(schema, [...path, "schema"], source),
    ...nameWarnings(table, [...path, "table"], source),
    ...settleWarnings(publication, path, source),
  ];
  if (format !== "avro") {
    const message = `format is ${format}: Redshift is published to from avro results`;
    found.push(source.at([...path, "format"], message));
  }
  return found;
}

function settleWarnings(settings: Settings | undefined, path: Path, source: YamlSource): RulesProblem[] {
  const settleAfter = settings?.settleAfter;
  if (typeof settleAfter !== "number" || settleAfter >= SHORT_SETTLE_MS) return [];
  const message =
    "settleAfter is under 30s: if the platform shows a publish later than that, it may be sent a second time";
  return [source.at([...path, "settleAfter"], message)];
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
