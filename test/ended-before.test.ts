import { expect, test } from "vitest";
import { PlatformError } from "../src/errors.ts";
import { createEndedBefore } from "../src/producers/ended-before.ts";

const none = new AbortController().signal;
const wrangle = (updatedAt?: number) => ({ jobType: "wrangle", ...(updatedAt && { updatedAt }) });
const publish = { jobType: "publish", updatedAt: 9_000 };

test.each([
  ["all its own jobs ended before", [wrangle(900), wrangle(999), publish], true],
  ["one ended since", [wrangle(900), wrangle(1_000)], false],
  ["one does not say when", [wrangle(900), wrangle()], false],
  ["there are publishes alone", [publish], false],
  ["there are no jobs", [], false],
])("%s", async (_, jobs, expected) => {
  expect(await createEndedBefore(async () => jobs)(31, 1_000, none)).toBe(expected);
});

test("jobs that may not be read tell nothing; what passes is told to the caller", async () => {
  const failing = (next: "refused" | "gate") =>
    createEndedBefore(() => Promise.reject(new PlatformError("no", { next, code: "Status" })));
  expect(await failing("refused")(31, 1_000, none)).toBe(false);
  await expect(failing("gate")(31, 1_000, none)).rejects.toThrow("no");
});
