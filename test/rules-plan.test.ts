import { describe, expect, it } from "vitest";
import type { JobGroupFacts } from "../src/rules/model.ts";
import { parseRules } from "../src/rules/parse-rules.ts";
import { planPublishes } from "../src/rules/plan-publishes.ts";

const facts: JobGroupFacts = {
  jobGroupId: 31,
  finishedAt: Date.UTC(2026, 10, 24, 23, 59, 59),
  flow: { id: 11, name: "Sales" },
  recipe: { id: 27, name: "orders" },
  labels: { env: "prod" },
};

const rulesOf = (...rules: string[]) =>
  parseRules(
    `version: 1
targets:
  sales: { connection: 2, schema: public }
  twin: { connection: 2, schema: PUBLIC }
  finance: { connection: 3, schema: reports }
rules:
${rules.map((rule) => `  - ${rule}\n`).join("")}`,
    "rules.yaml",
  ).rules;

const oneTable = (table: string) =>
  rulesOf(`{ name: a, when: all, publish: [{ target: sales, table: '${table}', action: load }] }`);

describe("planning the publishes of a job group", () => {
  it("plans all publications of all rules that match, in file order, as complete snapshots", () => {
    const rules = rulesOf(
      "{ name: a, when: { recipe: 27 }, publish: [{ target: sales, table: t1, action: load, attempts: 3 }, { target: finance, schema: other, table: t2, action: upsert }] }",
      "{ name: b, when: { recipe: 28 }, publish: [{ target: sales, table: t3, action: load }] }",
      "{ name: c, when: all, publish: [{ target: finance, table: t4, action: create, settleAfter: never }] }",
    );
    const { plans, conflicts, problems, matched } = planPublishes(rules, facts);
    expect({ conflicts, problems, matched }).toEqual({ conflicts: [], problems: [], matched: ["a", "c"] });
    expect(plans.map(({ rule, connection, schema, table }) => [rule, connection, schema, table])).toEqual([
      ["a", 2, "public", "t1"],
      ["a", 3, "other", "t2"],
      ["c", 3, "reports", "t4"],
    ]);
    expect(plans[0]).toEqual({
      v: 1,
      jobGroupId: 31,
      finishedAt: facts.finishedAt,
      flowNodeId: 27,
      rule: "a",
      rulesVersion: rules.version,
      target: "sales",
      connection: 2,
      schema: "public",
      table: "t1",
      action: "load",
      format: "avro",
      attempts: 3,
      backoff: { floorMs: 5_000, capMs: 600_000 },
      deadlineMs: 21_600_000,
      settleAfterMs: 120_000,
      priority: 1000,
      stale: "supersede",
      serialize: true,
    });
  });

  it("names no flow node when the recipe is not known", () => {
    const { recipe: _, ...unknown } = facts;
    expect(planPublishes(oneTable("t"), unknown).plans[0]).not.toHaveProperty("flowNodeId");
  });

  it("fills the table's name, with the UTC day of the finish", () => {
    const filled = planPublishes(oneTable("T_{jobGroupId}_{date}_{recipe}_{flow}_{labels.env}"), facts);
    expect(filled.plans[0]?.table).toBe("T_31_20261124_orders_Sales_prod");
  });

  it.each([
    ["t_{date:YYYY_MM}", "t_2026_11"],
    ["t_{date:YYYYMMDD}", "t_20261124"],
    ["t_{date:YYYY-MM-DD}_{date:HH}", "t_2026-11-24_23"],
    ["_{date:DDMMYYYY}", "_24112026"],
    ["{date:_YYYY}", "_2026"],
  ])("fills %s with the UTC time of the finish: %s", (template, table) => {
    expect(planPublishes(oneTable(template), facts).plans[0]?.table).toBe(table);
  });

  it("fills the schema too, of the publication as of the target, and reports one that has no value", () => {
    const { rules } = parseRules(
      `version: 1
targets:
  tenants: { connection: 2, schema: "tenant_{labels.tenant}" }
rules:
  - name: a
    when: all
    publish:
      - { target: tenants, table: orders, action: upsert }
      - { target: tenants, schema: "{labels.env}_{date:YYYY}", table: orders, action: upsert }
`,
      "rules.yaml",
    );
    const labels = { env: "prod", tenant: "acme" };
    const { plans, problems } = planPublishes(rules, { ...facts, labels });
    expect(problems).toEqual([]);
    expect(plans.map(({ schema }) => schema)).toEqual(["tenant_acme", "prod_2026"]);
    expect(planPublishes(rules, facts).problems.map(({ message }) => message)).toEqual([
      'rule "a", schema "tenant_{labels.tenant}" of target tenants: {labels.tenant} has no value: the report of the job group has no label "tenant"',
    ]);
  });

  it.each<[string, string, Partial<JobGroupFacts>, RegExp]>([
    [
      "a recipe without a name",
      "t_{recipe}",
      { recipe: { id: 27 } },
      /^rule "a", table "t_\{recipe\}" of target sales: \{recipe\} has no value: the platform names no recipe/,
    ],
    ["a label that is missing", "t_{labels.team}", {}, /\{labels\.team\} has no value: .*no label "team"/],
    ["a label that every object seems to have", "t_{labels.constructor}", {}, /has no value/],
    [
      "a value with a quote",
      "t_{labels.env}",
      { labels: { env: 'x"; drop table y; --' } },
      /\{labels\.env\} is "x\\"; drop/,
    ],
    [
      "a value with a space",
      "t_{recipe}",
      { recipe: { id: 1, name: "my recipe" } },
      /\{recipe\} is "my recipe"/,
    ],
    ["a value with a dot", "t_{labels.env}", { labels: { env: "a.b" } }, /\{labels\.env\} is "a\.b"/],
    ["a value that is empty", "t_{labels.env}", { labels: { env: "" } }, /\{labels\.env\} is ""/],
    ["half a character", "t_{labels.env}", { labels: { env: "\ud83d" } }, /\{labels\.env\} is/],
    [
      "a name that starts with a digit",
      "{recipe}",
      { recipe: { id: 1, name: "2026" } },
      /"2026" must start with a letter/,
    ],
    ["a name that is too long", "t_{recipe}", { recipe: { id: 1, name: "x".repeat(126) } }, /has 128 bytes/],
  ])("reports %s, and plans the others", (_, table, change, words) => {
    const rules = rulesOf(
      `{ name: a, when: all, publish: [{ target: sales, table: '${table}', action: load }, { target: finance, table: t, action: load }] }`,
    );
    const { plans, problems } = planPublishes(rules, { ...facts, ...change });
    expect(problems).toEqual([
      { rule: "a", target: "sales", table, message: expect.stringMatching(words) as string },
    ]);
    expect(plans.map(({ target }) => target)).toEqual(["finance"]);
  });

  it("plans one publish when two rules would send the same to one table, and says so", () => {
    const rules = rulesOf(
      "{ name: a, when: all, publish: [{ target: sales, table: Orders, action: load }] }",
      "{ name: b, when: all, publish: [{ target: twin, table: '{recipe}', action: load, attempts: 2 }] }",
    );
    const { plans, conflicts } = planPublishes(rules, facts);
    expect(plans.map(({ rule, table }) => [rule, table])).toEqual([["a", "Orders"]]);
    expect(conflicts.map(({ message }) => message)).toEqual([
      'rule "b", PUBLIC.orders of connection 2: rule "a", earlier in the file, publishes there already, the same; this one is not sent a second time. Give it another table, or remove it',
    ]);
  });

  it("lets the first rule in the file win when two would do different things to one table, and says so", () => {
    const rules = rulesOf(
      "{ name: a, when: all, publish: [{ target: sales, table: orders, action: load }] }",
      "{ name: b, when: all, publish: [{ target: twin, table: ORDERS, action: truncateAndLoad }, { target: sales, table: other, action: load }] }",
    );
    const { plans, conflicts } = planPublishes(rules, facts);
    expect(plans.map(({ rule, table }) => [rule, table])).toEqual([
      ["a", "orders"],
      ["b", "other"],
    ]);
    expect(conflicts).toEqual([
      {
        rule: "b",
        target: "twin",
        schema: "PUBLIC",
        table: "ORDERS",
        keptRule: "a",
        message:
          'rule "b", PUBLIC.ORDERS of connection 2: rule "a", earlier in the file, publishes there already (load, avro); this one (truncateAndLoad, avro) is not sent. Give it another table, or remove it',
      },
    ]);
  });

  it("gives the same plans whenever it is asked again", () => {
    const rules = oneTable("t_{date}_{jobGroupId}");
    expect(planPublishes(rules, facts)).toEqual(planPublishes(rules, facts));
  });

  it("plans nothing, without a problem, when no rule matches", () => {
    const rules = rulesOf(
      "{ name: a, when: { flow: 99 }, publish: [{ target: sales, table: t, action: load }] }",
    );
    expect(planPublishes(rules, facts)).toEqual({
      plans: [],
      held: [],
      conflicts: [],
      problems: [],
      matched: [],
    });
  });
});
