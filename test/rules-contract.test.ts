import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { rulesFileSchema } from "../src/rules/contract.ts";
import { parseRules } from "../src/rules/parse-rules.ts";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const fits = new Ajv({ strict: true, strictTypes: false, strictRequired: false, allErrors: true }).compile(
  rulesFileSchema(),
);

/** JSON is YAML. */
function isTaken(file: unknown): boolean {
  try {
    parseRules(JSON.stringify(file), "rules.json");
    return true;
  } catch {
    return false;
  }
}

const publication = { target: "sales", table: "orders", action: "load" };
const rule = { name: "a", when: "all", publish: [publication] };
const target = { connection: 2, schema: "public" };
const file = { version: 1, targets: { sales: target }, rules: [rule] };
const withPublication = (more: object) => ({
  ...file,
  rules: [{ ...rule, publish: [{ ...publication, ...more }] }],
});
const withWhen = (when: unknown) => ({ ...file, rules: [{ ...rule, when }] });
const withTarget = (more: object) => ({ ...file, targets: { sales: { ...target, ...more } } });

test("the published schema of a rules file is the one that is checked with (else: npm run contracts)", () => {
  expect(JSON.parse(read("docs/contracts/rules.schema.json"))).toEqual(rulesFileSchema());
});

test("the example names the published schema, and fits it", () => {
  const example = read("examples/rules.yaml");
  expect(example.split("\n")[0]).toBe("# yaml-language-server: $schema=../docs/contracts/rules.schema.json");
  fits(parse(example));
  expect(fits.errors).toBeNull();
});

describe("what an editor marks is what a start refuses", () => {
  test.each<[string, unknown, boolean]>([
    ["the least", file, true],
    ["every setting", withPublication({ attempts: 3, backoff: { first: "1s", max: "1m" } }), true],
    ["a duration", withPublication({ backoff: "1s", deadline: "2h", settleAfter: "never" }), true],
    ["defaults", { ...withTarget({ defaults: { stale: "publish" } }), defaults: { priority: 1 } }, true],
    ["a pace", withTarget({ rateLimit: { max: 3, per: "1m" } }), true],
    ["conditions", withWhen({ recipe: [27, "a*"], creator: "7", labels: { env: "prod", on: true } }), true],
    ["placeholders", withPublication({ schema: "s_{labels.my tenant}", table: "t_{date:YYYY_MM}" }), true],
    ["no version", { targets: {}, rules: [] }, false],
    ["a misspelt key", withPublication({ atempts: 3 }), false],
    ["an unknown action", withPublication({ action: "append" }), false],
    ["attempts of none", withPublication({ attempts: 0 }), false],
    ["a duration without a unit", withPublication({ deadline: 60 }), false],
    ["a duration with another unit", withPublication({ deadline: "2w" }), false],
    ["a table among the defaults", { ...file, defaults: { table: "x" } }, false],
    ["an unknown placeholder", withPublication({ table: "t_{tenant}" }), false],
    ["a date in small letters", withPublication({ table: "t_{date:yyyy}" }), false],
    ["a table with a dot", withPublication({ table: "public.orders" }), false],
    ["a target's name in capitals", { ...file, targets: { Sales: target } }, false],
    ["an empty when", withWhen({}), false],
    ["no label", withWhen({ labels: {} }), false],
    ["an empty list", withWhen({ flow: [] }), false],
    ["no publication", { ...file, rules: [{ ...rule, publish: [] }] }, false],
  ])("%s", (_, one, good) => {
    expect([fits(one), isTaken(one)]).toEqual([good, good]);
  });

  test("whatever a start takes, an editor takes", () => {
    const duration = fc.constantFrom<unknown>("20s", "1m", "2h", "1d", "3600s", "120m", "1w", 5);
    const settings = fc.record(
      {
        attempts: fc.integer({ min: 0, max: 20 }),
        backoff: fc.oneof(duration, fc.record({ first: duration, max: duration })),
        deadline: duration,
        settleAfter: fc.oneof(duration, fc.constant("never")),
        priority: fc.integer({ min: 0, max: 50 }),
        stale: fc.constantFrom("supersede", "publish"),
      },
      { requiredKeys: [] },
    );
    const name = fc.oneof(
      fc.constantFrom("orders", "t_{date}", "t_{date:YYYY-MM}", "_{labels.a b}", "{recipe}", "é"),
      fc.string({ minLength: 1, maxLength: 4 }),
      fc.string({ unit: "binary", minLength: 1, maxLength: 4 }).map((text) => `t{labels.${text}}`),
    );
    const pattern = fc.oneof(fc.nat(40), fc.string({ minLength: 1, maxLength: 4 }));
    const patterns = fc.oneof(pattern, fc.array(pattern, { minLength: 1, maxLength: 3 }));
    const when = fc.oneof(
      fc.constant("all"),
      fc.record({ recipe: patterns, flow: patterns, creator: fc.nat(9) }, { requiredKeys: ["flow"] }),
      fc.record({ labels: fc.dictionary(fc.string({ maxLength: 4 }), fc.oneof(patterns, fc.boolean())) }),
    );
    const one = fc
      .record({ settings, defaults: settings, table: name, schema: name, when, enabled: fc.boolean() })
      .map((made) => ({
        ...file,
        defaults: made.defaults,
        rules: [
          {
            ...rule,
            when: made.when,
            enabled: made.enabled,
            publish: [{ ...publication, ...made.settings, schema: made.schema, table: made.table }],
          },
        ],
      }));
    let taken = 0;
    fc.assert(
      fc.property(one, (made) => {
        if (!isTaken(made)) return true;
        taken++;
        return fits(made);
      }),
      { numRuns: 1_000 },
    );
    expect(taken).toBeGreaterThan(50);
  });
});
