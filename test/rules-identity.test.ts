import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { foldIdentifier } from "../src/rules/identifier.ts";
import { completionId, type TablePlace, taskId, taskKey } from "../src/rules/task-identity.ts";

// Short texts of the characters that could be taken for one another once they are escaped and joined.
const name = fc.oneof(
  fc.string({
    unit: fc.constantFrom("a", "A", "2", "d", "f", "-", "/", "~", "%", ":", "_", ".", "é", "É"),
    maxLength: 4,
  }),
  fc.string({ unit: "binary", maxLength: 8 }),
);
const place = fc.record({ connection: fc.nat(30), schema: name, table: name });
/** A place, and one that is often the same but for case or a character that moved over a border. */
const pair = place.chain((one) =>
  fc.tuple(
    fc.constant(one),
    fc.oneof(
      place,
      fc.constant({ ...one, table: one.table.toUpperCase() }),
      fc.constant({ ...one, schema: one.schema + one.table.slice(0, 1), table: one.table.slice(1) }),
      fc.constant({ ...one, schema: `${one.schema}-${one.table}`, table: "" }),
      fc.constant({ ...one, table: one.table.replaceAll("-", "~2d").replaceAll("/", "~2f") }),
    ),
  ),
);

const sameTable = (a: TablePlace, b: TablePlace) =>
  a.connection === b.connection &&
  foldIdentifier(a.schema) === foldIdentifier(b.schema) &&
  foldIdentifier(a.table) === foldIdentifier(b.table);

describe("the identity of a publish task", () => {
  it("reads like the table that it stands for", () => {
    const key = taskKey({ connection: 2, schema: "public", table: "test_table2" });
    expect(key).toBe("2/public/test_table2");
    expect(taskId(31, key)).toBe("jobgroup-31-2-public-test_table2");
    expect(completionId(31)).toBe("jobgroup-31");
  });

  it("is one for names that Redshift folds together, and two for others", () => {
    const key = (schema: string, table: string) => taskKey({ connection: 2, schema, table });
    expect(key("Public", "ORDERS")).toBe(key("public", "orders"));
    expect(key("a-b", "c")).toBe("2/a~2db/c");
    expect(key("a", "É")).not.toBe(key("a", "é"));
  });

  it("has one key for one table, and never one for two", () => {
    fc.assert(
      fc.property(pair, ([a, b]) => {
        expect(taskKey(a) === taskKey(b)).toBe(sameTable(a, b));
      }),
      { numRuns: 3000 },
    );
  });

  it("has one id for one job group and table, and never one for two", () => {
    fc.assert(
      fc.property(pair, fc.nat(30), fc.nat(30), ([a, b], groupA, groupB) => {
        const same = groupA === groupB && sameTable(a, b);
        expect(taskId(groupA, taskKey(a)) === taskId(groupB, taskKey(b))).toBe(same);
      }),
      { numRuns: 3000 },
    );
  });

  it("has ids that BullMQ, an URL and a shell take as they are", () => {
    fc.assert(
      fc.property(place, fc.nat(), (one, jobGroupId) => {
        const id = taskId(jobGroupId, taskKey(one));
        expect(id).toMatch(/^jobgroup-\d+-\d+-[a-z0-9_.~]*-[a-z0-9_.~]*$/);
        expect(encodeURIComponent(id)).toBe(id);
      }),
    );
  });
});
