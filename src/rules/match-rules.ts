import { globMatches, matchesAnything } from "./glob.ts";
import type { JobGroupFacts, Pattern, Rule, Rules, When } from "./model.ts";

/** One condition of a rule beside what the job group has. */
interface Reason {
  /** `flow`, `recipe`, `labels.env`; `all` for a rule that takes everything, `enabled` for one that is switched off. */
  readonly field: string;
  /** In words: `27 or "orders*"`. */
  readonly wanted: string;
  /** In words: `27 "orders 2026"`, or `not known`. */
  readonly found: string;
  readonly holds: boolean;
}

/** Whether a rule takes a job group, and why. */
export interface RuleExplanation {
  readonly rule: string;
  readonly matches: boolean;
  readonly reasons: readonly Reason[];
}

/** All rules in file order, with the reasons; what `planPublishes` goes by. */
export function explainRules(rules: Rules, facts: JobGroupFacts): RuleExplanation[] {
  return rules.rules.map((rule) => matchRule(rule, facts));
}

/**
 * Asks one rule about a job group. Every condition must hold; of a list, any.
 *
 * A number matches the id alone, a text of digits the id or the name, any other text the name, with `*` and `?`, case counting.
 * A fact that is not known fails its condition. A rule with `enabled: false` takes nothing.
 */
export function matchRule(rule: Rule, facts: JobGroupFacts): RuleExplanation {
  if (rule.enabled === false) return { rule: rule.name, matches: false, reasons: [SWITCHED_OFF] };
  const reasons = rule.when === "all" ? [takesAll(facts)] : conditionsOf(rule.when, facts).map(judge);
  return { rule: rule.name, matches: reasons.every(({ holds }) => holds), reasons };
}

interface Condition {
  readonly field: string;
  readonly patterns: readonly Pattern[];
  readonly id: number | undefined;
  readonly name: string | undefined;
}

type Conditions = Exclude<When, "all">;

/** Where the fact of each condition is found. */
const FACTS: Record<
  Exclude<keyof Conditions, "labels">,
  (facts: JobGroupFacts) => Pick<Condition, "id" | "name">
> = {
  jobGroup: ({ jobGroupId, name }) => ({ id: jobGroupId, name }),
  flow: ({ flow }) => ({ id: flow?.id, name: flow?.name }),
  recipe: ({ recipe }) => ({ id: recipe?.id, name: recipe?.name }),
  flowRun: ({ flowRun }) => ({ id: flowRun, name: undefined }),
  creator: ({ creator }) => ({ id: creator, name: undefined }),
  workspace: ({ workspace }) => ({ id: workspace, name: undefined }),
  ranFrom: ({ ranFrom }) => ({ id: undefined, name: ranFrom }),
};

function conditionsOf(when: Conditions, facts: JobGroupFacts): Condition[] {
  const fields = (Object.keys(FACTS) as (keyof typeof FACTS)[]).flatMap((field) => {
    const patterns = when[field];
    return patterns === undefined ? [] : [{ field, patterns, ...FACTS[field](facts) }];
  });
  const labels = Object.entries(when.labels ?? {}).map(([label, patterns]) => ({
    field: `labels.${label}`,
    // Labels are texts: `build: 7` means the text 7.
    patterns: patterns.map(String),
    id: undefined,
    name: Object.hasOwn(facts.labels, label) ? facts.labels[label] : undefined,
  }));
  return [...fields, ...labels];
}

function judge(condition: Condition): Reason {
  const { field, patterns, id, name } = condition;
  const found = [id, name === undefined ? undefined : JSON.stringify(name)].filter(
    (part) => part !== undefined,
  );
  return {
    field,
    wanted: patterns.map((pattern) => JSON.stringify(pattern)).join(" or "),
    found: found.length === 0 ? "not known" : found.join(" "),
    holds: patterns.some((pattern) => patternHolds(pattern, condition)),
  };
}

function patternHolds(pattern: Pattern, { id, name }: Condition): boolean {
  if (typeof pattern === "number") return pattern === id;
  if (id !== undefined && (pattern === String(id) || matchesAnything(pattern))) return true;
  return name !== undefined && globMatches(pattern, name);
}

const SWITCHED_OFF: Reason = { field: "enabled", wanted: "true", found: "false", holds: false };

function takesAll({ jobGroupId }: JobGroupFacts): Reason {
  return { field: "all", wanted: "every completion", found: `job group ${jobGroupId}`, holds: true };
}
