import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nothingPublished } from "../src/rules/nothing-published.ts";
import { parseRules } from "../src/rules/parse-rules.ts";
import { RulesError } from "../src/rules/rules-error.ts";

const head = `version: 1
targets:
  sales: { connection: 2, schema: public }
rules:
`;

/** A good file with one publication; `extra` are more lines of it. */
const withPublication = (extra = "", action = "load") => `${head}  - name: orders
    when: all
    publish:
      - target: sales
        table: orders
        action: ${action}
${extra === "" ? "" : `        ${extra}\n`}`;

const withWhen = (when: string) => withPublication().replace("when: all", when);

function errorOf(text: string): RulesError | undefined {
  try {
    parseRules(text, "rules.yaml");
  } catch (error) {
    if (!(error instanceof RulesError)) throw error;
    return error;
  }
  return undefined;
}

const problemsOf = (text: string): string[] => errorOf(text)?.message.split("\n") ?? [];

const publicationOf = (text: string) => parseRules(text, "rules.yaml").rules.rules[0]?.publish[0];

describe("freshness", () => {
  const withGoal = (goal: string) =>
    withPublication().replace("schema: public }", `schema: public, freshness: ${goal} }`);

  it("is a target's goal, in milliseconds once it is read", () => {
    expect(parseRules(withGoal("15m"), "rules.yaml").rules.targets[0]).toMatchObject({
      freshnessMs: 900_000,
    });
  });

  it("is a duration with its unit", () => {
    expect(problemsOf(withGoal("15")).join()).toContain("targets.sales.freshness: must be a duration");
  });
});

describe("a rules file that is good", () => {
  it("gets the defaults that the design lists", () => {
    const { rules, warnings } = parseRules(withPublication(), "rules.yaml");
    expect(warnings).toEqual([]);
    expect(rules).toEqual({
      version: expect.stringMatching(/^[0-9a-f]{12}$/) as string,
      serializeJobGroups: true,
      targets: [{ name: "sales", connection: 2, schema: "public", concurrency: 4 }],
      rules: [
        {
          name: "orders",
          when: "all",
          publish: [
            {
              target: "sales",
              table: "orders",
              action: "load",
              format: "avro",
              attempts: 8,
              backoff: { floorMs: 5_000, capMs: 600_000 },
              deadlineMs: 21_600_000,
              settleAfterMs: 120_000,
              priority: 1000,
              stale: "supersede",
            },
          ],
        },
      ],
    });
  });

  it.each([
    ["load", 120_000],
    ["create", 120_000],
    ["createAndLoad", 120_000],
    ["truncateAndLoad", 15_000],
    ["dropAndLoad", 15_000],
    ["upsert", 15_000],
  ])("settles %s after %i ms, without a warning", (action, settleAfterMs) => {
    const text = withPublication("", action);
    expect(publicationOf(text)?.settleAfterMs).toBe(settleAfterMs);
    expect(parseRules(text, "rules.yaml").warnings).toEqual([]);
  });

  it.each([
    ["settleAfter: never", { settleAfterMs: "never" }],
    ["settleAfter: 45s", { settleAfterMs: 45_000 }],
    ["backoff: 20s", { backoff: { floorMs: 20_000, capMs: 600_000 } }],
    ["backoff: 1h", { backoff: { floorMs: 3_600_000, capMs: 3_600_000 } }],
    ["backoff: { first: 500ms, max: 1m }", { backoff: { floorMs: 500, capMs: 60_000 } }],
    ["deadline: 2h", { deadlineMs: 7_200_000 }],
    ["stale: publish", { stale: "publish" }],
    ["priority: 5", { priority: 5 }],
    ["schema: Reports", { schema: "Reports" }],
  ])("reads %s", (line, wanted) => {
    expect(publicationOf(withPublication(line))).toMatchObject(wanted);
  });

  it("takes each setting from the publication, else the target, else the file, else what is built in", () => {
    const text = `version: 1
defaults: { attempts: 1, priority: 1, deadline: 1h, stale: publish, backoff: 1s }
targets:
  sales: { connection: 2, schema: public, defaults: { attempts: 2, priority: 2, deadline: 2h } }
  plain: { connection: 3, schema: public }
rules:
  - name: orders
    when: all
    publish:
      - { target: sales, table: a, action: load, attempts: 3, backoff: { first: 2s, max: 3s } }
      - { target: plain, table: a, action: upsert, settleAfter: never }
`;
    const { rules, warnings } = parseRules(text, "rules.yaml");
    expect(warnings).toEqual([]);
    expect(rules.targets[0]).not.toHaveProperty("defaults");
    expect(rules.rules[0]?.publish).toEqual([
      {
        target: "sales",
        table: "a",
        action: "load",
        format: "avro",
        attempts: 3,
        priority: 2,
        deadlineMs: 7_200_000,
        stale: "publish",
        backoff: { floorMs: 2_000, capMs: 3_000 },
        settleAfterMs: 120_000,
      },
      {
        target: "plain",
        table: "a",
        action: "upsert",
        format: "avro",
        attempts: 1,
        priority: 1,
        deadlineMs: 3_600_000,
        stale: "publish",
        backoff: { floorMs: 1_000, capMs: 600_000 },
        settleAfterMs: "never",
      },
    ]);
  });

  it.each([
    "attempts: 3",
    "backoff: 2s",
    "deadline: 2h",
    "settleAfter: 45s",
    "priority: 7",
    "stale: publish",
  ])("means the same by %s in each of the three places", (setting) => {
    const ofTarget = withPublication().replace("schema: public", `schema: public, defaults: { ${setting} }`);
    const ofFile = withPublication().replace("targets:", `defaults: { ${setting} }\ntargets:`);
    const wanted = publicationOf(withPublication(setting));
    expect(wanted).not.toEqual(publicationOf(withPublication()));
    expect(publicationOf(ofTarget)).toEqual(wanted);
    expect(publicationOf(ofFile)).toEqual(wanted);
  });

  it("reads the pace of a target, even unless burst is asked for", () => {
    const limited = (limit: string) =>
      parseRules(withPublication().replace("schema: public", `schema: public, rateLimit: ${limit}`), "r")
        .rules.targets[0]?.rateLimit;
    expect(limited("{ max: 30, per: 1m }")).toEqual({ max: 30, perMs: 60_000, burst: false });
    expect(limited("{ max: 3, per: 1h, burst: true }")).toEqual({ max: 3, perMs: 3_600_000, burst: true });
  });

  it("makes a list of every condition, and a text of a label that is true or false", () => {
    const text = withWhen(
      "when: { flow: 11, recipe: [27, 'orders*'], creator: '7', labels: { env: prod, test: [true, 8] } }",
    );
    expect(parseRules(text, "rules.yaml").rules.rules[0]?.when).toEqual({
      flow: [11],
      recipe: [27, "orders*"],
      creator: [7],
      labels: { env: ["prod"], test: ["true", 8] },
    });
  });

  it("has a version that changes with the text alone", () => {
    const version = (text: string) => parseRules(text, "any name").rules.version;
    expect(version(withPublication())).toBe(version(withPublication()));
    expect(version(withPublication())).not.toBe(version(`${withPublication()}# more\n`));
  });

  it("is read through aliases", () => {
    const text = `${withPublication().replace("- target", "- &first\n        target")}  - name: again
    when: { flow: 1 }
    publish: [*first]
`;
    const { rules } = parseRules(text, "rules.yaml");
    expect(rules.rules[1]?.publish).toEqual(rules.rules[0]?.publish);
  });

  it("is the one in examples/", () => {
    const text = readFileSync(new URL("../examples/rules.yaml", import.meta.url), "utf8");
    const { rules, warnings } = parseRules(text, "examples/rules.yaml");
    expect(warnings).toEqual([]);
    expect(rules.targets.map(({ name, connection }) => [name, connection])).toEqual([
      ["sales", 2],
      ["finance", 3],
      ["archive", 4],
    ]);
  });
});

describe("a rules file with mistakes", () => {
  it("is told all of them at once, each with line and column and what to change", () => {
    const text = `version: 1
targets:
  sales: { connection: 2, schema: public, rateLimit: { max: 30, per: 60 }, concurency: 4 }
rules:
  - name: orders
    when:
    publish:
      - target: sale
        table: "orders_{recpie}"
        action: lod
        attempts: 0
      - tabel: x
        target: sales
        action: load
`;
    expect(problemsOf(text)).toEqual([
      "rules.yaml:3:70 targets.sales.rateLimit.per: must be a duration from 100ms to 31d, such as 500ms 20s 1m 2h 90d, not 60. A number needs a unit: 60s, 60m, ...",
      'rules.yaml:3:76 targets.sales.concurency: unknown key "concurency"; known here: description, connection, schema, rateLimit, concurrency, freshness, defaults. Did you mean "concurrency"?',
      "rules.yaml:6:5 rules[0].when: is empty: say `when: all` to take every completion, or give conditions such as `recipe: 27`",
      'rules.yaml:8:17 rules[0].publish[0].target: there is no target "sale". Did you mean "sales"?',
      'rules.yaml:9:16 rules[0].publish[0].table: "orders_{recpie}" has the unknown placeholder {recpie}; the placeholders are {jobGroupId} {date} {recipe} {flow} {date:YYYY_MM} {labels.name}. Did you mean "recipe"?',
      'rules.yaml:10:17 rules[0].publish[0].action: must be one of create, load, createAndLoad, truncateAndLoad, dropAndLoad, upsert, not "lod". Did you mean "load"?',
      "rules.yaml:11:19 rules[0].publish[0].attempts: must be a whole number from 1 to 100, not 0",
      'rules.yaml:12:9 rules[0].publish[1].tabel: unknown key "tabel"; known here: target, schema, table, action, format, attempts, backoff, deadline, settleAfter, priority, stale. Did you mean "table"?',
    ]);
  });

  it.each([
    ["nothing in it", "", /^rules\.yaml:1:1 the file is empty/],
    ["a list", "[1]", /1:1 the file must be a map/],
    ["a text", "hello", /1:1 the file must be a map/],
    ["broken YAML", "a: [1\nb: 2", /2:1 .*\]/],
    ["two documents", `${withPublication()}---\na: 1\n`, /multiple documents/],
    ["a key twice", withPublication("table: other"), /11:9 this key stands here twice/],
    ["another version", withPublication().replace("version: 1", "version: 2"), /1:10 version: must be 1/],
    ["an alias of nothing", withWhen("when: *other"), /6:11 \*other has no anchor/],
    ["a merge key", withPublication("<<: { attempts: 1 }"), /merge keys/],
    ["a key that is a list", withPublication("? [a]\n        : 1"), /a key must be a word/],
    ["an unknown tag", withPublication("priority: !env X"), /!env/],
    ["a number that is read as another", withWhen("when: { labels: { v: 1.10 } }"), /1\.10 is read as 1\.1/],
    [
      "an id too large to be held",
      withWhen("when: { flow: 12345678901234567890 }"),
      /12345678901234567890 is read as/,
    ],
    ["__proto__ as a label", withWhen("when: { labels: { __proto__: x } }"), /"__proto__" cannot be used/],
    [
      "__proto__ as a target",
      withPublication().replace("  sales:", "  __proto__:"),
      /"__proto__" cannot be used/,
    ],
    ["an empty when", withWhen("when: {}"), /6:11 rules\[0\]\.when: is empty: say `when: all`/],
    ["no when", withWhen("# no when"), /5:5 rules\[0\]\.when: is missing: say `when: all`/],
    [
      "a when with another word",
      withWhen("when: everything"),
      /must be `all` or a map of conditions, not "everything"/,
    ],
    ["an empty list of patterns", withWhen("when: { flow: [] }"), /when\.flow: is an empty list/],
    ["no label in labels", withWhen("when: { labels: {} }"), /when\.labels: is empty/],
    ["a condition without value", withWhen("when: { recipe: }"), /when\.recipe: is empty/],
    [
      "a name where there are ids alone",
      withWhen("when: { creator: 'bob*' }"),
      /when\.creator: must be an id/,
    ],
    [
      "an unknown condition",
      withWhen("when: { recipie: 1 }"),
      /unknown key "recipie".*Did you mean "recipe"/,
    ],
    [
      "a target's name in capitals",
      withPublication().replaceAll("sales", "Sales"),
      /3:3 targets\.Sales: the target name "Sales"/,
    ],
    ["a schema with a dot", withPublication("schema: a.b"), /schema: "a\.b" has a dot/],
    [
      "an unknown placeholder in a schema",
      withPublication("schema: 's_{tenant}'"),
      /publish\[0\]\.schema: "s_\{tenant\}" has the unknown placeholder \{tenant\}/,
    ],
    [
      "an unknown placeholder in a target's schema",
      withPublication().replace("schema: public", "schema: 's_{tenant}'"),
      /targets\.sales\.schema: "s_\{tenant\}" has the unknown placeholder/,
    ],
    [
      "a date format in small letters",
      withPublication().replace("table: orders", "table: 't_{date:yyyy_mm}'"),
      /has \{date:yyyy_mm\}, but \{date:\.\.\.\} takes YYYY.*Did you mean \{date:YYYY_MM\}\?/,
    ],
    [
      "a date format with a space",
      withPublication().replace("table: orders", "table: 't_{date:YYYY MM}'"),
      /\{date:\.\.\.\} takes YYYY/,
    ],
    [
      "an empty date format",
      withPublication().replace("table: orders", "table: 't_{date:}'"),
      /\{date:\.\.\.\} takes YYYY/,
    ],
    [
      "a table that starts with a formatted date",
      withPublication().replace("table: orders", "table: '{date:MM}_x'"),
      /starts with \{date:MM\}, a number/,
    ],
    [
      "a table that dates make too long",
      withPublication().replace("table: orders", `table: '${"x".repeat(120)}{date}'`),
      /has 128 bytes/,
    ],
    ["an empty schema", withPublication("schema: ''"), /schema: must be the name of a Redshift schema/],
    [
      "a table with a dot",
      withPublication().replace("table: orders", "table: public.orders"),
      /write the schema in `schema`/,
    ],
    [
      "a table that starts with a number",
      withPublication().replace("table: orders", "table: '{date}_x'"),
      /starts with \{date\}/,
    ],
    [
      "a table with a lone brace",
      withPublication().replace("table: orders", "table: 'a{date'"),
      /has a \{ that is not closed/,
    ],
    [
      "a table with a brace that closes nothing",
      withPublication().replace("table: orders", "table: 'a}b'"),
      /has a \} without its \{/,
    ],
    [
      "an unnamed label",
      withPublication().replace("table: orders", "table: 'a{labels.}'"),
      /unknown placeholder \{labels\.\}/,
    ],
    [
      "a table of 128 bytes",
      withPublication().replace("table: orders", `table: ${"é".repeat(64)}`),
      /has 128 bytes/,
    ],
    ["a backoff that shrinks", withPublication("backoff: { first: 10s, max: 5s }"), /`first` that is longer/],
    [
      "settleAfter under a second",
      withPublication("settleAfter: 999ms"),
      /from 1s to 1d.*or never, not "999ms"/,
    ],
    [
      "a table among the defaults",
      withPublication().replace("targets:", "defaults: { table: x }\ntargets:"),
      /defaults\.table: unknown key "table"; known here: attempts, backoff, deadline, settleAfter, priority, stale/,
    ],
    [
      "a bad default of a target",
      withPublication().replace("schema: public", "schema: public, defaults: { attempts: 0 }"),
      /targets\.sales\.defaults\.attempts: must be a whole number from 1 to 100, not 0/,
    ],
    ["a switch that is no switch", withWhen("when: all\n    enabled: off"), /enabled: must be true or false/],
    ["an empty rule", `${withPublication()}  -\n`, /rules\[1\]: is empty/],
    [
      "a rule that publishes nothing",
      `${head}  - { name: a, when: all, publish: [] }\n`,
      /publish: is empty/,
    ],
    [
      "two rules of one name",
      withPublication() + withPublication().slice(head.length),
      /another rule is named "orders" too \(line 5\)/,
    ],
  ])("is refused with %s", (_, text, words) => {
    expect(problemsOf(text).join("\n")).toMatch(words);
  });

  it("is refused when one rule publishes twice to what Redshift takes for one table", () => {
    const second = (table: string, more = "") =>
      withPublication(`\n      - { target: sales, table: "${table}", action: create${more} }`);
    expect(problemsOf(second("ORDERS"))).toEqual([
      expect.stringMatching(/^rules\.yaml:12:\d+ .*already \(line 9; Redshift does not tell A from a\)/),
    ]);
    expect(problemsOf(second("ORDERS", ", schema: PUBLIC"))).toEqual([expect.stringMatching(/already/)]);
    expect(problemsOf(second("ORDERS", ", schema: other"))).toEqual([]);
    expect(problemsOf(second("orders_{labels.a}"))).toEqual([]);
    const dated = (one: string, other: string) =>
      problemsOf(second(other).replace("table: orders", `table: "${one}"`));
    expect(dated("t_{date}", "T_{date:YYYYMM}{date:DD}")).toEqual([expect.stringMatching(/already/)]);
    expect(dated("t_{date:YYYY_MM}", "t_{date:YYYY}_{date:MM}")).toEqual([expect.stringMatching(/already/)]);
    expect(dated("t_{date:YYYY_MM}", "t_{date:YYYYMM}")).toEqual([]);
  });

  it("shows under each the line with carets at the place, also behind tabs and wide letters and in a long line", () => {
    const shown = (text: string) =>
      (errorOf(text)?.show() ?? []).map((one) => one.replace(/error: .*/, "error: ...").split("\n"));
    expect(shown(withPublication("attempts: 0", "lod").replace("schema:", "shema:"))).toEqual([
      [
        "rules.yaml:3:27: error: ...",
        "  3 |   sales: { connection: 2, shema: public }",
        "    |                           ^^^^^",
      ],
      ["rules.yaml:10:17: error: ...", "  10 |         action: lod", "     |                 ^^^"],
      ["rules.yaml:11:19: error: ...", "  11 |         attempts: 0", "     |                   ^"],
    ]);
    const odd = 'table:\t{x: "注文"}\t# \u001b[31m';
    expect(shown(withPublication().replace("table: orders", odd).replaceAll("\n", "\r\n"))).toEqual([
      ["rules.yaml:9:16: error: ...", '  9 |         table: {x: "注文"} #  [31m', "    |                ^"],
    ]);
    const wide = withPublication().replace("target: sales", '"注文e\u0301": 1\n        target: sales');
    expect(shown(wide)).toEqual([
      ["rules.yaml:8:9: error: ...", '  8 |       - "注文e\u0301": 1', "    |         ^^^^^^^"],
    ]);
    const file = { version: 1, targets: {}, rules: Array(40).fill({ name: "", when: "all", publish: [] }) };
    const lines = shown(JSON.stringify(file)).map(([, line = "", carets = ""]) => {
      expect(line.length).toBeLessThan(120);
      return line.slice(carets.indexOf("^"), carets.length);
    });
    expect(new Set(lines)).toEqual(new Set(['""', "["]));
  });

  it.each([
    [
      "{ target: sales, table: Orders_{date}, action: load }",
      'with {date} in quotes: table: "Orders_{date}"',
    ],
    ["{ target: sales, table: {date}_x, action: load }", 'with {date} in quotes: table: "{date}_x"'],
    [
      "{ target: sales, table: t_{date:YYYY}, action: load }",
      'with {date:YYYY} in quotes: table: "t_{date:YYYY}"',
    ],
    [
      "{ target: sales, schema: 'a', table: t{labels.a b} }",
      'with {labels.a b} in quotes: table: "t{labels.a b}"',
    ],
    ["{ target: sales, table: x, attempts: @3 }", 'that starts with @ in quotes: attempts: "@3"'],
    ["table: {recipe}_{flow} # both", 'with {recipe} in quotes: table: "{recipe}_{flow}"'],
    ["table: *", 'that starts with * in quotes: table: "*"'],
    ["table: * of all", 'that starts with * in quotes: table: "* of all"'],
    ["table: &x_{date}", 'that starts with & in quotes: table: "&x_{date}"'],
    ["table: %x", 'that starts with % in quotes: table: "%x"'],
    ["table: @x", 'that starts with @ in quotes: table: "@x"'],
    ["table: `x`", 'that starts with ` in quotes: table: "`x`"'],
    ["table: !x", 'that starts with ! in quotes: table: "!x"'],
    ["table: |x", 'that starts with | in quotes: table: "|x"'],
    ["table: >x", 'that starts with > in quotes: table: ">x"'],
    ["table: 'x_{date}' y", "Unexpected scalar at node end"],
  ])("tells of %s, where YAML stumbles, that alone and what to put in quotes", (publication, words) => {
    const more = `  - { name: more, when: all, publish: [{ target: nowhere, table: "x", action: lod }] }\n`;
    const text = `${head}  - name: a\n    when: all\n    publish:\n      - ${publication}\n${more}`;
    const told = problemsOf(text);
    expect(told).toEqual([expect.stringMatching(/^rules\.yaml:8:\d+ /)]);
    expect(told[0]?.endsWith(words.startsWith("Unexpected") ? words : `put a value ${words}`)).toBe(true);
  });

  it("tells of a value that YAML reads as a map or an alias what to put in quotes", () => {
    const table = (value: string) =>
      problemsOf(withPublication().replace("table: orders", `table: ${value}`));
    expect(table("{date}")).toEqual([
      expect.stringMatching(/:9:16 .*must be the name of a table, not a map: put "\{date\}" in quotes$/),
    ]);
    expect(table("{ a: 1 }")).toEqual([expect.stringMatching(/not a map$/)]);
    expect(table("&x").join()).toContain(
      '&x stands at nothing: put a value that starts with & in quotes: table: "&x"',
    );
    expect(problemsOf(withWhen("when: { flow: *_x }"))).toEqual([
      'rules.yaml:6:19 *_x has no anchor &_x: put a value that starts with * in quotes: flow: "*_x"',
    ]);
    expect(problemsOf(withWhen("when: { flow: [1, *_x] }"))).toEqual([
      expect.stringMatching(/in quotes: "\*_x"$/),
    ]);
  });

  it("tells one mistake once", () => {
    expect(problemsOf(withPublication().replace("table: orders", 'table: ""'))).toEqual([
      'rules.yaml:9:16 rules[0].publish[0].table: must be the name of a table, not ""',
    ]);
    expect(problemsOf(withPublication().replace("connection: 2", "conection: 2"))).toEqual([
      expect.stringMatching(/unknown key "conection".*Did you mean "connection"\?$/),
    ]);
    expect(problemsOf(withPublication().replace("connection: 2", "link: 2"))).toHaveLength(2);
    expect(problemsOf(withPublication().replace("when:", "wen:"))).toEqual([
      expect.stringMatching(/unknown key "wen"/),
    ]);
    // A key that is there is judged, whatever other key looks like it.
    expect(problemsOf(withPublication("tabel: x").replace("table: orders", "table: 7"))).toHaveLength(2);
    expect(problemsOf(withPublication().replace("targets:", "target:"))).toEqual([
      expect.stringMatching(/unknown key "target".*Did you mean "targets"\?$/),
    ]);
  });

  it("names what was probably meant beside the words", () => {
    const suggested = (text: string) => errorOf(text)?.problems.map(({ suggestion }) => suggestion);
    expect(suggested(withPublication("attemps: 3", "lod"))).toEqual(["load", "attempts"]);
    expect(suggested(withPublication().replace("table: orders", "table: 't{date:yyyy}'"))).toEqual([
      "{date:YYYY}",
    ]);
    expect(suggested(withPublication().replace("table: orders", "table: 't{label.my x}'"))).toEqual([
      "{labels.my x}",
    ]);
    expect(suggested(withPublication("", "nothing"))).toEqual([undefined]);
  });

  it("tells of a `when` that holds unknown keys alone those keys, and not that it is empty", () => {
    expect(problemsOf(withWhen("when: { recipie: 27, flwo: 1 }"))).toEqual([
      expect.stringMatching(/when\.recipie: unknown key/),
      expect.stringMatching(/when\.flwo: unknown key/),
    ]);
  });

  it("tells a mistake behind an alias once", () => {
    const text = `${withPublication("attempts: 0").replace("- target", "- &first\n        target")}  - name: again
    when: all
    publish: [*first]
`;
    expect(problemsOf(text)).toEqual([expect.stringMatching(/attempts: must be/)]);
  });

  it("is refused, and not expanded, when aliases multiply", () => {
    const lines = Array.from(
      { length: 20 },
      (_, n) => `k${n + 1}: &a${n + 1} [${Array(10).fill(`*a${n}`).join(", ")}]`,
    );
    expect(problemsOf(`k0: &a0 x\n${lines.join("\n")}`)).toEqual([expect.stringMatching(/alias/i)]);
    expect(problemsOf("a: &a [*a]").length).toBeGreaterThan(0);
  });

  it("never ends in anything but rules or a RulesError that names a place", () => {
    const good = withPublication("backoff: { first: 1s, max: 1m }").replace(
      "when: all",
      "when: { flow: [1, 'a*'] }",
    );
    const noise = fc.constantFrom(
      "[",
      "]",
      "{",
      "}",
      ":",
      "- ",
      "\n",
      "  ",
      "*a",
      "&a",
      "!",
      "|",
      "0x1",
      "null",
      "'",
      "\t",
      "__proto__",
      "\u{1F4A5}",
    );
    const broken = fc
      .tuple(fc.nat(good.length), fc.nat(12), fc.oneof(noise, fc.string()))
      .map(([at, cut, put]) => good.slice(0, at) + put + good.slice(at + cut));
    fc.assert(
      fc.property(fc.oneof(broken, fc.string()), (text) => {
        // Throws, and so fails, on any other error.
        expect(problemsOf(text).every((line) => /^rules\.yaml:[1-9]\d*:[1-9]\d* ./.test(line))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe("warnings", () => {
  it.each([
    [
      "settleAfter: 29s",
      /^rules\.yaml:11:22 rules\[0\]\.publish\[0\]\.settleAfter: settleAfter is under 30s/,
    ],
    ["format: csv", /^rules\.yaml:11:17 rules\[0\]\.publish\[0\]\.format: format is csv/],
  ])("come with %s", (line, words) => {
    expect(parseRules(withPublication(line), "rules.yaml").warnings).toEqual([expect.stringMatching(words)]);
  });

  const rule = (name: string, when: string, table: string, more = "") =>
    `  - { name: ${name}, when: ${when}, ${more} publish: [{ target: sales, table: "${table}", action: load }] }\n`;
  const warned = (...rules: string[]) =>
    parseRules(head + rules.join(""), "rules.yaml").warned.map(({ line, message }) => `${line} ${message}`);

  it.each([
    ["{ flow: 1 }", "{ recipe: 1 }"],
    ["{ recipe: [27, 28] }", "{ recipe: 28, labels: { env: prod } }"],
    ["{ recipe: 27 }", '{ recipe: "orders*" }'],
    ['{ recipe: "27" }', '{ recipe: "orders*" }'],
    ['{ flow: "ord*" }', '{ flow: "orders*" }'],
    ['{ flow: "*_a" }', '{ flow: "b_*" }'],
    ['{ flow: "orders" }', '{ flow: "o?ders" }'],
    ["{ labels: { env: prod } }", "{ labels: { tenant: acme } }"],
    ["{ flow: 1 }", "all"],
  ])("name a publication that %s may take the place of when its rule takes %s", (when, other) => {
    expect(warned(rule("a", when, "t"), rule("b", other, "t"))).toEqual([
      expect.stringMatching(
        /^6 is not sent for a job group that rule "a" \(line 5\), earlier in the file, matches too/,
      ),
    ]);
  });

  it.each([
    ["{ recipe: [27, 28] }", "{ recipe: 29 }"],
    ["{ creator: 1, flow: 7 }", "{ creator: '2', flow: 7 }"],
    ['{ flow: "a*" }', '{ flow: "b*" }'],
    ['{ flow: "orders" }', '{ flow: ["x*", "y"] }'],
    ["{ flow: 1, labels: { env: prod } }", "{ flow: 1, labels: { env: [test, 7] } }"],
    ["{ labels: { v: 7 } }", "{ labels: { v: x } }"],
  ])("name none where %s and %s cannot both hold", (when, other) => {
    expect(warned(rule("a", when, "t"), rule("b", other, "t"))).toEqual([]);
  });

  it("name a publication that an earlier rule always takes the place of", () => {
    expect(warned(rule("a", "all", "t_{date}"), rule("b", "{ flow: 1 }", "T_{date:YYYYMMDD}"))).toEqual([
      expect.stringMatching(/^6 is never sent: rule "a" \(line 5\), earlier in the file, takes the same/),
    ]);
    expect(warned(rule("a", "{ flow: [1] }", "t"), rule("b", "{ flow: 1 }", "t"))).toEqual([
      expect.stringMatching(/^6 is never sent/),
    ]);
    expect(warned(rule("a", "all", "t"), rule("b", "all", "u"))).toEqual([]);
    expect(warned(rule("a", "all", "t", "enabled: false,"), rule("b", "all", "t"))).toEqual([]);
    expect(warned(rule("a", "all", "t"), rule("b", "all", "t", "enabled: false,"))).toEqual([]);
  });

  it("name a table or schema that SQL has to quote, and no template", () => {
    const text = withPublication("schema: day-1")
      .replace("schema: public", "schema: User")
      .replace("table: orders", "table: order");
    expect(parseRules(text, "rules.yaml").warnings).toEqual([
      expect.stringMatching(
        /^rules\.yaml:3:35 targets\.sales\.schema: "User" is a reserved word of Redshift/,
      ),
      expect.stringMatching(/^rules\.yaml:9:16 rules\[0\]\.publish\[0\]\.table: "order" is a reserved word/),
      expect.stringMatching(/schema: "day-1" has a -: SQL has to write it in double quotes/),
    ]);
    const template = withPublication().replace("table: orders", "table: 'table{labels.a}'");
    expect(parseRules(template, "rules.yaml").warnings).toEqual([]);
  });

  it("name a target that only rules which are switched off use", () => {
    const text = withPublication().replace("rules:", "  old: { connection: 3, schema: public }\nrules:");
    const off =
      "  - { name: b, enabled: false, when: all, publish: [{ target: old, table: t, action: load }] }\n";
    expect(parseRules(text + off, "rules.yaml").warnings).toEqual([
      'rules.yaml:4:3 targets.old: only rules that are switched off publish to the target "old"',
    ]);
    expect(parseRules(text + off.replace("enabled: false,", ""), "rules.yaml").warnings).toEqual([]);
  });

  it("name a default that settles soon", () => {
    const text = withWhen("when: all\n    enabled: false")
      .replace("targets:", "defaults: { settleAfter: 5s }\ntargets:")
      .replace("schema: public", "schema: public, defaults: { settleAfter: 6s }");
    expect(parseRules(text, "rules.yaml").warnings).toEqual([
      expect.stringMatching(/^rules\.yaml:2:26 defaults\.settleAfter: settleAfter is under 30s/),
      expect.stringMatching(/^rules\.yaml:4:68 targets\.sales\.defaults\.settleAfter: settleAfter is under/),
    ]);
  });

  it("say nothing of a file in the making: what it does not publish yet is told once, as a note", () => {
    for (const [text, note] of [
      [`${head.trimEnd()} []\n`, /^there is no rule/],
      [withWhen("when: all\n    enabled: false"), /^no rule is enabled/],
    ] as const) {
      const { rules, warnings } = parseRules(text, "rules.yaml");
      expect(warnings).toEqual([]);
      expect(nothingPublished(rules)).toMatch(note);
    }
    expect(nothingPublished(parseRules(withWhen("when: all"), "rules.yaml").rules)).toBeUndefined();
  });

  it("name a target without a rule and an odd ranFrom", () => {
    const warningsOf = (text: string) => parseRules(text, "rules.yaml").warnings;
    const spare = withPublication().replace("rules:", "  spare: { connection: 3, schema: public }\nrules:");
    expect(warningsOf(spare)).toEqual([
      'rules.yaml:4:3 targets.spare: no rule publishes to the target "spare"',
    ]);
    expect(warningsOf(withWhen("when: { ranFrom: [scheduled, 'u*'] }"))).toEqual([
      expect.stringMatching(/ranFrom "scheduled" is new to us.*Did you mean "schedule"/),
    ]);
  });
});
