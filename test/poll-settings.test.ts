import { expect, test } from "vitest";
import { ConfigError, pollingOf, readConfig } from "../src/config.ts";
import { missingSettings } from "../src/config-summary.ts";

const PLATFORM = { DESIGNER_CLOUD_URL: "https://us1.alteryxcloud.com", DESIGNER_CLOUD_TOKEN: "token" };
const read = (env: Record<string, string> = {}) => readConfig({ ...PLATFORM, ...env });

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    read(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test("it polls each minute, twenty pages a turn, from now on", () => {
  expect(pollingOf(read())).toMatchObject({ everyMs: 60_000, maxPages: 20, since: undefined });
});

test.each([
  ["without webhooks", {}, 0, false],
  ["with a secret", { WEBHOOK_SECRETS: "s" }, 120_000, true],
  ["with webhooks that nobody signs", { WEBHOOK_AUTH: "none" }, 120_000, true],
  ["none, without a unit", { WEBHOOK_SECRETS: "s", POLL_GRACE: "0" }, 0, true],
  ["with blanks around", { WEBHOOK_SECRETS: "s", POLL_GRACE: " 10S " }, 10_000, true],
  ["as it is told", { WEBHOOK_SECRETS: "s", POLL_GRACE: "10s" }, 10_000, true],
])("the grace %s", (_, env, graceMs, webhooks) => {
  expect(pollingOf(read(env))).toMatchObject({ graceMs, webhooks });
});

test("POLL_SINCE is a time with its zone, or how far back", () => {
  expect(read({ POLL_SINCE: "2h" }).poll.since).toEqual({ backMs: 7_200_000 });
  const at = Date.UTC(2026, 10, 24, 8);
  expect(read({ POLL_SINCE: "2026-11-24T08:00:00Z" }).poll.since).toEqual({ at });
  expect(read({ POLL_SINCE: "2026-11-24T09:00:00+01:00" }).poll.since).toEqual({ at });
});

test("it does not poll when it is switched off, without the role, or without a platform", () => {
  expect(pollingOf(read({ POLL_INTERVAL: "off" }))).toBeUndefined();
  expect(pollingOf(read({ POLL_INTERVAL: " OFF " }))).toBeUndefined();
  expect(pollingOf(read({ POLL_INTERVAL: " 5m " }))).toMatchObject({ everyMs: 300_000 });
  expect(pollingOf(read({ ROLES: "web,dispatch" }))).toBeUndefined();
  const nowhere = readConfig({ ROLES: "poll" });
  expect(pollingOf(nowhere)).toBeUndefined();
  expect(missingSettings(nowhere).join("\n")).toMatch(/DESIGNER_CLOUD_URL is not set.*nothing is polled/);
});

test("wrong values are told with what to set in their place", () => {
  expect(
    problemsOf({
      POLL_INTERVAL: "often",
      POLL_GRACE: "soon",
      POLL_SINCE: "2026-11-24 08:00",
      POLL_MAX_PAGES: "0",
    }).toSorted(),
  ).toEqual([
    "POLL_GRACE must be a duration like 500ms, 20s, 1m, 2h or 90d",
    "POLL_INTERVAL must be a duration of at least 1s, like 1m, or off",
    "POLL_MAX_PAGES must be a whole number from 1 to 9999",
    "POLL_SINCE must be a time with its zone like 2026-11-24T08:00:00Z, or a duration back like 2h",
  ]);
  expect(problemsOf({ POLL_INTERVAL: "500ms" })).toEqual(["POLL_INTERVAL must be at least 1s"]);
});

test("a ledger that forgets what the platform still lists is refused while the poller is on", () => {
  expect(problemsOf({ LEDGER_RETENTION: "1h" })).toEqual([
    expect.stringMatching(/^LEDGER_RETENTION must be at least 1h longer.*POLL_INTERVAL be off/),
  ]);
  expect(problemsOf({ LEDGER_RETENTION: "1h", POLL_INTERVAL: "off" })).toEqual([]);
  expect(problemsOf({ LEDGER_RETENTION: "2h" })).toEqual([]);
});
