import fc from "fast-check";
import { expect, test } from "vitest";
import { explainRules } from "../src/rules/match-rules.ts";
import type { JobGroupFacts, Pattern, Rule } from "../src/rules/model.ts";
import { indexRules } from "../src/rules/rule-index.ts";

// Few letters and ids, so that rules and job groups meet; é in both ways of writing it, digits that may be ids.
const letter = fc.constantFrom("a", "b", "7", "é", "e\u0301", "\u{1F4A5}", "\ud83d", "");
const name = fc.array(letter, { maxLength: 3 }).map((letters) => letters.join(""));
const glob = fc
  .array(fc.oneof(letter, fc.constantFrom("*", "?", "\\", "\\*", "\\?")), { minLength: 1, maxLength: 5 })
  .map((pieces) => pieces.join(""));
const id = fc.oneof(fc.nat(9), fc.constantFrom(77, -7));
const pattern: fc.Arbitrary<Pattern> = fc.oneof(
  id,
  name,
  glob,
  id.map(String),
  fc.constant("*"),
  name.map((start) => `${start}*`),
);
const patterns = fc.array(pattern, { minLength: 1, maxLength: 3 });
const label = fc.constantFrom("env", "tenant", "constructor");

const when: fc.Arbitrary<Rule["when"]> = fc.oneof(
  { weight: 1, arbitrary: fc.constant("all" as const) },
  {
    weight: 9,
    arbitrary: fc.oneof(
      patterns.map((recipe) => ({ recipe })),
      fc.record({ flow: patterns, creator: patterns }, { requiredKeys: ["flow"] }),
      patterns.map((one) => ({ labels: { env: one } })),
    ),
  },
  {
    weight: 9,
    arbitrary: fc.record(
      {
        jobGroup: patterns,
        flow: patterns,
        recipe: patterns,
        flowRun: patterns,
        creator: patterns,
        workspace: patterns,
        ranFrom: patterns,
        labels: fc.dictionary(label, patterns, { minKeys: 1, maxKeys: 2 }),
      },
      { requiredKeys: [] },
    ),
  },
);
const rules = fc
  .array(fc.record({ when, enabled: fc.boolean() }, { requiredKeys: ["when"] }), { maxLength: 25 })
  .map((made) => made.map((rule, at): Rule => ({ ...rule, name: `rule ${at}`, publish: [] })));

const named = fc.record({ id, name }, { requiredKeys: ["id"] });
const facts: fc.Arbitrary<JobGroupFacts> = fc.record(
  {
    jobGroupId: id,
    name,
    finishedAt: fc.constant(0),
    flow: named,
    recipe: named,
    flowRun: id,
    creator: id,
    workspace: id,
    ranFrom: name,
    labels: fc.dictionary(label, name, { maxKeys: 3 }),
  },
  { requiredKeys: ["jobGroupId", "finishedAt", "labels"] },
);

const scan = (all: readonly Rule[], group: JobGroupFacts) =>
  explainRules({ version: "v", serializeJobGroups: true, targets: [], rules: all }, group).flatMap(
    ({ rule, matches }) => (matches ? [rule] : []),
  );

test("the index finds what asking every rule finds, in file order, for any rules and any completion", () => {
  let found = 0;
  fc.assert(
    fc.property(rules, fc.array(facts, { minLength: 1, maxLength: 5 }), (all, groups) => {
      const matching = indexRules(all);
      for (const group of groups) {
        const names = matching(group).map(({ name: one }) => one);
        expect(names).toEqual(scan(all, group));
        found += all.filter((rule) => rule.when !== "all" && names.includes(rule.name)).length;
      }
    }),
    { numRuns: 1_000 },
  );
  // Else the two would agree for want of rules that match.
  expect(found).toBeGreaterThan(500);
});

test("of 10,000 rules, only those are asked that share a key with the job group", () => {
  let asked = 0;
  const counting = (rule: Rule): Rule => ({
    ...rule,
    get enabled() {
      asked++;
      return true;
    },
  });
  const all = Array.from({ length: 10_000 }, (_, at) =>
    counting({ name: `rule ${at}`, when: { recipe: [at], labels: { env: ["prod"] } }, publish: [] }),
  );
  const matching = indexRules(all);
  asked = 0;
  const group = { jobGroupId: 1, finishedAt: 0, recipe: { id: 4_711 }, labels: { env: "prod" } };
  expect(matching(group).map(({ name: one }) => one)).toEqual(["rule 4711"]);
  expect(asked).toBeLessThan(10);
});
