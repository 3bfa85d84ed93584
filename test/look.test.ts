import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { createLook, PLAIN, table } from "../src/look.ts";

const GREEN = "\u001b[32mgood\u001b[39m";

describe("colours", () => {
  test("are for a terminal alone, and for nobody who sets NO_COLOR", () => {
    expect(createLook({ isTTY: true }, undefined).paint("good", "good")).toBe(GREEN);
    expect(createLook({ isTTY: true }, "").paint("good", "good")).toBe(GREEN);
    expect(createLook({ isTTY: true }, "1").paint("good", "good")).toBe("good");
    expect(createLook({}, undefined).paint("good", "good")).toBe("good");
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

  test("lets nobody's name move the cursor", () => {
    expect(table("T", ["a"], [["x\u001b[2J\ny"]], PLAIN)[3]).toBe("  x [2J y");
  });
});
