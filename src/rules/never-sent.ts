import { foldTemplate } from "./name-template.ts";
import type { RulesProblem } from "./rules-error.ts";
import type { RulesFile } from "./schema.ts";
import type { YamlSource } from "./yaml-source.ts";

const TAKES_ALL = JSON.stringify("all");

/**
 * Publications whose place is taken each time by a rule earlier in the file, which matches whatever theirs does: of two
 * publications of one job group into one table the first is sent. Rules that overlap only for some job groups are good.
 */
export function neverSent({ rules, targets }: RulesFile, source: YamlSource): RulesProblem[] {
  /** By place and condition, the first rule. */
  const taken = new Map<string, Map<string, number>>();
  return rules.flatMap((rule, index) => {
    if (rule.enabled === false) return [];
    return rule.publish.flatMap(({ target: name, schema, table }, position): RulesProblem[] => {
      const target = targets[name];
      if (target === undefined) return [];
      const place = [target.connection, foldTemplate(schema ?? target.schema), foldTemplate(table)].join(
        "\n",
      );
      const before = taken.get(place) ?? new Map<string, number>();
      taken.set(place, before);
      const own = JSON.stringify(rule.when);
      const first = before.get(TAKES_ALL) ?? before.get(own);
      if (!before.has(own)) before.set(own, index);
      if (first === undefined) return [];
      const { line } = source.at(["rules", first, "name"], "");
      const message =
        `is never sent: rule ${JSON.stringify(rules[first]?.name)} (line ${line}), earlier in the file, takes the same job groups ` +
        "and publishes to the same table. Give it another table, or remove it";
      return [source.at(["rules", index, "publish", position, "table"], message)];
    });
  });
}
