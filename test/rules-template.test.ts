import fc from "fast-check";
import { expect, test } from "vitest";
import type { JobGroupFacts } from "../src/rules/model.ts";
import { fillTemplate, foldTemplate, templateProblems } from "../src/rules/name-template.ts";

const hostile = fc.constantFrom(
  '"',
  "'",
  ";",
  " ",
  ".",
  "/",
  "\\",
  "\0",
  "\n",
  "{",
  "}",
  "{date}",
  "--",
  "$",
  "-",
  "_",
  "",
  "\ud83d",
  "é",
  "É",
  "e\u0301",
  "\u200b",
  "\u202e",
  "\u{1F4A5}",
  "ａ",
  "9",
  "x".repeat(126),
  "é".repeat(60),
);
const value = fc
  .array(fc.oneof(hostile, fc.string({ unit: "binary", maxLength: 4 }), fc.string({ maxLength: 6 })), {
    maxLength: 4,
  })
  .map((pieces) => pieces.join(""));
const name = fc.oneof(value, fc.constantFrom("", "orders", "Orders_2", "ünï_côde"));

const placeholder = fc.oneof(
  fc.constantFrom("jobGroupId", "date", "recipe", "flow", "labels.a", "labels.b", "labels.constructor"),
  fc
    .array(fc.constantFrom("YYYY", "MM", "DD", "HH", "_", "-", "$", "yy", " "), { maxLength: 5 })
    .map((pieces) => `date:${pieces.join("")}`),
);
const template = fc
  .array(
    fc.oneof(
      placeholder.map((inner) => `{${inner}}`),
      fc.constantFrom("t", "_", "t_", "Orders", "é"),
      name,
    ),
    { minLength: 1, maxLength: 5 },
  )
  .map((pieces) => pieces.join(""));

const facts: fc.Arbitrary<JobGroupFacts> = fc.record(
  {
    jobGroupId: fc.integer({ min: 1 }),
    finishedAt: fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }),
    recipe: fc.record({ id: fc.nat(), name }, { requiredKeys: ["id"] }),
    flow: fc.record({ id: fc.nat(), name }, { requiredKeys: ["id"] }),
    labels: fc.record({ a: name, b: name }, { requiredKeys: [] }),
  },
  { requiredKeys: ["jobGroupId", "finishedAt", "labels"] },
);

/** Said in another way than the code says it: characters one by one, bytes by encoding and decoding. */
function isSafe(identifier: string): boolean {
  const bytes = new TextEncoder().encode(identifier);
  return bytes.length <= 127 && new TextDecoder().decode(bytes) === identifier && isSpelled(identifier);
}

function isSpelled(identifier: string): boolean {
  const [first = "", ...rest] = Array.from(identifier);
  const isLetter = (character: string) => /^\p{L}$/u.test(character) || character === "_";
  return (
    isLetter(first) && rest.every((character) => isLetter(character) || /^[\p{M}\p{Nd}$-]$/u.test(character))
  );
}

/** What the names and labels in a template stand for; each must be part of a name by itself, or two would share a table. */
function valuesIn(one: string, { recipe, flow, labels }: JobGroupFacts): (string | undefined)[] {
  const values: Record<string, string | undefined> = { recipe: recipe?.name, flow: flow?.name };
  for (const [label, text] of Object.entries(labels)) values[`labels.${label}`] = text;
  return [...one.matchAll(/\{(recipe|flow|labels\.[ab])\}/g)].map(
    ([, placeholder = ""]) => values[placeholder],
  );
}

test("a template that the file may hold is filled to a safe identifier or refused, whatever the job group", () => {
  let filled = 0;
  fc.assert(
    fc.property(template, facts, (one, group) => {
      fc.pre(templateProblems(one).length === 0);
      const made = fillTemplate(one, group);
      if ("name" in made) filled++;
      if ("problem" in made) return made.problem !== "";
      // Behind a letter any part of a name is a name.
      return isSafe(made.name) && valuesIn(one, group).every((part) => part && isSpelled(`t${part}`));
    }),
    { numRuns: 3_000 },
  );
  // Else the property would hold for want of names.
  expect(filled).toBeGreaterThan(300);
});

test("templates that are taken for the same place fill to the same name", () => {
  const pieces = fc.array(
    fc.constantFrom("{date}", "{date:YYYYMM}", "{date:DD}", "{date:MM}", "_", "A", "a"),
    {
      minLength: 1,
      maxLength: 4,
    },
  );
  fc.assert(
    fc.property(pieces, pieces, facts, (some, others, group) => {
      const [one, other] = [`t${some.join("")}`, `t${others.join("")}`];
      fc.pre(foldTemplate(one) === foldTemplate(other));
      const names = [one, other].map((each) => fillTemplate(each, group));
      const [a, b] = names.map((made) => "name" in made && made.name.toLowerCase());
      expect(a).toEqual(b);
    }),
    { numRuns: 500, maxSkipsPerRun: 1_000 },
  );
});
