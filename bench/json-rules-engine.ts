import { type ConditionProperties, Engine, type NestedCondition } from "json-rules-engine";
import { compileGlob } from "../src/rules/glob.ts";
import type { JobGroupFacts, Pattern, Rule } from "../src/rules/model.ts";

/** The same rules for json-rules-engine; the function answers the names of those that match, in no order. */
export function indexWithTheirs(rules: readonly Rule[]): (facts: JobGroupFacts) => Promise<string[]> {
  const engine = new Engine([], { allowUndefinedFacts: true });
  // Patterns are read once, as ours are.
  const globs = new Map<string, (name: string) => boolean>();
  engine.addOperator("glob", (name: string | undefined, pattern: string) => {
    let matches = globs.get(pattern);
    if (!matches) globs.set(pattern, (matches = compileGlob(pattern)));
    return name !== undefined && matches(name);
  });
  for (const { name, when } of rules) {
    const all = when === "all" ? [] : conditionsOf(when);
    engine.addRule({ conditions: { all }, event: { type: name } });
  }
  return async (facts) => (await engine.run(factsOf(facts))).events.map(({ type }) => type);
}

type When = Exclude<Rule["when"], "all">;

function conditionsOf({ recipe, flow, creator, labels }: When): NestedCondition[] {
  return [
    ...(recipe ? [anyOf("recipe", recipe)] : []),
    ...(flow ? [anyOf("flow", flow)] : []),
    ...(creator ? [equalTo("creator", creator)] : []),
    ...Object.entries(labels ?? {}).map(([label, wanted]) => equalTo(`label:${label}`, wanted)),
  ];
}

/** Of ids and names, as the cheapest operators that say the same. */
function anyOf(fact: string, wanted: readonly Pattern[]): NestedCondition {
  const ids = wanted.filter((one) => typeof one === "number");
  const names = wanted.filter((one) => typeof one === "string");
  const any: ConditionProperties[] = [
    ...(ids.length > 0 ? [equalTo(`${fact}Id`, ids)] : []),
    ...names.map((name) => ({
      fact: `${fact}Name`,
      operator: name.includes("*") ? "glob" : "equal",
      value: name,
    })),
  ];
  const [only] = any;
  return only && any.length === 1 ? only : { any };
}

function equalTo(fact: string, wanted: readonly Pattern[]): ConditionProperties {
  return wanted.length === 1
    ? { fact, operator: "equal", value: wanted[0] }
    : { fact, operator: "in", value: wanted };
}

function factsOf({ recipe, flow, creator, labels }: JobGroupFacts): Record<string, unknown> {
  return {
    recipeId: recipe?.id,
    recipeName: recipe?.name,
    flowId: flow?.id,
    flowName: flow?.name,
    creator,
    ...Object.fromEntries(Object.entries(labels).map(([label, value]) => [`label:${label}`, value])),
  };
}
