import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { globMatches } from "../src/rules/glob.ts";
import { rulesNeed } from "../src/rules/lookups.ts";
import { explainRules, matchRule } from "../src/rules/match-rules.ts";
import type { JobGroupFacts, Rule, Rules, When } from "../src/rules/model.ts";
import { parseRules } from "../src/rules/parse-rules.ts";

const facts: JobGroupFacts = {
  jobGroupId: 31,
  name: "nightly",
  finishedAt: Date.UTC(2026, 10, 24, 23, 59),
  flow: { id: 11, name: "Sales" },
  recipe: { id: 27, name: "orders 2026" },
  flowRun: 5,
  creator: 1,
  workspace: 1,
  ranFrom: "schedule",
  labels: { env: "prod", build: "7" },
};
const bare: JobGroupFacts = { jobGroupId: 31, finishedAt: 0, labels: {} };

const matches = (when: When, of: JobGroupFacts = facts) =>
  matchRule({ name: "r", when, publish: [] }, of).matches;

describe("a name pattern", () => {
  /** The plainest meaning of a pattern, exponential in its stars. */
  function naive(pattern: string[], name: string[]): boolean {
    const [first, ...rest] = pattern;
    if (first === undefined) return name.length === 0;
    if (first === "*") return naive(rest, name) || (name.length > 0 && naive(pattern, name.slice(1)));
    return name.length > 0 && (first === "?" || first === name[0]) && naive(rest, name.slice(1));
  }

  it("means what it says", () => {
    const patterns = fc.string({ unit: fc.constantFrom("a", "b", "*", "?", "\u{1F4A5}"), maxLength: 8 });
    const names = fc.string({ unit: fc.constantFrom("a", "b", "\u{1F4A5}"), maxLength: 8 });
    fc.assert(
      fc.property(patterns, names, (pattern, name) => {
        expect(globMatches(pattern, name)).toBe(naive(Array.from(pattern), Array.from(name)));
      }),
      { numRuns: 5000 },
    );
  });

  it("takes an escaped name as itself alone", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", "*", "?", "\\") }), fc.string(), (name, other) => {
        const escaped = name.replaceAll(/[*?\\]/g, String.raw`\$&`);
        expect(globMatches(escaped, name)).toBe(true);
        expect(globMatches(escaped, other)).toBe(name === other);
      }),
    );
  });

  it("counts case, takes two spellings of one letter as the same, and reads nothing as a regular expression", () => {
    expect(globMatches("Orders*", "orders")).toBe(false);
    expect(globMatches("caf\u00e9", "cafe\u0301")).toBe(true);
    expect(globMatches("a.c", "abc")).toBe(false);
    expect(globMatches("[ab](c|d)+$", "[ab](c|d)+$")).toBe(true);
  });

  it("answers soon, whatever the pattern", () => {
    const started = performance.now();
    expect(globMatches(`${"*a".repeat(200)}b`, "a".repeat(20_000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe("a rule", () => {
  it.each<[string, When, boolean]>([
    ["all", "all", true],
    ["an id", { flow: [11] }, true],
    ["another id", { flow: [12] }, false],
    ["the id as a text", { flow: ["11"] }, true],
    ["a name", { flow: ["Sales"] }, true],
    ["a name with a star", { recipe: ["orders*"] }, true],
    ["the start of an id with a star", { flow: ["1*"] }, false],
    ["any of a list", { recipe: [1, "x", "orders ????"] }, true],
    ["all conditions", { flow: [11], recipe: [27], jobGroup: ["night*"], labels: { env: ["prod"] } }, true],
    ["all conditions but one", { flow: [11], recipe: [27], labels: { env: ["test"] } }, false],
    ["flow run, creator, workspace", { flowRun: [5], creator: [1], workspace: [1] }, true],
    ["how it was run", { ranFrom: ["sched*"] }, true],
    ["a label given as a number", { labels: { build: [7] } }, true],
    ["a label that is not there", { labels: { team: ["*"] } }, false],
    ["a label that every object seems to have", { labels: { constructor: ["*"], toString: ["*"] } }, false],
  ])("with %s", (_, when, wanted) => {
    expect(matches(when)).toBe(wanted);
  });

  it("does not take what is not known", () => {
    expect(matches({ flow: ["*"] }, bare)).toBe(false);
    expect(matches({ ranFrom: ["*"] }, bare)).toBe(false);
    expect(matches({ recipe: [27, "*"] }, bare)).toBe(false);
    expect(matches("all", bare)).toBe(true);
  });

  it("with * alone takes a flow whose name is not known", () => {
    expect(matches({ flow: ["*"] }, { ...bare, flow: { id: 11 } })).toBe(true);
    expect(matches({ flow: ["S*"] }, { ...bare, flow: { id: 11 } })).toBe(false);
  });

  it("with a label called constructor takes a report that has it", () => {
    expect(matches({ labels: { constructor: ["x"] } }, { ...bare, labels: { constructor: "x" } })).toBe(true);
  });

  it("takes nothing while it is switched off, and says so", () => {
    const off: Rule = { name: "a", enabled: false, when: "all", publish: [] };
    expect(matchRule(off, facts)).toEqual({
      rule: "a",
      matches: false,
      reasons: [{ field: "enabled", wanted: "true", found: "false", holds: false }],
    });
    expect(matchRule({ ...off, enabled: true }, facts).matches).toBe(true);
  });

  it("tells of every condition what was wanted and what was found", () => {
    const rules: Rules = {
      version: "v",
      serializeJobGroups: true,
      targets: [],
      rules: [
        { name: "a", when: { recipe: [26, "orders*"], labels: { env: ["test"] }, flow: [3] }, publish: [] },
        { name: "b", when: "all", publish: [] },
      ],
    };
    expect(explainRules(rules, { ...facts, flow: { id: 11 } })).toEqual([
      {
        rule: "a",
        matches: false,
        reasons: [
          { field: "flow", wanted: "3", found: "11", holds: false },
          { field: "recipe", wanted: '26 or "orders*"', found: '27 "orders 2026"', holds: true },
          { field: "labels.env", wanted: '"test"', found: '"prod"', holds: false },
        ],
      },
      {
        rule: "b",
        matches: true,
        reasons: [{ field: "all", wanted: "every completion", found: "job group 31", holds: true }],
      },
    ]);
    expect(explainRules(rules, bare)[0]?.reasons[0]?.found).toBe("not known");
  });
});

describe("what the rules need to know", () => {
  const need = (when: string, table = "t", schema = "public") =>
    rulesNeed(
      parseRules(
        `version: 1
targets: { sales: { connection: 2, schema: "${schema}" } }
rules:
  - { name: a, when: ${when}, publish: [{ target: sales, table: "${table}", action: load }] }
`,
        "rules.yaml",
      ).rules,
    );

  it("counts the placeholders of a target's schema", () => {
    expect(need("all", "t", "s_{flow}")).toEqual({ recipe: true, flow: true, flowName: true });
  });

  it("does not count a rule that is switched off", () => {
    expect(need("{ flow: 'a*' }, enabled: false", "t_{flow}")).toEqual({
      recipe: false,
      flow: false,
      flowName: false,
    });
  });

  it.each([
    ["all", "t_{jobGroupId}_{date}_{labels.env}", { recipe: false, flow: false, flowName: false }],
    [
      "{ recipe: [27, '*'], creator: 1, labels: { a: 'b*' } }",
      "t",
      { recipe: false, flow: false, flowName: false },
    ],
    ["{ recipe: 'orders*' }", "t", { recipe: true, flow: false, flowName: false }],
    ["{ recipe: '27' }", "t", { recipe: true, flow: false, flowName: false }],
    ["all", "t_{recipe}", { recipe: true, flow: false, flowName: false }],
    ["{ flow: 11 }", "t", { recipe: true, flow: true, flowName: false }],
    ["{ flow: '*' }", "t", { recipe: true, flow: true, flowName: false }],
    ["{ flow: [11, 'Sales'] }", "t", { recipe: true, flow: true, flowName: true }],
    ["all", "t_{flow}", { recipe: true, flow: true, flowName: true }],
  ])("for when: %s and table %s", (when, table, wanted) => {
    expect(need(when, table)).toEqual(wanted);
  });
});
