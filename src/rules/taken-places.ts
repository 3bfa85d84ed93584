import { foldTemplate } from "./name-template.ts";
import type { RulesProblem } from "./rules-error.ts";
import type { RulesFile } from "./schema.ts";
import { excludeEachOther } from "./when-overlap.ts";
import type { YamlSource } from "./yaml-source.ts";

type FileRule = RulesFile["rules"][number];

const TAKES_ALL = JSON.stringify("all");
/** With so many rules before it into its table a publication is compared: a file of thousands into one must load quickly. */
const COMPARED = 100;

/** The enabled rules that publish to one place, so far. */
interface Place {
  /** By condition, the first rule. */
  readonly byWhen: Map<string, number>;
  readonly rules: number[];
}

/**
 * Publications whose place a rule earlier in the file takes: of two publications of one job group into one table the first is
 * sent. Each time, when the earlier rule surely matches whatever theirs does; for some job groups, unless a condition that both
 * have tells the rules apart.
 */
export function takenPlaces({ rules, targets }: RulesFile, source: YamlSource): RulesProblem[] {
  const places = new Map<string, Place>();
  return rules.flatMap((rule, index) => {
    if (rule.enabled === false) return [];
    return rule.publish.flatMap(({ target: name, schema, table }, position): RulesProblem[] => {
      const target = targets[name];
      if (target === undefined) return [];
      const key = [target.connection, foldTemplate(schema ?? target.schema), foldTemplate(table)].join("\n");
      const place: Place = places.get(key) ?? { byWhen: new Map<string, number>(), rules: [] };
      places.set(key, place);
      const words = wordsFor(rule, place, rules, source);
      const own = JSON.stringify(rule.when);
      if (!place.byWhen.has(own)) place.byWhen.set(own, index);
      place.rules.push(index);
      return words === undefined ? [] : [source.at(["rules", index, "publish", position, "table"], words)];
    });
  });
}

function wordsFor(
  rule: FileRule,
  { byWhen, rules: before }: Place,
  rules: readonly FileRule[],
  source: YamlSource,
): string | undefined {
  const named = (index: number): string => {
    const { line } = source.at(["rules", index, "name"], "");
    return `rule ${JSON.stringify(rules[index]?.name)} (line ${line}), earlier in the file,`;
  };
  const always = byWhen.get(TAKES_ALL) ?? byWhen.get(JSON.stringify(rule.when));
  if (always !== undefined) {
    return `is never sent: ${named(always)} takes the same job groups and publishes to the same table. Give it another table, or remove it`;
  }
  const sometimes = before.slice(0, COMPARED).find((index) => {
    const other = rules[index];
    return other !== undefined && !excludeEachOther(other.when, rule.when);
  });
  if (sometimes === undefined) return undefined;
  return `is not sent for a job group that ${named(sometimes)} matches too: it publishes to the same table. Give one of them another table, or conditions that no job group meets both of`;
}
