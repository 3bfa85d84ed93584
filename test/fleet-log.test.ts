import { pino } from "pino";
import { expect, test } from "vitest";
import { createFleetLog } from "../src/fleet-log.ts";

test("a fleet of two versions is told once when it lasts, and once when it is over, with both versions", () => {
  const lines: { level: number; versions: string[]; rulesVersion: string }[] = [];
  const tell = createFleetLog(pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) }));
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
