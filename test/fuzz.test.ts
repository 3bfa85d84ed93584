import { expect, test } from "vitest";
import { startScript } from "./support/processes.ts";

const MAIN = new URL("../fuzz/main.ts", import.meta.url);

test("500 hostile requests, most of them rightly signed: no 5xx, none taken in, memory flat, good ones published", {
  timeout: 90_000,
}, async () => {
  const run = startScript(MAIN, { args: ["--requests", "500", "--seed", "11"] });
  const { code } = await run.exited;
  expect(run.output()).toMatch(/^GOOD: no violation$/m);
  const [, signed] =
    /^500 hostile requests in \d+ s, (\d+) of them rightly signed; 10 good ones/m.exec(run.output()) ?? [];
  expect(Number(signed)).toBeGreaterThanOrEqual(250);
  expect(code).toBe(0);
});

test("wrong usage of the fuzz ends with 2", async () => {
  const run = startScript(MAIN, { args: ["--requests", "many"] });
  expect(await run.exited).toMatchObject({ code: 2 });
  expect(run.output()).toContain("--requests must be a whole number");
});
