import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { runCommand } from "./support/command-line.ts";
import { startScript } from "./support/processes.ts";

const MAIN = new URL("../src/main.ts", import.meta.url);

const run = (...args: string[]) => runCommand(args);

test("as a process: an unknown command ends with 2, help with 0 on stdout", async () => {
  const unknown = startScript(MAIN, { args: ["publish"] });
  const help = startScript(MAIN, { args: ["--help"] });
  expect(await unknown.exited).toMatchObject({ code: 2 });
  expect(await help.exited).toMatchObject({ code: 0 });
  expect(help.output()).toContain("publish-relay [options] [command]");
});

test("the version is that of the package", async () => {
  const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  for (const option of ["--version", "-V"])
    expect(await runCommand([option])).toEqual({ code: 0, output: `${version}\n` });
});

test("help ends with 0, names every command, and tells the exit codes", async () => {
  for (const args of [["--help"], ["help"], ["-h"]]) {
    const { code, output } = await run(...args);
    expect(code).toBe(0);
    for (const words of [
      "start",
      "explain",
      "resolve",
      "webhook",
      "Exit codes: 0 done, 1 failed, 2 wrong usage",
    ]) {
      expect(output).toContain(words);
    }
  }
});

test.each([
  [["start", "--help"]],
  [["explain", "--help"]],
  [["status", "--help"]],
  [["doctor", "--help"]],
  [["init", "--help"]],
  [["connections", "--help"]],
  [["run", "--help"]],
  [["resolve", "--help"]],
  [["replay", "--help"]],
  [["webhook", "--help"]],
  [["webhook", "create", "--help"]],
  [["help", "init"]],
  [["help", "webhook", "create"]],
  [["webhook", "help", "create"]],
  [["hash-password", "--help"]],
])("%j shows an example and the exit codes", async (args) => {
  const { code, output } = await run(...args);
  expect(code).toBe(0);
  expect(output).toMatch(/^Examples?:$/m);
  expect(output).toContain("Exit codes:");
});

test("a command's help is as wide as its list of options, and only what is to be copied is wider", async () => {
  for (const command of ["init", "run", "replay", "doctor", "hash-password"]) {
    const { output } = await run(command, "--help");
    expect(
      output.split("\n").filter((line) => line.length > 80 && !line.startsWith("  publish-relay")),
    ).toEqual([]);
  }
});

test.each([
  ["no command", [], "Usage: publish-relay"],
  ["an unknown command", ["publish"], "unknown command 'publish'"],
  ["an unknown command of webhook", ["webhook", "delete"], "unknown command 'delete'"],
  ["help for an unknown command", ["help", "bogus"], "unknown command 'bogus'"],
  ["help for an unknown command of webhook", ["webhook", "help", "bogus"], "unknown command 'bogus'"],
  ["an unknown option", ["start", "--port", "1"], "unknown option '--port'"],
  ["too much", ["start", "now"], "too many arguments"],
  ["two rules files", ["check", "a.yaml", "b.yaml"], "too many arguments"],
  ["no job group", ["explain"], "missing required argument 'jobGroupId'"],
  ["a job group that is no number", ["explain", "jobgroup-31"], "whole number"],
  ["no recipe", ["run"], "missing required argument 'recipeId'"],
  [
    "a recipe that is no number",
    ["run", "orders"],
    "error: 'orders' is no recipeId. It must be a whole number from 1.",
  ],
  ["a parameter without a value", ["run", "27", "--param", "country"], "like country=Germany"],
  ["a parameter twice", ["run", "27", "--param", "a=1", "--param", "a=2"], "given twice"],
  ["a format that is none", ["run", "27", "--format", "excel"], "Allowed choices"],
  ["a path without a format", ["run", "27", "--path", "s3://b/o"], "goes with --format"],
  ["an empty key", ["run", "27", "--key", " "], "1 to 200 characters"],
  ["a job group's status that is no number", ["status", "jobgroup-31"], "whole number"],
  ["a connection that is no number", ["init", "--connection", "x"], "whole number"],
  ["no task", ["resolve", "--again", "--reason", "x"], "missing required argument 'taskId'"],
  ["two tasks", ["resolve", "a", "b", "--again", "--reason", "x"], "too many arguments"],
  ["no reason", ["resolve", "a", "--again"], "--reason"],
  ["an empty reason", ["resolve", "a", "--again", "--reason", " "], "at least one letter or digit"],
  ["no outcome", ["resolve", "a", "--reason", "x"], "say --published or --again"],
  ["both outcomes", ["resolve", "a", "--published", "--again", "--reason", "x"], "cannot be used with"],
  ["no name for a password", ["hash-password"], "missing required argument 'name'"],
  ["a password on the command line", ["hash-password", "ann", "secret"], "too many arguments"],
  ["a name with a colon", ["hash-password", "ann:x"], "no colon"],
  ["no flow", ["webhook", "create", "--url", "https://r.example.com"], "--flow"],
  [
    "a flow that is no number",
    ["webhook", "create", "--flow", "x", "--url", "https://r.example.com"],
    "whole number",
  ],
])("wrong usage ends with 2 and says what: %s", async (_what, args, words) => {
  const { code, output } = await run(...args);
  expect(output).toContain(words);
  expect(code).toBe(2);
});

test("a decision is read as it was given", async () => {
  const { code, output } = await run(
    "resolve",
    "jobgroup-31-2-public-orders",
    "--published",
    "--reason",
    "rows are there",
    "--by",
    "ada",
  );
  expect(code).toBe(0);
  expect(output).toBe(
    'resolve {"taskId":"jobgroup-31-2-public-orders","outcome":"published","reason":"rows are there","by":"ada"}',
  );
});

test("a run is read as it was given; a value may hold an equals sign", async () => {
  const args = [
    "run",
    "27",
    "--param",
    "where=a=b",
    "--param",
    "n=",
    "--format",
    "avro",
    "--key",
    "k 1",
    "--wait",
  ];
  expect(await run(...args)).toEqual({
    code: 0,
    output:
      'run {"recipeId":27,"parameters":{"where":"a=b","n":""},"wait":true,"json":false,"format":"avro","key":"k 1"}',
  });
});
