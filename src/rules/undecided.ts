import { conditionsOf } from "./conditions.ts";
import type { JobGroupFacts, Rule, Rules } from "./model.ts";
import { placeholdersOf } from "./name-template.ts";

/** What the platform is asked for beyond the job group itself. */
export type LookedUp = "recipe" | "flow";

/** A rule about which the facts do not say enough. */
export interface UndecidedRule {
  readonly rule: string;
  /** What is not known, or not by its name. */
  readonly lacks: readonly LookedUp[];
}

const LOOKED_UP: readonly LookedUp[] = ["recipe", "flow"];

/**
 * The enabled rules that may match, or name another table, once the recipe or flow that is not known is told.
 *
 * A rule that matches by what is known, or cannot match whatever is told, is not among them. With `groupKnown: false`
 * nothing but the labels is known for sure.
 */
export function undecidedRules(rules: Rules, facts: JobGroupFacts, groupKnown = true): UndecidedRule[] {
  const schemaOf = new Map(rules.targets.map(({ name, schema }) => [name, schema]));
  return rules.rules.flatMap((rule) => {
    const open = openFields(rule, facts);
    if (open === undefined || (groupKnown && !open.every(isLookedUp))) return [];
    const lacks = LOOKED_UP.filter(
      (one) => open.includes(one) || (facts[one]?.name === undefined && namesTable(rule, one, schemaOf)),
    );
    return lacks.length > 0 || open.length > 0 ? [{ rule: rule.name, lacks }] : [];
  });
}

/** The fields on which it hangs whether the rule matches; undefined when it does not match in any case. */
function openFields(rule: Rule, facts: JobGroupFacts): string[] | undefined {
  if (rule.enabled === false) return undefined;
  const failed = conditionsOf(rule).filter(({ factOf, holds }) => !holds(factOf(facts)));
  return failed.every(({ factOf, isOpen }) => isOpen(factOf(facts)))
    ? failed.map(({ field }) => field)
    : undefined;
}

function isLookedUp(field: string): boolean {
  return (LOOKED_UP as readonly string[]).includes(field);
}

function namesTable(rule: Rule, placeholder: LookedUp, schemaOf: ReadonlyMap<string, string>): boolean {
  return rule.publish.some(({ target, schema, table }) =>
    [table, schema ?? schemaOf.get(target) ?? ""].some((template) =>
      placeholdersOf(template).includes(placeholder),
    ),
  );
}
