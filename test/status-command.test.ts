import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, test } from "vitest";
import { readConfig } from "../src/config.ts";
import type { Look } from "../src/look.ts";
import { runDoctor } from "../src/doctor-command.ts";
import { runExplain } from "../src/explain-command.ts";
import { createBreakerStore } from "../src/queues/breaker-store.ts";
import { createGateStore } from "../src/queues/gate-store.ts";
import { keysOf } from "../src/queues/names.ts";
import { startRedisServer } from "../src/redis-server.ts";
import { runStatus } from "../src/status-command.ts";
import { eventually } from "./support/eventually.ts";
import { startScript } from "./support/processes.ts";
import { openRedis, redisUrl } from "./support/redis.ts";
import { releaseLater } from "./support/release.ts";
import { openSite, type Site, untilState } from "./support/relay.ts";

const MAIN = new URL("../src/main.ts", import.meta.url);
const RULES = {
  targets: {
    sales: { connection: 2, schema: "public", rateLimit: { max: 30, per: "1s" } },
    finance: { connection: 3, schema: "reports" },
  },
  rules: [
    {
      name: "orders",
      when: { recipe: 27 },
      publish: [{ target: "sales", table: "orders", action: "load", settleAfter: "1s", deadline: "1s" }],
    },
    {
      name: "ledger",
      when: { recipe: 30 },
      publish: [{ target: "finance", table: "ledger", action: "upsert" }],
    },
  ],
};

const openTenant = () => openSite({ rules: RULES, simulator: { settings: { publishMs: 20 } } });
const status = (site: Site, jobGroupId?: number, json = false, look?: Look) =>
  runStatus(
    { json, ...(jobGroupId !== undefined && { jobGroupId }) },
    readConfig(site.env),
    pino({ level: "silent" }),
    look,
  );

test("before anything ran it says that no process lives, and writes nothing", async () => {
  const site = await openTenant();
  const { text, ok } = await status(site);
  expect(ok).toBe(true);
  expect(text).toMatch(/^Asked: Redis at \S+, namespace \S+\nProcesses: +none lives: nothing is published$/m);
  expect(text).toMatch(/^Rules: +no relay has run with any rules yet$/m);
  expect(text).toMatch(/^Gate: +open$/m);
  expect(text).toMatch(/^Open: +0 tasks, 0 running, none parked$/m);
  const keys = await openRedis().keys(`{${site.namespace}}*`);
  // BullMQ marks each queue that it opens with its version.
  expect(keys.filter((key) => !key.endsWith(":meta"))).toEqual([]);
});

test("it tells processes, rules, gate, targets, queues, what is parked and what waits", async () => {
  const site = await openTenant();
  const relay = await site.start();
  site.simulator.addFault({ kind: "stuck", jobGroupId: 2 });
  await relay.report(2);
  await untilState(site, 2, "parked");
  await site.queue("publish.finance").pause();
  const waiting = site.simulator.createJobGroup({ recipeId: 30, webhook: false });
  await relay.report(waiting);
  await untilState(site, waiting, "planned");
  await site.dispatched(waiting);
  const keys = keysOf(site.namespace);
  const breakers = createBreakerStore(openRedis(), keys);
  for (let n = 0; n < 5; n++) await breakers.failed("sales", "the cluster is full");
  await openRedis().set(keys.gate, "the token was refused", "PX", 60_000);

  const { text } = await status(site);
  expect(text).toMatch(/^Processes: +1$/m);
  expect(text).toMatch(/^Rules: +version [0-9a-f]{12} in all processes$/m);
  expect(text).toMatch(
    /^Gate: +SHUT, asked again in (59|60|1).*, nothing is published: the token was refused$/m,
  );
  expect(text).toMatch(/^Open: +2 tasks, 0 running, 1 PARKED$/m);
  expect(text).toMatch(/^ {2}sales +2 +BREAKER OPEN for \S+ s +/m);
  expect(text).toMatch(/^ {2}finance +3 +PAUSED +1 +0 of 4 +no limit +never$/m);
  expect(text).toMatch(/^ {2}jobgroup-2-2-public-orders +(under )?\S+ s ago +/m);
  expect(text).toMatch(/^ {2}finance +1 +pause +/m);
  expect(text).toMatch(/^ {2}parked +1 /m);

  const json = JSON.parse((await status(site, undefined, true)).text) as object;
  expect(json).toMatchObject({
    open: 2,
    parked: 1,
    processes: [{ rulesVersion: expect.any(String) }],
    rules: { versions: [expect.any(String)] },
    gate: { words: "the token was refused" },
    targets: [
      { name: "finance", paused: true },
      { name: "sales", breaker: { open: true } },
    ],
    parkedTasks: [{ id: "jobgroup-2-2-public-orders" }],
    figures: { all: { hour: { parked: 1 } } },
    now: expect.stringMatching(/^\d{4}-.*Z$/),
  });

  const story = await status(site, 2);
  expect(story.text).toMatch(/^Job group 2: published 0 of 1, 1 parked$/m);
  expect(story.text).toMatch(/^Reported: +by webhook, .*, 1 report$/m);
  expect(story.text).toMatch(/^Dispatch: +dispatched\. Job group 2: 1 new publish task$/m);
  expect(story.text).toMatch(/^ {2}jobgroup-2-2-public-orders +sales +public\.orders +load +parked +\S/m);
  expect(story.text).toMatch(/^Steps of jobgroup-2-2-public-orders:$/m);
  const asked = { redis: `Redis at ${new URL(redisUrl()).host}`, namespace: site.namespace };
  expect(JSON.parse((await status(site, 2, true)).text)).toEqual(
    JSON.parse(JSON.stringify({ asked, ...((await relay.story(2)) as object) })),
  );
  expect(json).toMatchObject({ asked });
  const askedLine = `Asked: ${asked.redis}, namespace ${asked.namespace}`;
  for (const said of [text, story.text]) expect(said.split("\n")[0]).toBe(askedLine);
});

test("a platform that refuses the token shows as such between two tries as well, and on what waits for it", async () => {
  const site = await openTenant();
  site.simulator.set({ tokens: [{ token: "another" }] });
  const relay = await site.start();
  await relay.report(2);
  const keys = keysOf(site.namespace);
  const gate = createGateStore(openRedis(), keys);
  await eventually(async () => (await gate.look()).ms > 0);
  const shut =
    /^Gate: +SHUT since 20\S+Z, asked again (in [\d.]+ s|by the next call), nothing is published: .*401/m;
  expect((await status(site)).text).toMatch(shut);
  await relay.stop();
  // As it stands when a try is due and none has ended.
  await openRedis().del(keys.gate);
  expect((await status(site)).text).toMatch(shut);
  expect((await status(site, 2)).text).toMatch(
    /^Dispatch: +not done yet\. The gate to the platform is shut: .*401/m,
  );
  const explained = await runExplain(
    { jobGroupId: 2, json: false },
    readConfig(site.env),
    pino({ level: "silent" }),
  );
  expect(explained.text).toMatch(/^Gate: +SHUT since 20\S+Z, asked again by the next call, .*401/m);

  site.simulator.set({ tokens: [{ token: "simulator-token" }] });
  const again = await site.start();
  await site.ended(2);
  await eventually(async () => /^Gate: +open$/m.test((await status(site)).text));
  await again.stop();
});

test("a job group that the platform does not know yet is told as what dispatch waits for", async () => {
  const site = await openTenant();
  const relay = await site.start();
  await relay.report(4_711);
  const told =
    /^Dispatch: +not done yet\. 20\S+ The platform does not know job group 4711 yet; looking again in 5 s$/m;
  await eventually(async () => told.test((await status(site, 4_711)).text));
  expect(await relay.story(4_711)).toMatchObject({
    completion: { outcome: "open", waits: expect.stringContaining("does not know job group 4711 yet") },
  });
});

test("of a publish whose answer was lost it says that it is looked for", async () => {
  const site = await openTenant();
  const lost = site.simulator.createJobGroup({ recipeId: 30, webhook: false });
  site.simulator.addFault({ kind: "drop", jobGroupId: lost });
  const relay = await site.start();
  await relay.report(lost);
  const told =
    /^Oldest: .*: Whether its publish was applied is looked for before anything is sent again: \S/m;
  await eventually(async () => told.test((await status(site)).text));
});

test("a job group that nobody reported ends with 1; so does a Redis that is away", async () => {
  const site = await openTenant();
  const unknown = await status(site, 4_711);
  expect(unknown).toMatchObject({
    ok: false,
    text: expect.stringContaining("Nothing is known of job group 4711"),
  });
  expect(JSON.parse((await status(site, 4_711, true)).text)).toMatchObject({ known: false });
  const away = startScript(MAIN, {
    args: ["status"],
    env: { ...site.env, REDIS_URL: "redis://127.0.0.1:1" },
  });
  expect(await away.exited).toMatchObject({ code: 1 });
  expect(away.output().trim()).toBe(
    "Redis at 127.0.0.1:1 is not there (nobody listens at that port): start it, or correct REDIS_URL; nothing can be told",
  );
});

test("in a folder where no relay ran there is nothing to look at, and nothing is made", async () => {
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-nowhere-"));
  releaseLater(() => rm(folder, { recursive: true, force: true }));
  const site = await openTenant();
  const dataDir = join(folder, "data");
  const config = readConfig({ ...site.env, REDIS_URL: "", DATA_DIR: dataDir });
  const log = pino({ level: "silent" });
  const words = `There is no Redis of the relay under ${join(dataDir, "redis")}: start the relay there, or set REDIS_URL or DATA_DIR`;
  await expect(runStatus({ json: false }, config, log)).rejects.toThrow(words);
  await expect(runExplain({ jobGroupId: 2, json: false }, config, log)).rejects.toThrow(words);
  const { text } = await runDoctor({ json: true }, config, log);
  const { findings } = JSON.parse(text) as { findings: { part: string }[] };
  expect(findings.filter(({ part }) => part === "redis")).toEqual([
    { part: "redis", check: "answers", verdict: "not tested", words },
  ]);
  expect(await readdir(folder)).toEqual([]);

  // One that is there is looked at, though no relay runs.
  const own = await startRedisServer({ dataDir: join(dataDir, "redis") });
  await own.stop();
  expect((await runStatus({ json: false }, config, log)).text).toContain(
    `Asked: the relay's own Redis under ${join(dataDir, "redis")}, namespace ${site.namespace}\n`,
  );
});

test("a rules file with a mistake does not keep it from telling", async () => {
  const site = await openTenant();
  const broken = { ...site, env: { ...site.env, RULES_FILE: "/nowhere/rules.yaml" } };
  expect((await status(broken)).ok).toBe(true);
});

test("states are painted on a terminal", async () => {
  const site = await openTenant();
  const painted: string[] = [];
  const look: Look = { paint: (style, text) => (painted.push(`${style} ${text}`), text) };
  await status(site, undefined, false, look);
  expect(painted).toContain("bad none lives: nothing is published");
  expect(painted).toContain("good open");
});
