import { beforeAll, expect, it } from "vitest";
import { keysOf } from "../src/queues/names.ts";
import { PLANNED, writeTaskRecord } from "../src/queues/record.ts";
import { eventually } from "./support/eventually.ts";
import { openRedis } from "./support/redis.ts";
import { type LocalRelay, openSite, type Site } from "./support/relay.ts";

const MINUTE_MS = 60_000;

const load = (target: string, table: string) => ({ target, table, action: "load" });
const RULES = {
  targets: {
    finance: { connection: 2, schema: "finance" },
    archive: { connection: 2, schema: "archive" },
    sales: { connection: 2, schema: "sales", freshness: "15m" },
  },
  rules: [
    {
      name: "pair",
      when: { labels: { to: "pair" } },
      publish: [load("archive", "one"), load("sales", "two")],
    },
  ],
};

let site: Site;
let relay: LocalRelay;

const page = async (path = "/") => plain(await (await fetch(relay.url + path)).text());
const plain = (text: string) =>
  text
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll("&#39;", "'")
    .replaceAll(/\s+/g, " ");
const until = (words: RegExp, path = "/") =>
  eventually(
    async () => {
      const text = await page(path);
      if (!words.test(text)) throw new Error(text);
      return text;
    },
    { timeoutMs: 10_000, everyMs: 150, what: `${path} says ${words}` },
  );

/** Tasks as the record holds them, of job groups that finished so long ago. */
async function plant(
  target: string,
  ids: readonly number[],
  ageMs: number,
  state: object = {},
): Promise<void> {
  const redis = openRedis(site.env["REDIS_URL"] ?? "");
  const keys = keysOf(site.namespace);
  const at = Date.now() - ageMs;
  const pipeline = redis.pipeline();
  for (const id of ids) {
    const field = `task:2/${target}/planted`;
    const plan = {
      jobGroupId: id,
      target,
      schema: target,
      table: "planted",
      finishedAt: at,
      deadlineMs: 360 * MINUTE_MS,
      priority: 0,
    };
    const record = writeTaskRecord({ ...PLANNED, ...state });
    pipeline.hset(
      keys.group(id),
      field,
      record,
      `plan:${field}`,
      JSON.stringify(plan),
      `wait:${field}`,
      `queue ${at} `,
    );
    pipeline.zadd(
      keys.open,
      at * 1_000,
      `publish.${target}\tjobgroup-${id}-2-${target}-planted\t${id}\t${field}`,
    );
  }
  await pipeline.exec();
}

beforeAll(async () => {
  site = await openSite({
    rules: RULES,
    simulator: { settings: { publishMs: 60, appearMs: 1, sameTarget: "append", concurrent: "append" } },
  });
  relay = await site.start();
});

it("what holds up one target is named however many tasks wait for another", async () => {
  await site.queue("publish.finance").pause();
  await plant(
    "finance",
    Array.from({ length: 260 }, (_, i) => 900_000 + i),
    5 * MINUTE_MS,
  );
  for (const table of ["one", "two"]) site.simulator.addFault({ kind: "long", table, ms: 600_000, times: 1 });
  const id = site.simulator.createJobGroup({ recipeId: 27, webhook: false });
  await relay.report(id, { to: "pair" });
  const text = await until(/1 task for (?:archive|sales) waits because the job group is busy/);
  expect(text).toContain("Target finance is paused");
});

it("a publish that never ends is held up, with since when and what to look at", async () => {
  const sentAt = Date.now() - 11 * MINUTE_MS;
  await plant("archive", [910_000], 20 * MINUTE_MS, { state: "submitted", submittingAt: sentAt });
  const text = await until(/A publish to target archive runs for 11 min/);
  expect(text).toMatch(/Since \d\d:\d\d:\d\d \(11 min ago\) \. archive.planted of job group 910000 was sent/);
  await plant("archive", [910_000], 20 * MINUTE_MS, {
    state: "submitted",
    submittingAt: sentAt + 2 * MINUTE_MS,
  });
  expect(await page()).not.toContain("A publish to target archive runs");
});

it("the oldest that is not published may be parked, or not dispatched", async () => {
  await plant("archive", [910_001], 60 * MINUTE_MS, {
    state: "parked",
    endedAt: Date.now(),
    words: "cannot be told",
  });
  expect(await page()).toMatch(
    /Oldest not published 1 h Job group 910001, archive.planted : parked. Cannot be told/,
  );
  const redis = openRedis(site.env["REDIS_URL"] ?? "");
  await redis.zadd(keysOf(site.namespace).unhandled, (Date.now() - 120 * MINUTE_MS) * 1_000, "910002");
  const text = await page();
  expect(text).toMatch(/Oldest not published 2 h Job group 910002 : not dispatched yet/);
  expect(text).toContain("The oldest that is not published was reported 2 h ago and is not dispatched yet.");
  await redis.zrem(keysOf(site.namespace).unhandled, "910002");
});

it("freshness is compared as it is shown, and what is over the goal and not published is a miss", async () => {
  const redis = openRedis(site.env["REDIS_URL"] ?? "");
  const minute = keysOf(site.namespace).ended("m", Math.floor(Date.now() / MINUTE_MS));
  const took = (ms: number) => `sales\tf${Math.ceil(Math.log(ms) / Math.log(1.25))}`;
  await redis.hset(minute, took(14.5 * MINUTE_MS), "9");
  expect(await page()).toContain("15 min / 15 min / 15 min ✓ in goal goal 15 min");
  await redis.hset(minute, took(17 * MINUTE_MS), "9");
  expect(await page()).toContain("15 min / 18 min / 18 min ▲ over goal goal 15 min");
  await redis.del(minute);
  await plant("sales", [910_010, 910_011], 16 * MINUTE_MS, { state: "parked", endedAt: Date.now() });
  expect(await page()).toMatch(/nothing published ▲ 2 not published are over the goal already goal 15 min/);
});

it("a target that is paused and whose breaker is open tries nothing again", async () => {
  const redis = openRedis(site.env["REDIS_URL"] ?? "");
  const breaker = keysOf(site.namespace).breaker("finance");
  await redis.hset(breaker, "failures", "5", "openUntil", "1", "words", "disk full");
  const text = await page();
  expect(text).toContain("Nothing tries again before the target is resumed.");
  expect(text).not.toContain("One publish tries again now");
});
