import { describe, expect, test } from "vitest";
import { gateShutMs } from "../src/designer-cloud/gate-policy.ts";
import { sayAlreadyPublished, sayPublishRuns } from "../src/designer-cloud/platform-words.ts";
import { askedToWaitMs } from "../src/designer-cloud/retry-after.ts";

const NOW = Date.UTC(2026, 0, 1);

describe("what an answer asks for", () => {
  test.for([
    [429, { "x-retry-after": "57" }, "", 57_000],
    [429, { "retry-after": "2" }, "", 2_000],
    [503, { "retry-after": "120" }, "", 120_000],
    [429, { "x-retry-after": "3", "retry-after": "9" }, "", 3_000],
    [429, { "retry-after": new Date(NOW + 30_000).toUTCString() }, "", 30_000],
    [429, { "retry-after": new Date(NOW - 30_000).toUTCString() }, "", 1_000],
    [429, { "retry-after": "0" }, "", 1_000],
    [429, { "retry-after": "999999" }, "", 3_600_000],
    [429, { "retry-after": "soon" }, "", undefined],
    [429, { "x-rate-limit-user-reset": String(NOW + 20_000) }, "", 20_000],
    [429, { "x-rate-limit-workspace-reset": String((NOW + 20_000) / 1_000) }, "", 20_000],
    [
      429,
      {
        "x-rate-limit-user-reset": String(NOW + 50_000),
        "x-rate-limit-user-remaining": "12",
        "x-rate-limit-workspace-reset": String(NOW + 20_000),
        "x-rate-limit-workspace-remaining": "0",
      },
      "",
      20_000,
    ],
    [429, {}, "API quota reached for user. Wait 57 seconds before making a new request", 57_000],
    [429, {}, "Wait 2 minutes", 120_000],
    [429, {}, "", undefined],
    [503, { "x-rate-limit-user-reset": String(NOW + 20_000) }, "Wait 5 seconds", undefined],
  ] as const)("%i %j %j: %j ms", ([status, headers, words, expected]) => {
    expect(askedToWaitMs({ status, headers, words }, NOW)).toBe(expected);
  });
});

describe("how long the gate stays shut", () => {
  const least = () => 0;
  const most = () => 1;

  test("refused token: always 5 s", () => {
    for (const consecutiveShuts of [1, 50]) {
      expect(gateShutMs({ reason: "unauthorized", consecutiveShuts, retryAfterMs: 99_000 })).toBe(5_000);
    }
  });

  test("throttled: as told within 1 s and 1 h, 10 s when nothing was told", () => {
    const throttled = (retryAfterMs?: number) =>
      gateShutMs({
        reason: "throttled",
        consecutiveShuts: 3,
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      });
    expect([throttled(57_000), throttled(), throttled(1), throttled(1e9)]).toEqual([
      57_000, 10_000, 1_000, 3_600_000,
    ]);
  });

  test("away: 1 s doubling to 30 s, with up to a fifth on top", () => {
    const away = (random: () => number) =>
      [1, 2, 3, 4, 5, 6, 1_000].map((consecutiveShuts) =>
        gateShutMs({ reason: "away", consecutiveShuts, random }),
      );
    expect(away(least)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    expect(away(most)).toEqual([1_200, 2_400, 4_800, 9_600, 19_200, 36_000, 36_000]);
  });

  test("away and told when to come back: never sooner", () => {
    expect(gateShutMs({ reason: "away", consecutiveShuts: 1, retryAfterMs: 60_000, random: least })).toBe(
      60_000,
    );
    expect(gateShutMs({ reason: "away", consecutiveShuts: 6, retryAfterMs: 5_000, random: least })).toBe(
      30_000,
    );
  });
});

describe("the words of a refusal", () => {
  test.for([
    "Another publish of this job group is running",
    "Another publishing job is in progress",
    "This job group is already being published",
    "Publish for job group 31 is already running",
    "A publish is currently in progress",
    "Publishing already in progress",
  ])("another publish runs: %s", (words) => {
    expect(sayPublishRuns(words)).toBe(true);
    expect(sayAlreadyPublished(words)).toBe(false);
  });

  test.for([
    "Results were already written to this target",
    "This result has already been published to the same table",
    "Already published",
  ])("already published: %s", (words) => {
    expect(sayAlreadyPublished(words)).toBe(true);
    expect(sayPublishRuns(words)).toBe(false);
  });

  test.for([
    "Publish is not allowed for connection 2",
    "The cluster is not running. Publish later",
    "No Avro results to publish",
    "Table already exists",
  ])("neither: %s", (words) => {
    expect([sayPublishRuns(words), sayAlreadyPublished(words)]).toEqual([false, false]);
  });
});
