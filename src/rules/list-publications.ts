import { type Action, REPEATABLE_ACTIONS, type Rules } from "./model.ts";

/** One publication as the rules file has it. */
export interface ListedPublication {
  readonly rule: string;
  readonly target: string;
  readonly connection: number;
  /** As it stands in the file: `orders_{date}`. */
  readonly schema: string;
  readonly table: string;
  readonly action: Action;
  /** Ends in the same state when it is sent twice. One that does not is parked when nobody can tell whether it arrived. */
  readonly repeatable: boolean;
}

/** All publications of a rules file, in file order. */
export function listPublications(rules: Rules): ListedPublication[] {
  const targets = new Map(rules.targets.map((target) => [target.name, target]));
  return rules.rules.flatMap((rule) =>
    rule.publish.flatMap(({ target: name, schema, table, action }) => {
      const target = targets.get(name);
      if (target === undefined) return [];
      const repeatable = REPEATABLE_ACTIONS.includes(action);
      const { connection } = target;
      return {
        rule: rule.name,
        target: name,
        connection,
        schema: schema ?? target.schema,
        table,
        action,
        repeatable,
      };
    }),
  );
}
