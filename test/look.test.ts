import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { createLook, PLAIN, shown, table, wrapped } from "../src/look.ts";

const GREEN = "\u001b[32mgood\u001b[39m";

describe("colours", () => {
  test("are for a terminal alone, and for nobody who sets NO_COLOR", () => {
    expect(createLook({ isTTY: true }, undefined).paint("good", "good")).toBe(GREEN);
    expect(createLook({ isTTY: true }, "").paint("good", "good")).toBe(GREEN);
    expect(createLook({ isTTY: true }, "1").paint("good", "good")).toBe("good");
    expect(createLook({}, undefined).paint("good", "good")).toBe("good");
    expect(createLook({ isTTY: true }, undefined, "dumb").paint("good", "good")).toBe("good");
    expect(createLook({ isTTY: true }, undefined, "xterm").paint("good", "good")).toBe(GREEN);
  });
});

describe("a table", () => {
  const rows = [
    ["a", { text: "good", style: "good" }, "one two three four five six seven"],
    ["longer", "b", "c"],
  ] as const;

  test("has its columns under each other, whatever is painted", () => {
    const plain = table("T", ["first", "x", "words"], rows, PLAIN);
    expect(plain).toEqual([
      "",
      "T:",
      "  FIRST   X     WORDS",
      "  a       good  one two three four five six seven",
      "  longer  b     c",
    ]);
    const painted = table("T", ["first", "x", "words"], rows, createLook({ isTTY: true }, undefined));
    expect(painted.map((line) => stripVTControlCharacters(line).trimEnd())).toEqual(plain);
    expect(painted[3]).toContain(GREEN);
  });

  test("wraps its last column to the terminal, and nowhere else", () => {
    const look = createLook({ isTTY: true, columns: 40 }, "1");
    expect(table("T", ["first", "x", "words"], rows, look).slice(3, 5)).toEqual([
      "  a       good  one two three four five",
      "                six seven",
    ]);
  });

  test("without rows is not there", () => {
    expect(table("T", ["a"], [], PLAIN)).toEqual([]);
  });

  test("has its columns under each other with letters of two columns, and of none of their own", () => {
    const wide = [
      ["注文", "a"],
      ["🚀👨‍👩‍👧", "b"],
      ["café", "c"],
      ["e\u0301", "d"],
    ];
    expect(table("T", ["names", "x"], wide, PLAIN).slice(2)).toEqual([
      "  NAMES  X",
      "  注文   a",
      "  🚀👨‍👩‍👧   b",
      "  café   c",
      "  e\u0301      d",
    ]);
  });

  test("breaks what has no spaces at the terminal's edge, by its columns, and loses none of it", () => {
    const look = createLook({ isTTY: true, columns: 30 }, "1");
    const text = `a ${"注文".repeat(10)} ${"b".repeat(30)}`;
    const lines = table("T", ["x", "words"], [["1", text]], look).slice(3);
    expect(lines).toEqual([
      "  1  a",
      `     ${"注文".repeat(6)}`,
      `     ${"注文".repeat(4)}`,
      `     ${"b".repeat(25)}`,
      `     ${"b".repeat(5)}`,
    ]);
  });

  test("narrows columns at their spaces when the last one has no room, before it takes a line of its own", () => {
    const cells = [
      ["not told, shared with all", { text: "may be a target", style: "good" }, "some words of the last"],
      ["b", "no", ""],
    ] as const;
    const at = (columns: number) =>
      table("T", ["owner", "target", "words"], cells, createLook({ isTTY: true, columns }, "1")).slice(2);
    expect(at(56)).toEqual([
      "  OWNER           TARGET          WORDS",
      "  not told,       may be a        some words of the last",
      "  shared with     target",
      "  all",
      "  b               no",
    ]);
    expect(at(30)).toEqual([
      "  OWNER          TARGET",
      "    WORDS",
      "  not told,      may be a",
      "  shared with    target",
      "  all",
      "    some words of the last",
      "  b              no",
    ]);
  });

  test("gives its last column a line of its own before a word in it breaks, which could not be copied", () => {
    const host = "cluster-2.abcdefgh.eu-west-1.redshift.amazonaws.com/dev";
    const look = createLook({ isTTY: true, columns: 80 }, "1");
    const cells = [["redshift-sales", "person 7, shared with all", `at ${host}`]];
    expect(table("T", ["name", "owner", "database"], cells, look).slice(2)).toEqual([
      "  NAME            OWNER",
      "    DATABASE",
      "  redshift-sales  person 7, shared with all",
      `    at ${host}`,
    ]);
  });

  test("keeps a last column that needs little room beside the others", () => {
    const look = createLook({ isTTY: true, columns: 20 }, "1");
    expect(table("T", ["queue", "done"], [["completions", "1"]], look).slice(2)).toEqual([
      "  QUEUE        DONE",
      "  completions  1",
    ]);
  });

  test("paints no further than a line goes", () => {
    const look = createLook({ isTTY: true, columns: 40 }, undefined);
    const rows = [["x", { text: "one two three four five six seven eight", style: "dim" }]] as const;
    const lines = table("T", ["a", "b"], rows, look).slice(3);
    expect(lines.map((line) => line.split("\u001b[2m").length - 1)).toEqual([7, 1]);
    for (const line of lines) expect(line.endsWith("\u001b[22m")).toBe(true);
  });

  test("lets nobody's name move the cursor, turn text around or hide in it", () => {
    expect(shown("a\u2028b\u202ec\u200bd\u200de")).toBe("a b‹U+202E›c‹U+200B›d\u200de");
    expect(table("T", ["a"], [["x\u001b[2J\ny"]], PLAIN)[3]).toBe("  x [2J y");
  });
});

describe("lines outside tables", () => {
  test("are wrapped at the terminal's width, under their words, and no word is broken", () => {
    const look = createLook({ isTTY: true, columns: 30 }, undefined);
    const label = "Failed:          ";
    expect(wrapped([`${label}${look.paint("bad", "2 groups")} with a failed task`], look)).toEqual([
      `${label}${look.paint("bad", "2 groups")} with`,
      `${" ".repeat(15)}a failed task`,
    ]);
    expect(wrapped([`  see https://example.com/${"a".repeat(30)} there`, "short"], look)).toEqual([
      "  see",
      `  https://example.com/${"a".repeat(30)}`,
      "  there",
      "short",
    ]);
  });

  test("are as long as they are elsewhere", () => {
    expect(wrapped(["a ".repeat(200)], PLAIN)).toEqual(["a ".repeat(200)]);
  });
});
