import { setTimeout as wait } from "node:timers/promises";
import type { LoggedRequest } from "../simulator/request-log.ts";
import { expect, test } from "vitest";
import { keysOf } from "../src/queues/names.ts";
import { createLookAtOpenTasks } from "../src/queues/open-tasks.ts";
import { eventually } from "./support/eventually.ts";
import { startScript } from "./support/processes.ts";
import { openRedis } from "./support/redis.ts";
import { nextRequest, openSite, type Site, statesOf } from "./support/relay.ts";
import { allEnded, inShort, replay } from "./support/replays.ts";

const SETTINGS = { publishMs: 20, appearMs: 10, sameTarget: "append", concurrent: "append" } as const;

const connectionOf = ({ body }: LoggedRequest): number =>
  (body as { connection: { id: number } }).connection.id;

const make = (site: Site, n: number): number[] =>
  Array.from({ length: n }, () => site.simulator.createJobGroup());

test("completions that come by themselves stay ahead of 20 that are replayed, at each paced target", async () => {
  const site = await openSite({
    rules: {
      targets: {
        sales: { connection: 2, schema: "public", rateLimit: { max: 5, per: "1s" } },
        finance: { connection: 3, schema: "public", rateLimit: { max: 5, per: "1s" } },
      },
      rules: [
        {
          name: "all",
          when: "all",
          publish: [
            { target: "sales", table: "orders", action: "load" },
            { target: "finance", table: "copy_{jobGroupId}", action: "truncateAndLoad" },
          ],
        },
      ],
    },
    simulator: { settings: SETTINGS },
  });
  const replayed = make(site, 20);
  const relay = await site.start();
  const begun = nextRequest(site.simulator);
  await replay(site, { jobGroupIds: replayed, yes: true });
  await begun;
  // However slow the machine is, no more of them are begun before the others are there.
  const queues = ["sales", "finance"].map((target) => site.queue(`publish.${target}`));
  await Promise.all(queues.map((queue) => queue.pause()));
  const live = make(site, 5);
  for (const id of live) await relay.report(id);
  await eventually(async () => {
    const tasks = await Promise.all(live.map((id) => site.tasks(id)));
    return tasks.every((all) => all.length === 2);
  });
  const before = site.simulator.requests({ kind: "publish" }).length;
  expect(before, "replayed before there was anything else").toBeLessThan(20);
  await Promise.all(queues.map((queue) => queue.resume()));
  await allEnded(site, live);
  const since = site.simulator.requests({ kind: "publish" }).slice(before);
  for (const connection of [2, 3]) {
    const ids = since
      .filter((one) => connectionOf(one) === connection)
      .map(({ jobGroupId }) => jobGroupId ?? 0);
    const last = ids.findLastIndex((id) => live.includes(id));
    // What had its start when they came goes its way, however slow the machine is.
    const ahead = ids.slice(0, last).filter((id) => replayed.includes(id)).length;
    expect([connection, ahead <= 2 ? "two at most" : ids]).toEqual([connection, "two at most"]);
  }
  await allEnded(site, replayed);
  for (const id of [...live, ...replayed]) expect(site.puts(id)).toHaveLength(2);
  // Those that were woken too.
  for (const target of ["sales", "finance"]) {
    const jobs = await site.queue(`publish.${target}`).getJobs();
    const mine = jobs.filter(({ data }) => replayed.includes(data.jobGroupId));
    expect(mine.map(({ priority }) => priority)).toEqual(replayed.map(() => 2_000));
  }
}, 30_000);

const MAIN = new URL("../src/main.ts", import.meta.url);
const LOAD = { target: "sales", table: "orders", action: "load", attempts: 1 };
const ONE_TABLE = {
  targets: { sales: { connection: 2, schema: "public" } },
  rules: [
    {
      name: "all",
      when: "all",
      publish: [{ target: "sales", table: "orders", action: "truncateAndLoad", attempts: 1 }],
    },
  ],
};

test("into one table the older results are replayed first, and none over newer ones, by force either", async () => {
  const site = await openSite({ rules: ONE_TABLE, simulator: { settings: SETTINGS } });
  const [older = 0, newer = 0, newest = 0] = make(site, 3);
  site.simulator.addFault({ kind: "status", status: 403 });
  const relay = await site.start();
  for (const id of [older, newer]) await relay.report(id);
  const failed = [...(await site.ended(older)), ...(await site.ended(newer))];
  expect(statesOf(failed)).toEqual(["sales failed", "sales failed"]);
  site.simulator.clearFaults();
  site.simulator.clearRequests();
  const both = await replay(site, { jobGroupIds: [newer, older], failed: true, yes: true });
  expect(inShort(both.lines)).toEqual(["sales failed -> publish", "sales failed -> publish"]);
  await allEnded(site, [older, newer]);
  const order = site.simulator.requests({ kind: "publish" }).map(({ jobGroupId }) => jobGroupId);
  expect(order).toEqual([older, newer]);

  await relay.report(newest);
  await site.ended(newest);
  const forced = await replay(site, { jobGroupIds: [older, newer, newest], force: true, yes: true });
  expect(forced.lines.map(({ jobGroupId, does }) => [jobGroupId, does])).toEqual([
    [older, "nothing"],
    [newer, "nothing"],
    [newest, "publish"],
  ]);
  await allEnded(site, [newest]);
  expect([older, newer, newest].map((id) => site.puts(id).length)).toEqual([1, 1, 2]);
});

test("a replayed task keeps no newer completion from their table, and then stays out of it", async () => {
  const site = await openSite({ rules: ONE_TABLE, simulator: { settings: SETTINGS } });
  const [older = 0, newer = 0] = make(site, 2);
  const relay = await site.start();
  const queue = site.queue("publish.sales");
  await queue.pause();
  await replay(site, { jobGroupIds: [older], yes: true });
  await relay.report(newer);
  await site.dispatched(newer);
  await queue.resume();
  await allEnded(site, [older, newer]);
  expect(statesOf(await site.tasks(newer))).toEqual(["sales published"]);
  expect(statesOf(await site.tasks(older))).toEqual(["sales superseded"]);
  expect(site.puts(older)).toHaveLength(0);
});

/** The sweep leaves alone what was planned just now. */
async function makeOlder({ namespace }: Site): Promise<void> {
  const redis = openRedis();
  const { open } = keysOf(namespace);
  for (const task of await redis.zrange(open, "0", "-1")) await redis.zincrby(open, -60_000_000, task);
}

test("a replay that is killed in the middle is done once, whether it is asked for again or not", async () => {
  const site = await openSite({
    rules: { ...ONE_TABLE, rules: [{ ...ONE_TABLE.rules[0], publish: [LOAD] }] },
    simulator: { settings: { ...SETTINGS, publishMs: 0 } },
  });
  const failed = make(site, 15);
  const fresh = make(site, 15);
  const ids = [...failed, ...fresh];
  site.simulator.addFault({ kind: "status", status: 403 });
  const relay = await site.start();
  for (const id of failed) await relay.report(id);
  await Promise.all(failed.map((id) => site.ended(id)));
  site.simulator.clearFaults();
  site.simulator.clearRequests();
  const queue = site.queue("publish.sales");
  await queue.pause();

  const command = startScript(MAIN, { args: ["replay", ...ids.map(String), "--yes"], env: site.env });
  await eventually(async () => (await queue.getPrioritizedCount()) > 0, { timeoutMs: 20_000, everyMs: 1 });
  await command.kill();
  const waiting = await queue.getJobs(["prioritized", "waiting"]);
  // One more that was killed between the record and the job.
  await queue.remove(String(waiting[0]?.id));

  const again = await replay(site, { jobGroupIds: ids, yes: true });
  const states = new Set(again.lines.map(({ state }) => state));
  expect(states.has("waiting")).toBe(true);
  await queue.resume();
  await makeOlder(site);
  await relay.stop();
  await site.start();
  await Promise.all(ids.map((id) => site.ended(id)));
  expect(ids.map((id) => site.puts(id).length)).toEqual(ids.map(() => 1));
  const jobs = await queue.getJobs();
  expect(new Set(jobs.map(({ opts }) => opts.priority))).toEqual(new Set([2_000]));
}, 60_000);

test("what was replayed counts for no freshness, neither while it is open nor when it is published", async () => {
  const site = await openSite({ rules: ONE_TABLE, simulator: { settings: SETTINGS } });
  const [old = 0, live = 0] = make(site, 2);
  const relay = await site.start();
  const queue = site.queue("publish.sales");
  await queue.pause();
  await replay(site, { jobGroupIds: [old], yes: true });
  await relay.report(live);
  await site.dispatched(live);
  await wait(5);
  const look = createLookAtOpenTasks(openRedis(), keysOf(site.namespace));
  expect((await look(new Map([["sales", 1]]))).get("sales")).toMatchObject({
    late: 1,
    oldest: { jobGroupId: live },
  });
  await queue.resume();
  await site.ended(live);
  const again = await replay(site, { jobGroupIds: [live], force: true, yes: true });
  expect(again.lines).toMatchObject([{ does: "publish" }]);
  await allEnded(site, [old, live]);
  expect(site.puts(live)).toHaveLength(2);
  const metrics = await (await fetch(`${relay.url}/metrics`)).text();
  expect(metrics).toMatch(/^publish_relay_freshness_seconds_count\{target="sales"\} 1$/m);
});
