import { asksForName } from "./glob.ts";
import type { Rules } from "./model.ts";
import { placeholdersOf } from "./name-template.ts";

/** What the rules ask that the job group itself does not tell. */
export interface Lookups {
  /** The recipe has to be asked for (GET wrangledDatasets): its name or its flow is used. */
  readonly recipe: boolean;
  /** The flow's id is used; it comes with the recipe. */
  readonly flow: boolean;
  /** The flow has to be asked for as well (GET flows): its name is used. */
  readonly flowName: boolean;
}

/** Tells which calls to the platform a dispatch needs before the rules can be asked. */
export function rulesNeed(rules: Rules): Lookups {
  const enabled = rules.rules.filter((rule) => rule.enabled !== false);
  const schemaOf = new Map(rules.targets.map(({ name, schema }) => [name, schema]));
  const publications = enabled.flatMap(({ publish }) => publish);
  const placeholders = new Set(
    publications.flatMap(({ target, schema, table }) =>
      [table, schema ?? schemaOf.get(target) ?? ""].flatMap(placeholdersOf),
    ),
  );
  const conditions = enabled.flatMap(({ when }) => (when === "all" ? [] : [when]));
  const flowName =
    placeholders.has("flow") || conditions.some(({ flow }) => flow?.some(asksForName) ?? false);
  const flow = flowName || conditions.some((when) => when.flow !== undefined);
  const recipeName =
    placeholders.has("recipe") || conditions.some(({ recipe }) => recipe?.some(asksForName) ?? false);
  return { recipe: flow || recipeName, flow, flowName };
}
