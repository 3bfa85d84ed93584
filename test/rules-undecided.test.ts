import fc from "fast-check";
import { expect, test } from "vitest";
import { matchRule } from "../src/rules/match-rules.ts";
import type { JobGroupFacts, Rule, Rules } from "../src/rules/model.ts";
import { parseRules } from "../src/rules/parse-rules.ts";
import { planPublishes } from "../src/rules/plan-publishes.ts";
import { undecidedRules } from "../src/rules/undecided.ts";

const NAMES = ["orders", "other", "28"];
const TABLES = ["t", "t_{recipe}", "t_{flow}"];

const patterns = fc.uniqueArray(fc.constantFrom(27, 28, "orders", "o*", "*", "28"), {
  minLength: 1,
  maxLength: 2,
});
const when = fc.oneof(
  fc.constant("all"),
  fc
    .record(
      { recipe: patterns, flow: patterns, creator: fc.constantFrom(1, 2), jobGroup: patterns },
      { requiredKeys: [] },
    )
    .filter((conditions) => Object.keys(conditions).length > 0),
);
const rulesFile = fc
  .array(fc.record({ when, table: fc.constantFrom(...TABLES), enabled: fc.boolean() }), {
    minLength: 1,
    maxLength: 4,
  })
  .map((all): Rules => {
    const targets = { sales: { connection: 2, schema: "public" } };
    const rules = all.map(({ table, ...rule }, index) => ({
      name: `rule-${index}`,
      ...rule,
      publish: [{ target: "sales", table: `${table}_${index}`, action: "load" }],
    }));
    return parseRules(JSON.stringify({ version: 1, targets, rules }), "rules.yaml").rules;
  });
/** As the platform tells it: not at all, by its id alone, or whole. */
const told = fc.constantFrom(undefined, { id: 27 }, { id: 28 }, { id: 27, name: "orders" });

type Named = JobGroupFacts["recipe"];
const completions = (known: Named): NonNullable<Named>[] =>
  (known ? [known.id] : [27, 28, 29]).flatMap((id) =>
    known?.name === undefined ? NAMES.map((name) => ({ id, name })) : [{ id, name: known.name }],
  );

function outcome(alone: Rules, rule: Rule, facts: JobGroupFacts): string {
  const { plans } = planPublishes(alone, facts);
  return JSON.stringify([matchRule(rule, facts).matches, plans.map(({ table }) => table)]);
}

test("a rule is undecided exactly when what is not told decides: whether it matches, or which table it names", () => {
  const seen = { decided: 0, undecided: 0 };
  fc.assert(
    fc.property(rulesFile, told, told, (rules, recipe, flow) => {
      const base = { jobGroupId: 27, finishedAt: 0, labels: {}, creator: 1 };
      const facts = { ...base, ...(recipe && { recipe }), ...(flow && { flow }) };
      const undecided = new Set(undecidedRules(rules, facts).map(({ rule }) => rule));
      for (const rule of rules.rules) {
        const alone = { ...rules, rules: [rule] };
        const outcomes = completions(recipe).flatMap((recipeThen) =>
          completions(flow).map((flowThen) =>
            outcome(alone, rule, { ...facts, recipe: recipeThen, flow: flowThen }),
          ),
        );
        const isUndecided = undecided.has(rule.name);
        seen[isUndecided ? "undecided" : "decided"]++;
        // What was known alone says the same as all that may come, or the rule is undecided.
        expect(new Set([outcome(alone, rule, facts), ...outcomes]).size > 1).toBe(isUndecided);
      }
    }),
    { numRuns: 300 },
  );
  for (const times of Object.values(seen)) expect(times).toBeGreaterThan(50);
});

test("what is lacking is told for each rule; a job group that is not known leaves all but labels open", () => {
  const publish = [{ target: "sales", table: "t", action: "load" }];
  const { rules } = parseRules(
    JSON.stringify({
      version: 1,
      targets: { sales: { connection: 2, schema: "s_{flow}" }, plain: { connection: 3, schema: "p" } },
      rules: [
        { name: "schema", when: "all", publish },
        { name: "recipe", when: { recipe: "o*" }, publish },
        { name: "other", when: { creator: 2, recipe: "o*" }, publish },
        {
          name: "labels",
          when: { labels: { env: "prod" }, creator: 1 },
          publish: [{ ...publish[0], target: "plain" }],
        },
        { name: "run", when: { ranFrom: "ui" }, publish: [{ ...publish[0], target: "plain" }] },
      ],
    }),
    "rules.yaml",
  );
  const facts = { jobGroupId: 31, finishedAt: 0, labels: {} };
  expect(undecidedRules(rules, { ...facts, creator: 1, recipe: { id: 27 } })).toEqual([
    { rule: "schema", lacks: ["flow"] },
    { rule: "recipe", lacks: ["recipe", "flow"] },
  ]);
  expect(undecidedRules(rules, facts, false).map(({ rule }) => rule)).toEqual([
    "schema",
    "recipe",
    "other",
    "run",
  ]);
});
