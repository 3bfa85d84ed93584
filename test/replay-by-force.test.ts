import { expect, test } from "vitest";
import { keysOf } from "../src/queues/names.ts";
import { PLANNED } from "../src/queues/record.ts";
import { createReplayStore } from "../src/queues/replay-store.ts";
import { eventually } from "./support/eventually.ts";
import { startScript } from "./support/processes.ts";
import { openRedis } from "./support/redis.ts";
import { API_TOKEN, only, openSite, type Site } from "./support/relay.ts";
import { allEnded, evictRecord, inShort, replay } from "./support/replays.ts";

const MAIN = new URL("../src/main.ts", import.meta.url);

const open = (action = "load") =>
  openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" } },
      rules: [
        {
          name: "all",
          when: "all",
          publish: [{ target: "sales", table: "orders", action, attempts: 1 }],
        },
      ],
    },
    simulator: { settings: { publishMs: 5, appearMs: 5, sameTarget: "append", concurrent: "append" } },
  });

/** A site with its relay, and job groups that are published. */
async function published(count = 1) {
  const site = await open();
  const ids = Array.from({ length: count }, () => site.simulator.createJobGroup());
  const relay = await site.start();
  for (const id of ids) await relay.report(id);
  await Promise.all(ids.map((id) => site.ended(id)));
  return { site, ids, relay };
}

const putsOf = (site: Site, ids: readonly number[]): number[] => ids.map((id) => site.puts(id).length);

test("a forced replay that is killed in the middle and asked for again sends each task once more, and not twice", async () => {
  const { site, ids } = await published(15);
  const reason = "the table was emptied";
  const args = ["replay", ...ids.map(String), "--force", "--reason", reason, "--yes"];
  const command = startScript(MAIN, { args, env: site.env });
  // Some were even published by then.
  const sum = (puts: readonly number[]) => puts.reduce((all, n) => all + n, 0);
  await eventually(async () => sum(putsOf(site, ids)) > ids.length, { timeoutMs: 20_000, everyMs: 1 });
  await command.kill();
  await allEnded(site, ids, 60_000);

  const asked = { jobGroupIds: ids, force: true, reason };
  const dry = await replay(site, asked);
  const again = await replay(site, { ...asked, yes: true });
  expect(again.lines.map(({ done: _done, ...line }) => line)).toEqual(dry.lines);
  expect([dry.ok, again.ok]).toEqual([true, true]);
  const before = again.lines.filter(({ does }) => does === "nothing");
  expect(before.length).toBeGreaterThan(0);
  for (const { words, state } of before) {
    expect(state).toBe("published");
    expect(words).toMatch(
      /^done by this replay already, at 2.*Z \(reason: the table was emptied\): say another reason or --key/,
    );
  }
  await allEnded(site, ids);
  expect(putsOf(site, ids)).toEqual(ids.map(() => 2));
}, 90_000);

test("a key names a forced replay, over HTTP and on the command line alike, whatever came since", async () => {
  const { site, ids, relay } = await published();
  const id = only(ids);
  const overHttp = async (key: string, reason: string) => {
    const answer = await fetch(`${relay.url}/v1/replays`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${API_TOKEN}`,
        "content-type": "application/json",
        "idempotency-key": key,
      },
      body: JSON.stringify({ jobGroupIds: ids, force: true, reason, dryRun: false }),
    });
    const { lines = [] } = (await answer.json()) as { lines?: { done: boolean; words: string }[] };
    await allEnded(site, ids);
    return [answer.status, lines[0]?.done, site.puts(id).length];
  };
  const onTheLine = async (key: string | undefined, reason: string) => {
    const { lines } = await replay(site, {
      jobGroupIds: ids,
      force: true,
      reason,
      ...(key && { key }),
      yes: true,
    });
    await allEnded(site, ids);
    return [lines[0]?.done, site.puts(id).length];
  };
  expect(await overHttp('"one"', "emptied")).toEqual([202, true, 2]);
  expect(await overHttp("one", "emptied, as said")).toEqual([202, false, 2]);
  expect(await onTheLine("one", "emptied")).toEqual([false, 2]);
  expect(await onTheLine("two", "emptied")).toEqual([true, 3]);
  expect(await onTheLine("one", "emptied")).toEqual([false, 3]);
  // A reason is a name of its own.
  expect(await onTheLine(undefined, "emptied")).toEqual([true, 4]);
  expect(await onTheLine(undefined, "emptied")).toEqual([false, 4]);
  expect(await overHttp('"', "emptied")).toEqual([400, undefined, 4]);

  const { lines } = await replay(site, { jobGroupIds: ids, force: true, reason: "once more" });
  expect(only(lines).words).toMatch(
    /^sent again by force: its rows will be in the table twice .*\. Replayed by force before, last by ada.* at 2/,
  );
  expect((await site.tasks(id))[0]?.record.decisions).toMatchObject([
    { key: "one" },
    { key: "two" },
    { reason: "emptied" },
  ]);
});

test("two who ask for the same forced replay at once send once, and both are told so", async () => {
  const { site, ids } = await published(3);
  const [gone = 0] = ids;
  await evictRecord(site, gone, ["sales"]);
  const queue = site.queue("publish.sales");
  await queue.pause();
  const asked = { jobGroupIds: ids, force: true, reason: "emptied", yes: true };
  const all = await Promise.all([1, 2, 3].map(() => replay(site, asked)));
  expect(all.map(({ ok }) => ok)).toEqual([true, true, true]);
  await queue.resume();
  await allEnded(site, ids);
  expect(putsOf(site, ids)).toEqual([2, 2, 2]);
});

test("what a forced replay sent and what failed then is sent again by no force", async () => {
  const { site, ids } = await published();
  const id = only(ids);
  site.simulator.addFault({ kind: "status", status: 403, times: 1 });
  const asked = { jobGroupIds: ids, force: true, reason: "emptied", yes: true };
  await replay(site, asked);
  await allEnded(site, ids);
  expect((await site.tasks(id))[0]?.record.state).toBe("failed");
  const again = await replay(site, asked);
  expect(inShort(again.lines)).toEqual(["sales failed -> publish"]);
  await allEnded(site, ids);
  expect((await site.tasks(id))[0]?.record.state).toBe("published");
  expect(inShort((await replay(site, asked)).lines)).toEqual(["sales published -> nothing"]);
  expect(site.puts(id)).toHaveLength(3);
});

test("the record itself is asked whether a replay of the name was there, whatever was shown", async () => {
  const { site, ids, relay } = await published();
  await replay(site, { jobGroupIds: ids, force: true, reason: "emptied", key: "one", yes: true });
  await allEnded(site, ids);
  await relay.stop();
  const { plan, json } = only(await site.tasks(only(ids)));
  const store = createReplayStore(openRedis(), keysOf(site.namespace), 60_000);
  const done = { doneAt: expect.any(Number), reason: "emptied" };
  expect(await store.reopen(plan, json, PLANNED, "one")).toEqual(done);
  expect(await store.reopen(plan, "as it was before", PLANNED, "one")).toEqual(done);
  expect(await store.reopen(plan, json, PLANNED, "emptied")).toBe("ok");
  // And it opens none that has not ended, though it was shown so.
  const now = only(await site.tasks(only(ids)));
  expect(now.record.state).toBe("planned");
  expect(await store.reopen(plan, now.json, PLANNED)).toBe("changed");
});
