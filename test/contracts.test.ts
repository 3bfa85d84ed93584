import { readFile } from "node:fs/promises";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { completionMessageSchema } from "../src/producers/contracts.ts";
import { parseReport } from "../src/producers/report.ts";

const published = new URL("../docs/contracts/completion-message.schema.json", import.meta.url);
const fits = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false }).compile(
  completionMessageSchema(),
);
const isTaken = (message: unknown) => parseReport(message, "message").kind === "report";

test("the published schema of a message is the one that is checked with (else: npm run contracts)", async () => {
  expect(JSON.parse(await readFile(published, "utf8"))).toEqual(completionMessageSchema());
});

test("its examples fit it, and are taken", () => {
  const { examples } = completionMessageSchema() as { examples: unknown[] };
  expect(examples.length).toBeGreaterThan(1);
  for (const example of examples) expect([fits(example), isTaken(example)]).toEqual([true, true]);
});

describe("what fits the schema is taken, and what does not is refused", () => {
  test.each<[string, unknown, boolean]>([
    ["the id alone", { jobGroupId: 31 }, true],
    ["the platform's names", { jobId: "31", jobStatus: "Complete" }, true],
    ["labels of any type", { jobGroupId: 31, labels: { env: "prod", n: 3, list: [1], none: null } }, true],
    ["fields beside the known ones", { jobGroupId: 31, env: "prod", deep: { a: { b: 1 } } }, true],
    ["nulls", { jobGroupId: 31, status: null, labels: null }, true],
    ["no id", { status: "Complete" }, false],
    ["an id of zero", { jobGroupId: 0 }, false],
    ["a fraction", { jobGroupId: 1.5 }, false],
    ["an id with a leading zero", { jobGroupId: "031" }, false],
    ["a status that is no text", { jobGroupId: 31, status: 3 }, false],
    ["labels in a list", { jobGroupId: 31, labels: ["prod"] }, false],
    ["a long label", { jobGroupId: 31, labels: { note: "x".repeat(1_001) } }, false],
    ["a long field", { jobGroupId: 31, note: "x".repeat(1_001) }, false],
    ["a long name", { jobGroupId: 31, ["n".repeat(101)]: "x" }, false],
    ["an empty name", { jobGroupId: 31, labels: { "": "x" } }, false],
    [
      "51 labels",
      { jobGroupId: 31, labels: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`l${i}`, ""])) },
      false,
    ],
    ["no object", [31], false],
  ])("%s", (_, message, good) => {
    expect([fits(message), isTaken(message)]).toEqual([good, good]);
  });

  test("whatever the message", () => {
    const label = fc.oneof(
      fc.string({ maxLength: 12 }),
      fc.integer(),
      fc.boolean(),
      fc.array(fc.integer(), { maxLength: 3 }),
      fc.string({ minLength: 999, maxLength: 1_002 }),
    );
    const name = fc.oneof(
      fc.string({ maxLength: 3 }),
      fc.string({ minLength: 99, maxLength: 102 }),
      fc.constantFrom("constructor", "toString"),
    );
    const id = fc.oneof(
      fc.integer({ min: -2, max: 40 }),
      fc.integer({ min: -2, max: 40 }).map(String),
      fc.double(),
      fc.constantFrom<unknown>("$jobID", "", null, true, [31], 9_007_199_254_740_991, 9_007_199_254_740_992),
    );
    const status = fc.oneof(
      fc.string({ maxLength: 4 }),
      fc.constant(null),
      fc.integer(),
      fc.string({ minLength: 99, maxLength: 102 }),
    );
    const labels = fc.oneof(
      fc.dictionary(name, label, { maxKeys: 4 }),
      fc.constantFrom<unknown>(null, [], "a", 1),
    );
    const message = fc
      .tuple(
        fc.dictionary(name, label, { maxKeys: 3 }),
        fc.record({ jobGroupId: id, status, jobStatus: status, labels }, { requiredKeys: [] }),
      )
      .map(([more, known]) => JSON.parse(JSON.stringify({ ...more, ...known })) as unknown);
    fc.assert(
      fc.property(message, (one) => {
        expect(isTaken(one)).toBe(fits(one));
      }),
      { numRuns: 2_000 },
    );
  });
});
