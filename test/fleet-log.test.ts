import { pino } from "pino";
import { expect, test } from "vitest";
import { createFleetLog, tellWhoseLimits } from "../src/fleet-log.ts";

test("a fleet of two versions is told once when it lasts, and once when it is over, with both versions", () => {
  const lines: { level: number; versions: string[]; rulesVersion: string }[] = [];
  const tellFleet = createFleetLog(pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) }));
  const tell = (own: string | undefined, versions: string[], nowMs: number): void =>
    tellFleet(own, { versions, newest: "v2" }, nowMs);
  const both = ["v1", "v2"];
  // A new file that reaches one process two seconds after the other is no news.
  tell("v1", both, 0);
  tell("v1", both, 2_000);
  tell("v2", ["v2"], 3_000);
  // A process without rules yet, beside others that have some.
  tell(undefined, both, 20_000);
  tell(undefined, both, 30_000);
  expect(lines).toEqual([]);

  for (let ms = 40_000; ms < 60_000; ms += 1_000) tell("v2", both, ms);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ level: 40, rulesVersion: "v2", versions: both });
  for (let ms = 60_000; ms < 80_000; ms += 1_000) tell("v2", ["v2"], ms);
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatchObject({ level: 30, rulesVersion: "v2", versions: both });
});

test("limits of rules that nobody runs are told in the log once they last, and wherever two versions are told", () => {
  const lines: { level: number; msg: string; limitsOf?: string }[] = [];
  const tell = createFleetLog(pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) }));
  const orphaned = { versions: ["v1"], newest: "v2" };
  for (let ms = 0; ms < 20_000; ms += 1_000) tell("v1", orphaned, ms);
  expect(lines).toEqual([
    expect.objectContaining({ level: 40, limitsOf: "v2", msg: expect.stringContaining("nobody runs") }),
  ]);
  tell("v1", { versions: ["v1"], newest: "v1" }, 20_000);
  expect(lines.map(({ level }) => level)).toEqual([40, 30]);

  expect(tellWhoseLimits(orphaned)).toBe("the limits are those of v2, which nobody runs");
  expect(tellWhoseLimits({ versions: ["v0", "v1"], newest: "v2" })).toMatch(/of v2, which nobody runs$/);
  expect(tellWhoseLimits({ versions: ["v1", "v2"], newest: "v2" })).toBe("the limits are those of v2");
  expect(tellWhoseLimits({ versions: ["v2"], newest: "v2" })).toBeUndefined();
  expect(tellWhoseLimits({ versions: undefined, newest: undefined })).toBeUndefined();
});
