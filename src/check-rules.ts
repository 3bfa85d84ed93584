import { type Action, REPEATABLE_ACTIONS, type Rules, type Target } from "./rules/model.ts";
import { nothingPublished } from "./rules/nothing-published.ts";
import { parseRules } from "./rules/parse-rules.ts";
import type { ResolvedSettings } from "./rules/publication-settings.ts";
import { RulesError, type RulesProblem } from "./rules/rules-error.ts";

/** What a rules file says, or what is wrong with it. */
export interface CheckedRules {
  readonly file: string;
  /** Undefined when there are errors. */
  readonly rules: Rules | undefined;
  readonly errors: readonly RulesProblem[];
  readonly warnings: readonly RulesProblem[];
  /** What is no mistake, and good to know. */
  readonly notes: readonly string[];
  readonly publications: readonly CheckedPublication[];
}

export interface CheckedPublication {
  readonly rule: string;
  readonly target: string;
  /** `public.orders_{date}` */
  readonly table: string;
  readonly action: Action;
  readonly format: string;
  /** May it be sent twice and end in the same state? If not, it is parked when its outcome is unknown. */
  readonly repeatable: boolean;
  /** False: its rule is switched off. */
  readonly enabled: boolean;
  /** As they hold once the defaults of the file and of the target are counted in. */
  readonly settings: ResolvedSettings;
}

/** Reads a rules file as a start does; pure, and never throws for what is in it. */
export function checkRules(text: string, file: string): CheckedRules {
  try {
    const { rules, warned } = parseRules(text, file);
    const note = nothingPublished(rules);
    const notes = note === undefined ? [] : [note];
    return { file, rules, errors: [], warnings: warned, notes, publications: publicationsOf(rules) };
  } catch (error) {
    if (!(error instanceof RulesError)) throw error;
    return { file, rules: undefined, errors: error.problems, warnings: [], notes: [], publications: [] };
  }
}

function publicationsOf({ rules, targets }: Rules): CheckedPublication[] {
  const schemas = new Map(targets.map(({ name, schema }: Target) => [name, schema]));
  return rules.flatMap(({ name, enabled = true, publish }) =>
    publish.map(({ target, schema = schemas.get(target) ?? "", table, action, format, ...settings }) => ({
      rule: name,
      target,
      table: `${schema}.${table}`,
      action,
      format,
      repeatable: REPEATABLE_ACTIONS.includes(action),
      enabled,
      settings,
    })),
  );
}
