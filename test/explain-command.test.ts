import { pino } from "pino";
import { expect, test } from "vitest";
import { readConfig } from "../src/config.ts";
import { runExplain } from "../src/explain-command.ts";
import type { Explanation } from "../src/processors/explain-job-group.ts";
import { createBreakerStore } from "../src/queues/breaker-store.ts";
import { keysOf } from "../src/queues/names.ts";
import { startScript } from "./support/processes.ts";
import { openRedis } from "./support/redis.ts";
import { openSite, type Site } from "./support/relay.ts";

const MAIN = new URL("../src/main.ts", import.meta.url);
const RULES = {
  targets: {
    sales: { connection: 2, schema: "public", rateLimit: { max: 1, per: "1h" }, concurrency: 3 },
    finance: { connection: 3, schema: "reports" },
  },
  rules: [
    {
      name: "orders",
      when: { recipe: "ord*", flow: 11 },
      publish: [
        { target: "sales", table: "orders", action: "load" },
        { target: "finance", table: "orders_{jobGroupId}", action: "upsert" },
      ],
    },
    {
      name: "prod-only",
      when: { flow: 11, labels: { env: "prod" } },
      publish: [{ target: "sales", table: "prod", action: "load" }],
    },
    {
      name: "this-one",
      when: { jobGroup: 3 },
      publish: [{ target: "finance", table: "everything", action: "load" }],
    },
    {
      name: "ledger",
      when: { recipe: [30, "led*"] },
      publish: [{ target: "sales", table: "l", action: "load" }],
    },
  ],
};

const openTenant = () => openSite({ rules: RULES, simulator: { settings: { publishMs: 20 } } });

async function explain(site: Site, jobGroupId: number, json: boolean, more: Record<string, string> = {}) {
  return runExplain({ jobGroupId, json }, readConfig({ ...site.env, ...more }), pino({ level: "silent" }));
}
const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
const told = (text: string) => JSON.parse(text) as Explanation;

test("a job group that nobody reported is explained from the platform, and nothing is written", async () => {
  const site = await openTenant();
  const { text, ok } = await explain(site, 2, true);
  expect(ok).toBe(true);
  expect(told(text)).toMatchObject({
    detail: "Nobody reported job group 2 to this relay. 2 publish tasks of job group 2 would be made.",
    platform: { answered: true, known: true, words: "Job group 2 is Complete" },
    facts: { recipe: { id: 27, name: "orders" }, flow: { id: 11 }, labels: {} },
    rules: [
      { name: "orders", matches: true },
      {
        name: "prod-only",
        matches: false,
        failed: { field: "labels.env", wanted: '"prod"', found: "not known" },
      },
      { name: "this-one", matches: false, failed: { field: "jobGroup", wanted: "3", found: "2" } },
      {
        name: "ledger",
        matches: false,
        failed: { field: "recipe", wanted: '30 or "led*"', found: '27 "orders"' },
      },
    ],
    tasks: [
      {
        id: "jobgroup-2-2-public-orders",
        state: "new",
        request: {
          method: "PUT",
          path: "/v4/jobGroups/2/publish",
          exact: true,
          body: {
            connection: { id: 2 },
            path: ["public"],
            table: "orders",
            action: "load",
            inputFormat: "avro",
            flowNodeId: 27,
          },
        },
      },
      { id: "jobgroup-2-3-reports-orders_2", request: { body: { action: "upsert", table: "orders_2" } } },
    ],
    targets: [
      {
        name: "sales",
        connection: 2,
        limits: "not in force yet",
        pace: { max: 1, perMs: 3_600_000, nextStartInMs: 0 },
        concurrency: 3,
        paused: false,
        breaker: { open: false },
        queue: { waiting: 0, delayed: 0, active: 0 },
      },
      { name: "finance", pace: null, concurrency: 4 },
    ],
    record: null,
    fleet: { rulesVersion: null, same: false, words: "no relay has run with any rules yet" },
  });
  // BullMQ marks each queue that it opens with its version.
  const keys = await openRedis().keys(`{${site.namespace}}*`);
  expect(keys.filter((key) => !key.endsWith(":meta"))).toEqual([]);
});

test("what is told to be sent is what then is sent; afterwards the record, the pace, pause and breaker are told", async () => {
  const site = await openTenant();
  const foretold = told((await explain(site, 2, true)).text);
  const relay = await site.start();
  await relay.report(2);
  await site.ended(2, 2);
  const sent = site.puts(2).map(({ body }) => JSON.stringify(body));
  expect(sent.toSorted()).toEqual(
    foretold.tasks.map(({ request }) => JSON.stringify(request.body)).toSorted(),
  );

  await site.queue("publish.sales").pause();
  await relay.report(4_711);
  const breakers = createBreakerStore(openRedis(), keysOf(site.namespace));
  for (let n = 0; n < 5; n++) await breakers.failed("finance", "the cluster is full");
  const found = told((await explain(site, 2, true)).text);
  expect(found).toMatchObject({
    detail: "Nothing would be published again: 2 publish tasks of job group 2 stand in its record.",
    tasks: [{ state: "published" }, { state: "published" }],
    targets: [
      { name: "sales", paused: true, breaker: { open: false } },
      { name: "finance", paused: false, breaker: { open: true, failures: 5, words: "the cluster is full" } },
    ],
    record: { outcome: "dispatched", reportCount: 1, summary: "published 2 of 2" },
    fleet: { rulesVersion: found.rulesVersion, same: true },
  });
  expect(found.targets[0]?.pace?.nextStartInMs).toBeGreaterThan(3_000_000);

  const { text } = await explain(site, 2, false);
  expect(text).toMatch(/^ {2}yes +orders$/m);
  expect(text).toMatch(/^ {2}no +ledger +recipe is 27 "orders", the rule asks for 30 or "led\*"$/m);
  expect(text).toMatch(/^ {2}jobgroup-2-2-public-orders +published +orders /m);
  expect(text).toContain('"table":"orders","action":"load"');
  expect(text).toMatch(/^ {2}sales +2 +PAUSED +1 per 1h, next in \d+ s +3 +0 waiting/m);
  expect(text).toMatch(/^ {2}finance +3 +BREAKER OPEN for [\d.]+ s .*breaker: the cluster is full; limits /m);
  expect(text).toMatch(/made by rules [0-9a-f]{12} from 1 report: webhook .*$/m);
});

test("one that the platform does not know, and a platform that is away, are told plainly and end with 1", async () => {
  const site = await openTenant();
  const command = startScript(MAIN, { args: ["explain", "999"], env: site.env });
  const away = await explain(site, 3, false, { DESIGNER_CLOUD_URL: "http://127.0.0.1:9" });
  expect(away.ok).toBe(false);
  expect(away.text).toContain("(NO FULL ANSWER)");
  expect(away.text).toMatch(/^ {2}cannot be told +orders/m);
  expect(away.text).toMatch(/PUT .*"table":"everything".* \(not exact: the platform gave no full answer\)/);
  expect(await command.exited).toMatchObject({ code: 1 });
  expect(command.output()).toContain(
    "Nobody reported job group 999 to this relay. The platform does not know job group 999",
  );
});

test.each([
  ["Failed", "It would be skipped: job group", true],
  ["InProgress", 'is "InProgress"', false],
] as const)(
  "of a job group that is %s the tasks are told with their bodies and targets, and why they are not sent",
  async (status, why, exact) => {
    const site = await openTenant();
    const id = site.simulator.createJobGroup({ status, webhook: false });
    const found = told((await explain(site, id, true)).text);
    expect(found.tasks).toMatchObject([
      {
        state: "not planned",
        words: expect.stringContaining(why),
        request: {
          exact,
          body: { connection: { id: 2 }, path: ["public"], table: "orders", action: "load", flowNodeId: 27 },
        },
      },
      { state: "not planned", request: { exact, body: { table: `orders_${id}`, action: "upsert" } } },
    ]);
    expect(found.targets.map(({ name }) => name)).toEqual(["sales", "finance"]);
    const { text } = await explain(site, id, false);
    expect(text).toMatch(
      new RegExp(`^ {2}jobgroup-${id}-2-public-orders +not planned +orders +.*${why}`, "m"),
    );
    expect(text.includes("(not exact: what the platform does not know yet may change it)")).toBe(!exact);
  },
);

test("a task whose rule and target are gone is told from the record, with what was sent", async () => {
  const site = await openTenant();
  const relay = await site.start();
  await relay.report(2);
  await site.ended(2, 2);
  const later = await openSite({
    rules: { targets: { other: { connection: 4, schema: "x" } }, rules: [] },
    env: { NAMESPACE: site.namespace, DESIGNER_CLOUD_URL: site.simulator.url },
  });
  const { tasks, targets, fleet, rulesVersion } = told((await explain(later, 2, true)).text);
  expect(tasks).toMatchObject([
    { rule: "orders", state: "published", inRules: false },
    { rule: "orders", state: "published", inRules: false },
  ]);
  // What the fleet goes by holds, whatever the file here says, or does not.
  expect(targets.toSorted(byName)).toMatchObject([
    { inRules: false, limits: "in force", connection: 3, pace: null, concurrency: 4 },
    { inRules: false, limits: "in force", connection: 2, pace: { max: 1, perMs: 3_600_000 }, concurrency: 3 },
  ]);
  expect(targets.find(({ name }) => name === "sales")?.pace?.nextStartInMs).toBeGreaterThan(3_000_000);
  expect(fleet).toMatchObject({ same: false });
  expect(fleet.words).toContain(
    `version ${fleet.rulesVersion}, those asked here are version ${rulesVersion}`,
  );
});

test("limits are those that the fleet goes by, also where the file here says others; what nobody knows is not told as none", async () => {
  const site = await openTenant();
  const relay = await site.start();
  await relay.report(2);
  await site.ended(2, 2);
  const { sales, finance } = RULES.targets;
  const edited = await openSite({
    rules: {
      ...RULES,
      targets: { sales: { ...sales, rateLimit: { max: 9, per: "1s" }, concurrency: 8 }, finance },
    },
    env: { NAMESPACE: site.namespace, DESIGNER_CLOUD_URL: site.simulator.url },
  });
  const { text } = await explain(edited, 2, false);
  expect(text).toMatch(/^ {2}sales +2 +good +1 per 1h, next in \d+ s +3 /m);
  expect(text).toMatch(
    / limits in force, of rules version \w{12}; the rules file here says connection 2, 9 starts per 1s, 8 at once$/m,
  );
  expect(text).toMatch(/Note: +the fleet's newest rules are version \w{12}, those asked here/);

  // As when the target's last task has ended after it left the rules.
  await relay.stop();
  await openRedis().hdel(keysOf(site.namespace).targets, "sales");
  const gone = await openSite({
    rules: { targets: { finance }, rules: [] },
    env: { NAMESPACE: site.namespace, DESIGNER_CLOUD_URL: site.simulator.url },
  });
  const found = told((await explain(gone, 2, true)).text);
  expect(found.targets.toSorted(byName)).toMatchObject([
    { name: "finance", limits: "in force" },
    { name: "sales", limits: "not known", pace: null, concurrency: null },
  ]);
  expect((await explain(gone, 2, false)).text).toMatch(
    /^ {2}sales +not known +good +not known +not known +0 waiting.*; not in the rules here any more$/m,
  );
  // What is in the file here and nowhere else is told as such.
  expect((await explain(edited, 2, false)).text).toMatch(
    /^ {2}sales +2 +good +9 per 1s +8 .* limits of the rules file here, not in force yet/m,
  );
});
