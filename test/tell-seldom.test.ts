import { expect, test } from "vitest";
import { readConfig } from "../src/config.ts";
import { NO_NOTICES } from "../src/notifications/notices.ts";
import type { GateStore } from "../src/queues/gate-store.ts";
import { openPlatform } from "../src/relay-platform.ts";
import { createRelay } from "../src/relay.ts";
import { createTellSeldom } from "../src/tell-seldom.ts";
import { eventually } from "./support/eventually.ts";
import { createKeptLog } from "./support/logged.ts";
import { openSite } from "./support/relay.ts";
import { releaseLater } from "./support/release.ts";

const rules = {
  targets: { sales: { connection: 2, schema: "public" } },
  rules: [{ name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] }],
};

test("what lasts is told at first, then once in ten minutes, and after its end at once", () => {
  let now = 1_000;
  const { isDue, over } = createTellSeldom(() => now);
  expect([isDue("away"), isDue("away"), isDue("unauthorized"), isDue("away")]).toEqual([
    true,
    false,
    true,
    false,
  ]);
  now += 600_000;
  expect([isDue("away"), isDue("away")]).toEqual([true, false]);
  over();
  expect([isDue("away"), isDue("away")]).toEqual([true, false]);
});

async function openLogged(env: Readonly<Record<string, string>> = {}) {
  const site = await openSite({ rules, env });
  const { log, lines } = createKeptLog();
  return {
    site,
    log,
    levelsOf: (msg: RegExp) => lines.filter((one) => msg.test(String(one["msg"]))).map(({ level }) => level),
  };
}

test("a gate that shuts again and again is one line of level error, and one more when it opens", async () => {
  const { site, log, levelsOf } = await openLogged();
  let inARow = 0;
  const store: GateStore = {
    shut: () => Promise.resolve({ mine: true, ms: 5_000, inARow: ++inARow }),
    answered: () => Promise.resolve(),
    look: () => Promise.resolve({ ms: 0, words: "", reason: "" }),
  };
  const platform = openPlatform(readConfig(site.env), store, log, NO_NOTICES);
  releaseLater(() => platform.close());
  const refused = site.simulator.addFault({ kind: "status", status: 401, on: "any" });
  const ask = () => platform.listFinished({ since: 0, limit: 1, offset: 0 });
  for (let i = 0; i < 3; i++) await expect(ask()).rejects.toThrow("401");
  site.simulator.clearFaults(refused);
  for (let i = 0; i < 3; i++) await ask();
  expect(levelsOf(/^the gate to the platform is shut/)).toEqual([50, 20, 20]);
  expect(levelsOf(/^the gate to the platform is open again/)).toEqual([30]);
});

test("a list that the poller is refused at each turn is one line of level error", async () => {
  const { site, log, levelsOf } = await openLogged({ POLL_INTERVAL: "1s" });
  const relay = createRelay(readConfig(site.env), log);
  releaseLater(() => relay.stop());
  site.simulator.addFault({ kind: "status", status: 403, on: "any" });
  await relay.start();
  const told = /^the poller could not read/;
  await eventually(() => levelsOf(told).length >= 2, { what: "two turns" });
  expect(levelsOf(told).slice(0, 2)).toEqual([50, 20]);
});
