import { expect, test } from "vitest";
import { listPublications } from "../src/rules/list-publications.ts";
import { parseRules } from "../src/rules/parse-rules.ts";

test("every publication is listed with its table as written, and whether it may be repeated", () => {
  const { rules } = parseRules(
    `version: 1
targets:
  sales: { connection: 2, schema: public }
  finance: { connection: 3, schema: reports }
rules:
  - name: a
    when: all
    publish:
      - { target: sales, table: "t_{date}", action: load }
      - { target: finance, schema: other, table: t, action: truncateAndLoad }
  - { name: b, when: { recipe: 1 }, publish: [{ target: finance, table: u, action: createAndLoad }] }
`,
    "rules.yaml",
  );
  expect(listPublications(rules)).toEqual([
    {
      rule: "a",
      target: "sales",
      connection: 2,
      schema: "public",
      table: "t_{date}",
      action: "load",
      repeatable: false,
    },
    {
      rule: "a",
      target: "finance",
      connection: 3,
      schema: "other",
      table: "t",
      action: "truncateAndLoad",
      repeatable: true,
    },
    {
      rule: "b",
      target: "finance",
      connection: 3,
      schema: "reports",
      table: "u",
      action: "createAndLoad",
      repeatable: false,
    },
  ]);
});

test.each([
  ["create", false],
  ["load", false],
  ["createAndLoad", false],
  ["truncateAndLoad", true],
  ["dropAndLoad", true],
  ["upsert", true],
])("%s may be repeated: %s", (action, repeatable) => {
  const text = `version: 1
targets: { sales: { connection: 2, schema: public } }
rules: [{ name: a, when: all, publish: [{ target: sales, table: t, action: ${action} }] }]
`;
  expect(listPublications(parseRules(text, "rules.yaml").rules)[0]?.repeatable).toBe(repeatable);
});
