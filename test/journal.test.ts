import { expect, test } from "vitest";
import { createGroupIndex } from "../src/queues/group-index.ts";
import { createHolds } from "../src/queues/holds.ts";
import { keysOf } from "../src/queues/names.ts";
import { createTally } from "../src/queues/tally.ts";
import { eventually } from "./support/eventually.ts";
import { newNamespace, openRedis } from "./support/redis.ts";
import { only, openSite, type Site, type SiteOptions } from "./support/relay.ts";

const rules = (target: object = {}, publish: object[] = [{}]) => ({
  targets: { sales: { connection: 2, schema: "public", ...target } },
  rules: [
    {
      name: "orders",
      when: "all",
      publish: publish.map((more) => ({
        target: "sales",
        table: "orders_{jobGroupId}",
        action: "load",
        ...more,
      })),
    },
  ],
});

/** A platform with three finished job groups: 42, 43 and 44. */
const open = async (options: SiteOptions): Promise<Site> => {
  const site = await openSite(options);
  for (const id of [42, 43, 44]) site.simulator.createJobGroup({ id });
  return site;
};

const waitsOf = async (site: Site, id: number) => only(await site.tasks(id)).waits;
const indexOf = ({ namespace }: Site) => createGroupIndex(openRedis(), keysOf(namespace));

test("a task that waited for its target's pace says so, and for how long", async () => {
  const site = await open({ rules: rules({ rateLimit: { max: 1, per: "1s" }, concurrency: 1 }) });
  const relay = await site.start();
  await Promise.all([42, 43, 44].map((id) => relay.report(id)));
  const tasks = (await Promise.all([42, 43, 44].map((id) => site.ended(id)))).flat();
  const byPace = tasks.map(({ waits }) => waits.over.pace ?? 0).toSorted((a, b) => a - b);
  expect(byPace[2]).toBeGreaterThan(1_000);
  for (const { waits } of tasks) expect(waits.now).toBeUndefined();
  const told = await (await fetch(`${relay.url}/metrics`)).text();
  const seconds = /^publish_relay_wait_seconds_total\{target="sales",cause="pace"\} ([\d.]+)$/m.exec(
    told,
  )?.[1];
  expect(Number(seconds)).toBeCloseTo(byPace.reduce((sum, ms) => sum + ms, 0) / 1_000, 3);
});

test("a task that waits in a paused target is told from one that waits for a free place", async () => {
  const site = await open({
    rules: rules({ concurrency: 1 }),
    simulator: { settings: { publishMs: 700 } },
  });
  const relay = await site.start();
  const queue = site.queue("publish.sales");
  await queue.pause();
  const holds = createHolds(openRedis(), keysOf(site.namespace));
  await holds.notePauses(["sales"]);
  await relay.report(42);
  await relay.report(43);
  await eventually(async () => (await waitsOf(site, 43)).now?.cause === "queue");
  expect(await holds.look("sales")).toMatchObject({ cause: "pause" });
  const pausedUntil = Date.now() + 600;
  await eventually(() => Promise.resolve(Date.now() > pausedUntil));
  await holds.notePauses(["sales"]);
  await queue.resume();
  await holds.notePauses(["sales"]);
  const tasks = [...(await site.ended(42)), ...(await site.ended(43))];
  for (const { waits } of tasks) expect(waits.over.pause).toBeGreaterThan(500);
  expect(tasks.some(({ waits }) => (waits.over.slots ?? 0) > 400)).toBe(true);
});

test("a pause and a resume are noted whoever looks, and a pause that goes on keeps its start", async () => {
  const site = await open({ rules: rules() });
  const queue = site.queue("publish.sales");
  const [watcher, page] = [1, 2].map(() => createHolds(openRedis(), keysOf(site.namespace)));
  await watcher?.notePauses(["sales"]);
  await queue.pause();
  await page?.notePauses(["sales"]);
  const paused = await watcher?.look("sales");
  expect(paused).toMatchObject({ cause: "pause" });
  await watcher?.notePauses(["sales"]);
  expect(await watcher?.look("sales")).toEqual(paused);
  await queue.resume();
  await watcher?.notePauses(["sales"]);
  expect(await watcher?.look("sales")).toBeUndefined();
  await queue.pause();
  await page?.notePauses(["sales"]);
  await queue.resume();
  await watcher?.notePauses(["sales"]);
  expect(await watcher?.look("sales")).toBeUndefined();
});

test("tasks of one job group say which of them they wait for", async () => {
  const site = await open({
    rules: rules({}, [{}, { table: "other_{jobGroupId}" }]),
    simulator: { settings: { publishMs: 800 } },
  });
  const relay = await site.start();
  await relay.report(42);
  await eventually(async () => (await site.tasks(42)).some(({ waits }) => waits.now?.cause === "group"));
  const tasks = await site.ended(42, 2);
  expect(tasks.filter(({ waits }) => (waits.over.group ?? 0) > 500)).toHaveLength(1);
});

test("what ended is counted by target, and how fresh it was", async () => {
  const site = await open({ rules: rules() });
  site.simulator.addFault({ kind: "status", status: 403, times: 1 });
  const relay = await site.start();
  for (const id of [42, 43, 44]) {
    await relay.report(id);
    await site.ended(id);
  }
  const figures = await createTally(openRedis(), keysOf(site.namespace)).read();
  expect(figures.all.hour).toMatchObject({ published: 2, failed: 1, parked: 0, superseded: 0 });
  expect(figures.targets.get("sales")?.day).toMatchObject({ published: 2, failed: 1 });
  expect(figures.all.hour.freshness?.p50).toBeGreaterThan(0);
});

test("job groups are found by target, rule, table and state, the newest first", async () => {
  const site = await open({ rules: rules() });
  site.simulator.addFault({ kind: "status", status: 403, times: 1 });
  const relay = await site.start();
  for (const id of [42, 43, 44]) {
    await relay.report(id);
    await site.ended(id);
  }
  const index = indexOf(site);
  const ids = async (query: object) => (await index.page({ limit: 10, ...query })).ids;
  expect(await ids({})).toEqual([44, 43, 42]);
  expect(await ids({ target: "sales", rule: "orders" })).toEqual([44, 43, 42]);
  expect(await ids({ state: "failed" })).toEqual([42]);
  expect(await ids({ state: "published" })).toEqual([44, 43]);
  expect(await ids({ state: "open" })).toEqual([]);
  expect(await ids({ state: "reported" })).toEqual([]);
  expect(await ids({ table: "ORDERS_43", state: "published" })).toEqual([43]);
  expect(await ids({ target: "nobody" })).toEqual([]);
});

test("pages of job groups go on where the page before ended, and leave nothing out", async () => {
  const site = await open({ rules: rules() });
  const redis = openRedis();
  const keys = keysOf(site.namespace);
  // Many in one moment, as after a batch.
  await redis.zadd(
    keys.groups(),
    ...Array.from({ length: 90 }, (_, i) => [1_000 + Math.floor(i / 7), i + 1]).flat(),
  );
  await redis.zadd(
    keys.groups("state:open"),
    ...Array.from({ length: 30 }, (_, i) => [1_000 + Math.floor((i * 3) / 7), i * 3 + 1]).flat(),
  );
  const index = indexOf(site);
  const walk = async (query: object) => {
    const all: number[] = [];
    let before: string | undefined;
    do {
      const page = await index.page({ limit: 4, ...query, ...(before !== undefined && { before }) });
      all.push(...page.ids);
      before = page.next;
    } while (before !== undefined);
    return all;
  };
  const everything = await walk({});
  expect(everything.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 90 }, (_, i) => i + 1));
  expect(everything.slice(0, 6).every((id) => id > 84)).toBe(true);
  const some = await walk({ state: "open" });
  expect(some.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, i) => i * 3 + 1));
});

test("job groups that were reported in one moment are all found, page by page, in one list or two", async () => {
  const redis = openRedis();
  const keys = keysOf(newNamespace());
  const pairs = Array.from({ length: 1_200 }, (_, n) => ["1000", String(n + 1)]);
  await redis.zadd(keys.groups(), ...pairs.flat(), "999", "5000");
  await redis.zadd(keys.groups("state:failed"), ...pairs.slice(0, 1_100).flat(), "999", "5000");
  await redis.zadd(keys.groups("completion:failed"), ...pairs.slice(1_000).flat());
  const index = createGroupIndex(redis, keys);
  for (const [limit, state] of [[100], [700], [300, "failed"]] as const) {
    const found: number[] = [];
    let before: string | undefined;
    do {
      const page = await index.page({ limit, ...(state && { state }), ...(before && { before }) });
      found.push(...page.ids);
      before = page.next;
    } while (before !== undefined);
    expect(found).toHaveLength(1_201);
    expect(new Set(found).size).toBe(1_201);
    expect(found.at(-1)).toBe(5_000);
  }
});

test("a job group whose record is gone is taken off the lists", async () => {
  const site = await open({ rules: rules() });
  const relay = await site.start();
  await relay.report(42);
  await site.ended(42);
  const redis = openRedis();
  await redis.del(keysOf(site.namespace).group(42));
  const index = indexOf(site);
  await index.forgetGone();
  expect(await index.page({ limit: 5 })).toEqual({ ids: [] });
  expect(await index.count("published")).toBe(0);
});
