import { expect, test } from "vitest";
import { startScript } from "./support/processes.ts";

const MAIN = new URL("../chaos/main.ts", import.meta.url);

test("with processes killed, frozen and cut off, and answers lost, nothing is lost and nothing is published twice", {
  timeout: 150_000,
}, async () => {
  const run = startScript(MAIN, { args: ["--short", "--seed", "7"] });
  const { code } = await run.exited;
  expect(run.output()).toMatch(/^GOOD: \d+ publish tasks, none lost, none twice/m);
  expect(code).toBe(0);
});
