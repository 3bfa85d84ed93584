import { describe, expect, test } from "vitest";
import { createCompletionRecords } from "../src/queues/completion-record.ts";
import { keysOf } from "../src/queues/names.ts";
import { BEGIN, createPollWorld, MINUTE } from "./support/poll-world.ts";
import { newNamespace, openRedis } from "./support/redis.ts";

const HOUR = 60 * MINUTE;
/** A poller that has looked once, so that it knows where it began. */
async function begun(options: Parameters<typeof createPollWorld>[0] = {}) {
  const world = createPollWorld(options);
  await world.turns();
  world.pass(MINUTE);
  world.asked.length = 0;
  return world;
}

describe("where it begins", () => {
  test("the first turn begins now: what finished before is left alone, also by later turns", async () => {
    const world = createPollWorld();
    const before = world.create();
    world.pass(1_500);
    expect(await world.turn()).toMatchObject({ reported: 0, words: "Looked at 1 page, 0 job groups: 0 new" });
    const after = world.create();
    world.pass(MINUTE);
    expect(await world.turn()).toMatchObject({
      reported: 1,
      words: "Looked at 1 page, 1 job group: 1 new",
    });
    expect(world.reportsOf(before)).toEqual([]);
    expect(world.reportsOf(after)).toEqual(["poller"]);
  });

  test("what ended before the first look and is touched by a publish later is left alone, and looked at once", async () => {
    const world = createPollWorld();
    const [before, untold] = world.createMany(2) as [number, number];
    const running = world.create({ status: "InProgress" });
    world.pass(HOUR);
    await world.turns();
    world.pass(HOUR);
    const after = world.create();
    for (const id of [before, after]) world.touch(id);
    world.finish(running);
    expect(await world.turn()).toMatchObject({
      reported: 2,
      words:
        "Looked at 1 page, 3 job groups: 2 new, 1 left alone (ended before the first look, and touched since)",
    });
    world.pass(MINUTE);
    world.touch(before);
    await world.turn();
    expect(world.polled()).toEqual([running, after]);
    // One that was created since needs no look.
    expect(world.jobsAsked).toEqual([running, before]);
    expect(world.reportsOf(untold)).toEqual([]);
  });

  test("what POLL_SINCE asks for is not taken for older when a publish touched it", async () => {
    const world = createPollWorld({ settings: { since: { at: BEGIN + HOUR } } });
    const [old, slow] = world.createMany(2) as [number, number];
    world.pass(2 * HOUR);
    world.finish(slow);
    world.pass(HOUR);
    for (const id of [old, slow]) world.touch(id);
    await world.turns();
    expect(world.polled()).toEqual([slow]);
  });

  test.each([
    ["a time", { at: BEGIN + HOUR }],
    ["how far back", { backMs: HOUR }],
  ])("POLL_SINCE as %s goes back that far, once", async (_, since) => {
    const world = createPollWorld({ settings: { since } });
    world.create();
    world.pass(HOUR + 5_000);
    const wanted = world.create();
    world.pass(HOUR - 5_000);
    await world.turn();
    expect(world.polled()).toEqual([wanted]);
    world.pass(HOUR);
    await world.turn();
    const later = world.asked.at(-1);
    expect(later?.since).toBeGreaterThanOrEqual(BEGIN + HOUR);
    expect(world.polled()).toEqual([wanted]);
  });

  test("without the platform's time it begins five minutes early, for the clocks may differ", async () => {
    const world = createPollWorld({ tellsTime: false, aheadMs: 4 * MINUTE });
    await world.turn();
    const id = world.create();
    await world.turn();
    expect(world.polled()).toEqual([id]);
  });

  test("what finishes while the very first answer is on its way is found", async () => {
    const world = createPollWorld();
    const ids: number[] = [];
    world.whileListing(() => {
      ids.push(world.create());
      world.pass(20_000);
    });
    await world.turn();
    world.whileListing(() => {});
    await world.turn();
    expect(world.polled()).toEqual(ids);
  });

  test("a relay whose clock is an hour ahead, or behind, goes by the platform's time", async () => {
    for (const aheadMs of [HOUR, -HOUR]) {
      const world = await begun({ aheadMs, settings: { graceMs: 2 * MINUTE, webhooks: true } });
      const id = world.create();
      world.pass(MINUTE);
      expect(await world.turn()).toMatchObject({ reported: 0, held: 1 });
      world.pass(MINUTE);
      expect(await world.turn()).toMatchObject({ reported: 1, lost: 1 });
      expect(world.reportsOf(id)).toEqual(["poller"]);
    }
  });
});

describe("pages", () => {
  test("all of an outage are found, page by page, however many", async () => {
    const world = await begun();
    const ids = world.createMany(300);
    world.pass(10 * MINUTE);
    expect(await world.turns()).toMatchObject([{ jobGroups: 300, reported: 300, more: false }]);
    expect(world.polled()).toEqual(ids);
  });

  test.each([
    ["caps its pages", { cap: 7 }],
    ["caps its pages and tells no count", { cap: 7, count: "none" }],
    ["caps its pages at one row", { cap: 1, count: "none" }],
    ["tells no count", { count: "none" }],
    ["counts the page in place of the list", { count: "page" }],
    ["counts the page in place of the list, and caps it", { count: "page", cap: 25 }],
    ["knows no filters", { filters: false }],
    ["knows no filters and tells no count", { filters: false, count: "none", cap: 30 }],
  ] as const)("all are found on a platform that %s", async (_, options) => {
    const world = createPollWorld({ ...options, settings: { maxPages: 3 } });
    world.createMany(120);
    world.pass(MINUTE);
    await world.turns();
    const ids = world.createMany(130);
    world.create({ ranFor: "publish" });
    world.create({ status: "Failed" });
    world.create({ status: "InProgress" });
    world.pass(MINUTE);
    await world.turns();
    expect(world.polled()).toEqual(ids);
  });

  test("rows move down while new job groups come: none is skipped, none reported twice", async () => {
    const world = await begun({ cap: 10 });
    const ids = world.createMany(60);
    world.whileListing(() => void ids.push(...world.createMany(3)));
    await world.turn();
    world.whileListing(() => {});
    world.pass(MINUTE);
    await world.turns();
    expect(world.polled()).toEqual(ids);
    expect(ids.map((id) => world.reportsOf(id).length)).toEqual(ids.map(() => 1));
  });

  test("rows move up while others are removed: pages overlap, so none is skipped", async () => {
    const world = await begun({ count: "none" });
    const ids = world.createMany(250);
    const gone = ids.splice(-30, 18);
    world.whileListing(() => gone.splice(0, 9).forEach(world.remove));
    await world.turn();
    expect(world.polled()).toEqual(expect.arrayContaining(ids));
  });

  test("a full page and more of new ones between two pages is not taken for the end of the list", async () => {
    const world = await begun({ cap: 10, count: "none" });
    const ids = world.createMany(40);
    let came = false;
    world.whileListing(() => {
      if (!came) world.createMany(10);
      came = true;
    });
    await world.turn();
    expect(world.polled()).toEqual(expect.arrayContaining(ids));
  });

  test.each(["all", "none"] as const)(
    "more are removed between two pages than pages overlap by: none of the others is missed (count: %s)",
    async (count) => {
      const world = await begun({ count, cap: 50 });
      const ids = world.createMany(300);
      // The newest go, so that all the others move up.
      const gone = ids.splice(-130);
      world.whileListing(() => gone.splice(-40).forEach(world.remove));
      await world.turns();
      expect(world.polled()).toEqual(expect.arrayContaining(ids));
    },
  );

  test("so many are removed that a page is empty before the end: none of the others is missed", async () => {
    const world = await begun({ count: "none", cap: 50 });
    const ids = world.createMany(120);
    const gone = ids.splice(-60);
    let page = 0;
    world.whileListing(() => {
      if (++page === 2) gone.forEach(world.remove);
    });
    await world.turns();
    expect(world.polled()).toEqual(expect.arrayContaining(ids));
  });

  test("a list of which no page follows another is begun anew with the next turn, and the cursor waits", async () => {
    const world = await begun({ cap: 10, count: "none" });
    const { position } = await world.store.load();
    world.createMany(30);
    const { list } = world.deps;
    let id = 1_000;
    Object.assign(world.deps, {
      list: async (...asked: Parameters<typeof list>) => {
        const page = await list(...asked);
        id -= 20;
        return { ...page, groups: page.groups.map((group, i) => ({ ...group, id: id - i })) };
      },
      sourcesOf: async (ids: readonly number[]) => ids.map(() => "webhook"),
    });
    // Back at its beginning a list is followed from there; here it never gets so far.
    const deep = { ...(await world.store.load()), position: position! };
    const tail = Array.from({ length: 10 }, (_, i) => 9_000 - i);
    const clock = { startedAt: world.now(), highest: world.now() };
    const sweep = { since: 0, offset: 900, tail, dry: false, misses: 0, ...clock };
    await world.store.advance(deep.rev, { position: deep.position, sweep, held: [] });
    expect(await world.turn()).toMatchObject({ pages: 5, more: false });
    const after = await world.store.load();
    expect(after.position).toEqual(position);
    expect(after.sweep).toMatchObject({ offset: 0, tail: [] });
    Object.assign(world.deps, { list });
    expect((await world.turns()).at(-1)).toMatchObject({ more: false });
    expect((await world.store.load()).position?.cursor).toBeGreaterThan(position!.cursor);
  });

  test.each([20, 25, 60])(
    "%i new ones between each two of twelve pages are not taken for the end of a list without a count",
    async (many) => {
      const world = await begun({ cap: 25, count: "none" });
      const ids = world.createMany(300);
      let page = 0;
      world.whileListing(() => {
        if (page++ < 12) world.createMany(many);
      });
      await world.turns();
      expect(world.polled()).toEqual(expect.arrayContaining(ids));
      world.pass(MINUTE);
      await world.turns();
      expect(world.polled()).toEqual(world.complete());
    },
  );

  test.each([1, 2, 20])(
    "a platform that ignores the offset is not asked for ever by %i pages a turn",
    async (maxPages) => {
      const world = await begun({ count: "none", settings: { maxPages } });
      const ids = world.createMany(40);
      const { list } = world.deps;
      Object.assign(world.deps, {
        list: (query: Parameters<typeof list>[0], signal: AbortSignal) =>
          list({ ...query, offset: 0 }, signal),
      });
      const turns = await world.turns();
      expect(turns.reduce((sum, { pages }) => sum + pages, 0)).toBe(3);
      expect(world.polled()).toEqual(ids);
      expect((await world.store.load()).sweep).toBeUndefined();
    },
  );

  test("a row that cannot be read counts as a row: the pages go on behind it", async () => {
    const world = await begun({ cap: 10 });
    const ids = world.createMany(35);
    const { list } = world.deps;
    Object.assign(world.deps, {
      list: async (...asked: Parameters<typeof list>) => {
        const page = await list(...asked);
        const groups = page.groups.filter(({ id }) => id !== ids[20]);
        return { ...page, groups, unreadable: page.groups.length - groups.length };
      },
    });
    expect(await world.turns()).toMatchObject([{ more: false, jobGroups: 34 }]);
  });

  test("a turn reads so many pages; the next goes on there, and the cursor waits for the end", async () => {
    const world = await begun({ cap: 10, settings: { maxPages: 2 } });
    const { position } = await world.store.load();
    const ids = world.createMany(34);
    world.pass(MINUTE);

    const first = await world.turn();
    expect(first).toMatchObject({ pages: 2, jobGroups: 18, reported: 18, more: true });
    expect(first.words).toBe("Looked at 2 pages, 18 job groups: 18 new; more pages follow at once");
    expect((await world.store.load()).position).toEqual(position);
    expect(await world.turn()).toMatchObject({ pages: 2, reported: 16, more: false });
    expect(world.asked.map(({ offset }) => offset)).toEqual([0, 8, 16, 24]);
    expect(new Set(world.asked.map(({ since }) => since)).size).toBe(1);
    expect((await world.store.load()).position?.cursor).toBe(world.now() - MINUTE);
    expect(world.polled()).toEqual(ids);
  });
});

describe("the cursor", () => {
  test("a job group that finishes long after it was created is found", async () => {
    const world = await begun();
    const slow = world.create({ status: "InProgress" });
    for (let hour = 0; hour < 5; hour++) {
      world.createMany(30);
      world.pass(HOUR);
      await world.turns();
    }
    world.finish(slow);
    world.pass(MINUTE);
    await world.turns();
    expect(world.reportsOf(slow)).toEqual(["poller"]);
  });

  test("a job group that shows in the list four minutes late is found", async () => {
    const world = await begun();
    const late = world.create({ shownInMs: 4 * MINUTE });
    for (let minute = 0; minute < 6; minute++) {
      world.create();
      world.pass(MINUTE);
      await world.turn();
    }
    expect(world.reportsOf(late)).toEqual(["poller"]);
  });

  test.each([true, false])(
    "what finishes during a look that takes an hour is found by the next (platform's time told: %s)",
    async (tellsTime) => {
      const world = await begun({ cap: 10, tellsTime, settings: { maxPages: 1 } });
      const slow = world.create({ status: "InProgress" });
      world.createMany(20);
      await world.turn();
      // Its place is on a page that was read already.
      const missed = world.create();
      world.pass(HOUR);
      world.finish(slow);
      await world.turns();
      expect(world.polled()).toContain(slow);
      world.pass(MINUTE);
      await world.turns();
      expect(world.polled()).toContain(missed);
    },
  );

  test("it never moves back, and a time in the future does not carry it away", async () => {
    const world = await begun({ cap: 5 });
    world.pass(HOUR);
    world.create();
    world.pass(-2 * HOUR);
    let cursor = 0;
    for (let minute = 0; minute < 5; minute++) {
      world.create();
      world.pass(MINUTE);
      await world.turns();
      const { position } = await world.store.load();
      expect(position?.cursor).toBeGreaterThanOrEqual(cursor);
      cursor = position?.cursor ?? 0;
      expect(cursor).toBeLessThan(BEGIN + HOUR);
    }
  });

  test("a turn whose place was taken by another writes nothing more", async () => {
    const world = await begun({ cap: 5 });
    const ids = world.createMany(12);
    let other: Promise<unknown> | undefined;
    const { list } = world.deps;
    Object.assign(world.deps, {
      list: async (...asked: Parameters<typeof list>) => {
        const page = await list(...asked);
        // While this one sleeps, another process has its turn from beginning to end.
        other ??= world.turn();
        if (world.asked.length === 1) await other;
        return page;
      },
    });
    expect(await world.turn()).toMatchObject({
      more: false,
      words: expect.stringContaining("another turn has taken over"),
    });
    expect(ids.map(world.reportsOf)).toEqual(ids.map(() => ["poller"]));
    expect(await world.store.figures()).toMatchObject({ found: 12, losses: 0 });
  });
});

describe("the grace", () => {
  const withGrace = { settings: { graceMs: 2 * MINUTE, webhooks: true } };

  test("what was found is held back, then reported and counted as lost, once", async () => {
    const world = await begun(withGrace);
    const id = world.create();
    const until = new Date(world.now() + 2 * MINUTE).toISOString();
    world.pass(MINUTE);
    expect(await world.turn()).toMatchObject({
      reported: 0,
      held: 1,
      words: `Looked at 1 page, 1 job group: 0 new, 1 held back until ${until}`,
    });
    world.pass(MINUTE);
    expect(await world.turn()).toMatchObject({
      reported: 1,
      lost: 1,
      held: 0,
      words: "Looked at 1 page, 1 job group: 1 new (1 of which no webhook came)",
    });
    expect(await world.turn()).toMatchObject({ reported: 0, lost: 0 });
    expect(world.lost).toEqual([id]);
    expect(world.reportsOf(id)).toEqual(["poller"]);
    expect(await world.store.figures()).toMatchObject({ found: 1, losses: 1, lagMs: expect.any(Number) });
  });

  test("a webhook that comes before, during or after the grace leaves nothing to do, and no loss", async () => {
    const world = await begun(withGrace);
    const [before, during] = world.createMany(2) as [number, number];
    world.webhook(before);
    world.pass(MINUTE);
    expect(await world.turn()).toMatchObject({ reported: 0, held: 1 });
    world.webhook(during);
    world.pass(MINUTE);
    expect(await world.turn()).toMatchObject({ reported: 0, held: 0 });
    expect([before, during].map(world.reportsOf)).toEqual([["webhook"], ["webhook"]]);
    expect(await world.store.figures()).toMatchObject({ found: 0, losses: 0 });
  });

  test("what others reported and no webhook is counted as lost once, and not reported again", async () => {
    const world = createPollWorld(withGrace);
    const older = world.create({ status: "InProgress" });
    world.pass(MINUTE);
    await world.turns();
    world.pass(MINUTE);
    const [both, alone, late] = world.createMany(3) as [number, number, number];
    world.finish(older);
    for (const id of [older, both, alone]) world.api(id);
    world.pass(MINUTE);
    expect(await world.turn()).toMatchObject({ reported: 0, lost: 0, held: 1 });
    world.webhook(both);
    world.api(late);
    world.pass(MINUTE);
    expect(await world.turn()).toMatchObject({
      reported: 0,
      lost: 2,
      held: 0,
      words: "Looked at 1 page, 4 job groups: 0 new, 2 that others reported and no webhook",
    });
    for (let minute = 0; minute < 3; minute++) {
      world.pass(MINUTE);
      world.touch(alone);
      expect(await world.turn()).toMatchObject({ reported: 0, lost: 0 });
    }
    expect(world.lost).toEqual([alone, late]);
    expect(world.polled()).toEqual([]);
    expect(await world.store.figures()).toMatchObject({ found: 0, losses: 2 });
  });

  test("a record tells whether a webhook is among its reports, and that its loss was counted", async () => {
    const redis = openRedis();
    const keys = keysOf(newNamespace());
    const records = createCompletionRecords(redis, keys, HOUR);
    const report = (id: number, source: string) => records.merge(id, { source, labels: {} });
    for (const id of [1, 2, 3]) await report(id, "message");
    await report(2, "webhook");
    await report(4, "webhook");
    expect(await records.missWebhook([1, 2, 3, 4, 5])).toEqual([true, false, true, false, false]);
    await records.countedAsLost([3, 5]);
    expect(await records.missWebhook([1, 3])).toEqual([true, false]);
    expect(await redis.exists(keys.group(5))).toBe(0);
    expect((await records.read(3)).completion).toMatchObject({ rev: 1, reportCount: 1 });
  });

  test("with webhooks off what others reported is not counted", async () => {
    const world = await begun({ settings: { graceMs: MINUTE } });
    world.api(world.create());
    world.pass(2 * MINUTE);
    expect(await world.turn()).toMatchObject({ reported: 0, lost: 0 });
    expect(await world.store.held()).toEqual([]);
  });

  test("a webhook that comes in the very moment of the report is no loss", async () => {
    const world = await begun(withGrace);
    const id = world.create();
    world.pass(3 * MINUTE);
    const { report } = world.deps;
    Object.assign(world.deps, {
      report: (told: Parameters<typeof report>[0]) => {
        world.webhook(id);
        return report(told);
      },
    });
    expect(await world.turn()).toMatchObject({ reported: 0, lost: 0, held: 0 });
    expect(await world.store.figures()).toMatchObject({ found: 0, losses: 0 });
  });

  test("what is held back is not forgotten when the cursor has moved on", async () => {
    const world = await begun({ settings: { graceMs: 30 * MINUTE, webhooks: true } });
    const id = world.create();
    for (let minute = 0; minute < 29; minute++) {
      world.pass(MINUTE);
      world.webhook(world.create());
      await world.turn();
    }
    expect((await world.store.load()).position?.cursor).toBeGreaterThan(BEGIN + 20 * MINUTE);
    expect(world.polled()).toEqual([]);
    world.pass(MINUTE);
    await world.turn();
    expect(world.polled()).toEqual([id]);
  });

  test("with webhooks off nothing is lost; what finished before the first look is not lost either", async () => {
    const off = await begun({ settings: { graceMs: MINUTE } });
    off.create();
    off.pass(MINUTE);
    expect(await off.turn()).toMatchObject({ reported: 1, lost: 0 });

    const back = createPollWorld({ settings: { ...withGrace.settings, since: { backMs: HOUR } } });
    back.create();
    back.pass(10 * MINUTE);
    expect(await back.turn()).toMatchObject({ reported: 1, lost: 0 });
    expect(await back.store.figures()).toMatchObject({ found: 1, losses: 0 });
  });

  test("a turn that dies between its report and writing that down reports nothing twice, and counts once", async () => {
    const world = await begun(withGrace);
    const id = world.create();
    world.pass(3 * MINUTE);
    const { store } = world.deps;
    Object.assign(world.deps, {
      store: {
        ...store,
        settle: (done: readonly never[]) =>
          done.length === 0 ? store.settle(done) : Promise.reject(new Error("killed")),
      },
    });
    await expect(world.turn()).rejects.toThrow("killed");
    Object.assign(world.deps, { store });
    expect(await world.turn()).toMatchObject({ reported: 1, lost: 1 });
    expect(world.reportsOf(id)).toEqual(["poller"]);
    expect(await world.store.figures()).toMatchObject({ found: 1, losses: 1 });
  });

  test("a list that cannot be read says no time: what is held waits, whatever the relay's clock says", async () => {
    for (const aheadMs of [0, HOUR]) {
      const world = await begun({ ...withGrace, aheadMs });
      const [id, told] = world.createMany(2) as [number, number];
      world.pass(MINUTE);
      await world.turn();
      world.failWith(new Error("no list today"));
      await expect(world.turn()).rejects.toThrow("no list today");
      // A webhook may still come, and is not lost.
      world.webhook(told);
      world.pass(MINUTE);
      await expect(world.turn()).rejects.toThrow("no list today");
      expect(world.polled()).toEqual([]);
      expect(await world.store.figures()).toMatchObject({ found: 0, losses: 0 });
      world.failWith(undefined);
      expect(await world.turn()).toMatchObject({ reported: 1, lost: 1 });
      expect(world.polled()).toEqual([id]);
    }
  });
});
