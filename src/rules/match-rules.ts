import { type Condition, conditionsOf } from "./conditions.ts";
import type { JobGroupFacts, Rule, Rules } from "./model.ts";

/** One condition of a rule beside what the job group has. */
interface Reason {
  /** `flow`, `recipe`, `labels.env`; `all` for a rule that takes everything, `enabled` for one that is switched off. */
  readonly field: string;
  /** In words: `27 or "orders*"`. */
  readonly wanted: string;
  /** In words: `27 "orders 2026"`, `27, name not known`, or `not known`. */
  readonly found: string;
  readonly holds: boolean;
}

/** Whether a rule takes a job group, and why. */
export interface RuleExplanation {
  readonly rule: string;
  readonly matches: boolean;
  readonly reasons: readonly Reason[];
}

/** All rules in file order, with the reasons. `planPublishes` asks an index that says the same. */
export function explainRules(rules: Rules, facts: JobGroupFacts): RuleExplanation[] {
  return rules.rules.map((rule) => matchRule(rule, facts));
}

/**
 * Asks one rule about a job group. Every condition must hold; of a list, any.
 *
 * A number matches the id alone, a text of digits the id or the name, any other text the name, with `*` and `?`, case counting.
 * A fact that is not known fails its condition: `undecidedRules` tells where that says nothing. A rule with `enabled: false` takes nothing.
 */
export function matchRule(rule: Rule, facts: JobGroupFacts): RuleExplanation {
  if (rule.enabled === false) return { rule: rule.name, matches: false, reasons: [SWITCHED_OFF] };
  const reasons =
    rule.when === "all" ? [takesAll(facts)] : conditionsOf(rule).map((each) => judge(each, facts));
  return { rule: rule.name, matches: reasons.every(({ holds }) => holds), reasons };
}

/** What `matchRule` says, without the reasons. */
export function ruleMatches(rule: Rule, facts: JobGroupFacts): boolean {
  return rule.enabled !== false && conditionsOf(rule).every(({ factOf, holds }) => holds(factOf(facts)));
}

function judge({ field, wanted, factOf, holds, isOpen }: Condition, facts: JobGroupFacts): Reason {
  const fact = factOf(facts);
  const unnamed = isOpen(fact) ? ", name not known" : "";
  const found = [fact.id, fact.name === undefined ? undefined : JSON.stringify(fact.name)].filter(
    (part) => part !== undefined,
  );
  return {
    field,
    wanted: wanted.map((pattern) => JSON.stringify(pattern)).join(" or "),
    found: found.length === 0 ? "not known" : `${found.join(" ")}${unnamed}`,
    holds: holds(fact),
  };
}

const SWITCHED_OFF: Reason = { field: "enabled", wanted: "true", found: "false", holds: false };

function takesAll({ jobGroupId }: JobGroupFacts): Reason {
  return { field: "all", wanted: "every completion", found: `job group ${jobGroupId}`, holds: true };
}
