import { expect, test } from "vitest";
import { mendPollSchedule } from "../src/queues/poll-schedule.ts";
import { eventually } from "./support/eventually.ts";
import { metric, NO_WEBHOOKS, openPolled, reportsOf, turned, turnFromNow } from "./support/polled.ts";
import { nextRequest } from "./support/relay.ts";

test("a process killed with -9 in the middle of a turn: another goes on, and nothing is missed or reported twice", async () => {
  const site = await openPolled({
    POLL_INTERVAL: "1s",
    POLL_MAX_PAGES: "2",
    ROLES: "web,poll",
    ...NO_WEBHOOKS,
  });
  const { simulator } = site;
  const first = await site.startProcess();
  await turnFromNow(site);
  simulator.set({ maxLimit: 10 });
  // Its third page is answered when nobody listens any more.
  simulator.addFault({ kind: "slow", on: "jobLibrary", skip: 2, times: 1, ms: 20_000 });
  const ids = Array.from({ length: 60 }, () => simulator.createJobGroup({ webhook: false }));
  const hung = new Promise<void>((resolve) => {
    const pages = (n: number): void =>
      void nextRequest(simulator, ({ kind }) => kind === "jobLibrary").then(() =>
        n === 1 ? resolve() : pages(n - 1),
      );
    pages(3);
  });
  await hung;
  const second = await site.start();
  await first.process.kill();

  await eventually(async () => (await metric(second, "poll_found_total")) === 60, {
    timeoutMs: 20_000,
    what: "the other 60",
  });
  for (const id of ids) expect(await reportsOf(second, id)).toMatchObject([{ source: "poller" }]);
});

test("of two relays one polls at a time, and one schedule serves both", async () => {
  const site = await openPolled({ POLL_INTERVAL: "1s", ROLES: "web,poll" });
  site.simulator.addFault({ kind: "slow", on: "jobLibrary", ms: 700 });
  await Promise.all([site.start(), site.start()]);
  const asked = () =>
    site.simulator
      .requests({ kind: "jobLibrary" })
      .flatMap(({ at, answeredAt }) => (answeredAt === undefined ? [] : [{ at, answeredAt }]));
  await eventually(() => asked().length >= 6, { timeoutMs: 15_000 });
  const overlapping = asked().filter(({ at }, i, all) => i > 0 && at < (all[i - 1]?.answeredAt ?? 0));
  expect(overlapping).toEqual([]);
  expect(await site.queue("poll").getJobSchedulersCount()).toBe(1);
});

test("the interval is the newest start's; switched off there is no schedule, and switched on it goes on where it was", async () => {
  const site = await openPolled(NO_WEBHOOKS);
  const every = async () => (await site.queue("poll").getJobSchedulers()).map((one) => one.every);
  const first = await site.start({ POLL_INTERVAL: "10m" });
  expect(await every()).toEqual([600_000]);
  await first.stop();
  const second = await site.start({ POLL_INTERVAL: "20m" });
  expect(await every()).toEqual([1_200_000]);
  await turned(site);
  await second.stop();

  const off = await site.start({ POLL_INTERVAL: "off" });
  expect(await every()).toEqual([]);
  expect(await metric(off, "poll_lag_seconds")).toBeUndefined();
  const id = site.simulator.createJobGroup({ webhook: false });
  await off.stop();
  await site.start({ POLL_INTERVAL: "10m" });
  await site.ended(id);
});

test("switched off is said of one process: one that still polls makes the schedule again, with its own interval", async () => {
  const site = await openPolled(NO_WEBHOOKS);
  const polls = await site.start({ POLL_INTERVAL: "10m" });
  await turned(site);
  const queue = site.queue("poll");
  await site.start({ POLL_INTERVAL: "off" });
  expect(await queue.getJobSchedulersCount()).toBe(0);
  // As the process that polls does each minute.
  expect(await mendPollSchedule(queue, 600_000)).toBe(true);
  const id = site.simulator.createJobGroup({ webhook: false });
  await queue.add("poll", {});
  await site.ended(id);
  expect(await metric(polls, "poll_lag_seconds")).toBeDefined();
});

test("a schedule that is gone, as after Redis came back empty, is made again, and one that stands is left", async () => {
  const site = await openPolled({ POLL_INTERVAL: "10m" });
  await site.start();
  const queue = site.queue("poll");
  expect(await mendPollSchedule(queue, 600_000)).toBe(false);
  await queue.obliterate({ force: true });
  expect(await mendPollSchedule(queue, 600_000)).toBe(true);
  expect(await queue.getJobSchedulers()).toMatchObject([{ every: 600_000 }]);
  expect(await queue.getGlobalConcurrency()).toBe(1);
  // The relay that ran all the time takes its turns.
  await eventually(async () => (await queue.getJobCountByTypes("completed")) > 0);
});
