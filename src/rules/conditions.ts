import { asksForName, compileGlob, matchesAnything } from "./glob.ts";
import type { JobGroupFacts, Pattern, Rule, When } from "./model.ts";

/** What is known of a job group for one condition. */
export interface Fact {
  readonly id: number | undefined;
  readonly name: string | undefined;
}

/** One condition of a rule, its patterns read once. */
export interface Condition {
  /** `flow`, `recipe`, `labels.env`. */
  readonly field: string;
  /** Any of them. */
  readonly wanted: readonly Pattern[];
  factOf(facts: JobGroupFacts): Fact;
  holds(fact: Fact): boolean;
  /** It does not hold, but may once the id or the name that is not known is told. */
  isOpen(fact: Fact): boolean;
}

const known = new WeakMap<Rule, readonly Condition[]>();

/** The conditions of a rule, all of which must hold; none for `when: all`. */
export function conditionsOf(rule: Rule): readonly Condition[] {
  const before = known.get(rule);
  if (before !== undefined) return before;
  const conditions = rule.when === "all" ? [] : compile(rule.when);
  known.set(rule, conditions);
  return conditions;
}

type Conditions = Exclude<When, "all">;

/** What a fact of this kind has; `ranFrom` is a name without an id. */
const HAS: Record<keyof typeof FACTS, { readonly id: boolean; readonly name: boolean }> = {
  jobGroup: { id: true, name: true },
  flow: { id: true, name: true },
  recipe: { id: true, name: true },
  flowRun: { id: true, name: false },
  creator: { id: true, name: false },
  workspace: { id: true, name: false },
  ranFrom: { id: false, name: true },
};

/** Where the fact of each condition is found. */
const FACTS: Record<Exclude<keyof Conditions, "labels">, (facts: JobGroupFacts) => Fact> = {
  jobGroup: ({ jobGroupId, name }) => ({ id: jobGroupId, name }),
  flow: ({ flow }) => ({ id: flow?.id, name: flow?.name }),
  recipe: ({ recipe }) => ({ id: recipe?.id, name: recipe?.name }),
  flowRun: ({ flowRun }) => ({ id: flowRun, name: undefined }),
  creator: ({ creator }) => ({ id: creator, name: undefined }),
  workspace: ({ workspace }) => ({ id: workspace, name: undefined }),
  ranFrom: ({ ranFrom }) => ({ id: undefined, name: ranFrom }),
};

function compile(when: Conditions): Condition[] {
  const fields = (Object.keys(FACTS) as (keyof typeof FACTS)[]).flatMap((field) => {
    const wanted = when[field];
    if (wanted === undefined) return [];
    const [holds, has] = [anyOf(wanted), HAS[field]];
    const asksName = has.name && (!has.id || wanted.some(asksForName));
    const isOpen = (fact: Fact) =>
      !holds(fact) && ((has.id && fact.id === undefined) || (asksName && fact.name === undefined));
    return [{ field, wanted, factOf: FACTS[field], holds, isOpen }];
  });
  const labels = Object.entries(when.labels ?? {}).map(([label, patterns]) => {
    // Labels are texts: `build: 7` means the text 7.
    const wanted = patterns.map(String);
    const factOf = ({ labels: all }: JobGroupFacts): Fact => ({
      id: undefined,
      name: Object.hasOwn(all, label) ? all[label] : undefined,
    });
    // The reports tell all labels that there are.
    return { field: `labels.${label}`, wanted, factOf, holds: anyOf(wanted), isOpen: () => false };
  });
  return [...fields, ...labels];
}

function anyOf(patterns: readonly Pattern[]): (fact: Fact) => boolean {
  const tests = patterns.map(testOf);
  return (fact) => tests.some((test) => test(fact));
}

function testOf(pattern: Pattern): (fact: Fact) => boolean {
  if (typeof pattern === "number") return ({ id }) => id === pattern;
  const matches = compileGlob(pattern);
  const anything = matchesAnything(pattern);
  return ({ id, name }) =>
    (id !== undefined && (anything || String(id) === pattern)) || (name !== undefined && matches(name));
}
