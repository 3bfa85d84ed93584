import { PassThrough, Readable } from "node:stream";
import { expect, test } from "vitest";
import { readConfig } from "../src/config.ts";
import { type PasswordSource, runHashPassword } from "../src/hash-password.ts";
import { fitsHash, hashPassword, readPasswordHash } from "../src/http/password-hash.ts";
import { startScript } from "./support/processes.ts";

const MAIN = new URL("../src/main.ts", import.meta.url);
const piped = (text: string): PasswordSource => Readable.from([Buffer.from(text)]);

function terminal() {
  const source: PasswordSource & PassThrough = Object.assign(new PassThrough(), { isTTY: true });
  const said: string[] = [];
  return {
    source,
    said,
    /** Types the next of these whenever something is asked. */
    say: (lines: string[]) => (words: string) => {
      said.push(words);
      if (words.endsWith(": ")) setImmediate(() => source.write(lines.shift() ?? "\u0003"));
    },
  };
}

async function fits(line: string, name: string, password: string): Promise<boolean> {
  const hash = readPasswordHash(line.slice(name.length + 1));
  return line.startsWith(`${name}:`) && hash !== undefined && fitsHash(password, hash);
}

test("a password that is piped in comes out as name:hash, ready for the setting", async () => {
  const line = await runHashPassword("ann", piped("a,b:c \n"), () => {});
  expect(line).toMatch(/^ann:scrypt\.15\.8\.1\.[\w-]+\.[\w-]+$/);
  expect(await fits(line, "ann", "a,b:c ")).toBe(true);
  expect(await fits(line, "ann", "a,b:c")).toBe(false);
  const { boardOperators } = readConfig({ BOARD_OPERATORS: `${line}, vic:plain` });
  expect(boardOperators).toEqual([
    { name: "ann", password: line.slice(4) },
    { name: "vic", password: "plain" },
  ]);
});

test("a terminal is asked twice, and what is typed is not shown", async () => {
  const { source, said, say } = terminal();
  const line = await runHashPassword("ann", source, say(["secret\r", "secret\r"]));
  expect(await fits(line, "ann", "secret")).toBe(true);
  expect(said.join("")).toBe("Password of ann: \nThe same once more: \n");
});

test("what cannot be a password is refused", async () => {
  const first = terminal();
  await expect(runHashPassword("ann", first.source, first.say(["one\r", "two\r"]))).rejects.toThrow(
    "not the same",
  );
  const second = terminal();
  await expect(runHashPassword("ann", second.source, second.say([]))).rejects.toThrow(
    "No password was typed",
  );
  for (const [text, words] of [
    ["", "No password came"],
    ["\n", "No password came"],
    ["a\nb\n", "More than one line"],
    ["x".repeat(1_025), "longer than"],
  ] as const) {
    await expect(runHashPassword("ann", piped(text), () => {})).rejects.toThrow(words);
  }
});

test("two hashes of one password differ, and a hash that was cut off or costs too little is none", async () => {
  const [one, other] = await Promise.all([hashPassword("x"), hashPassword("x")]);
  expect(one).not.toBe(other);
  for (const wrong of [
    one.slice(0, -1),
    `${one}x`,
    one.replace(".15.", ".10."),
    one.replace(".15.", ".24."),
    one.replace(".8.", ".9."),
    "scrypt.",
    "",
  ]) {
    expect(readPasswordHash(wrong)).toBeUndefined();
  }
});

test("as a process: nothing but the line is on stdout, and without a password it ends with 1", async () => {
  const empty = startScript(MAIN, { args: ["hash-password", "ann"] });
  expect(await empty.exited).toMatchObject({ code: 1 });
  expect(empty.output()).toContain("No password came");
});
