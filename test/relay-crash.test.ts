import { expect, test } from "vitest";
import { nextRequest, only, openSite, untilState } from "./support/relay.ts";

/** The platform stops no second publish here: only the relay does. */
const open = () =>
  openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" } },
      rules: [
        {
          name: "all",
          when: "all",
          publish: [{ target: "sales", table: "orders", action: "load", settleAfter: "2s" }],
        },
      ],
    },
    simulator: { settings: { sameTarget: "append", concurrent: "append" } },
  });

test("a relay killed with -9 between a PUT and its answer, and while it follows another, makes one PUT for each", async () => {
  const site = await open();
  const { simulator } = site;
  const [followed, sent] = [2, simulator.createJobGroup({ webhook: false })];
  const first = await site.startProcess();
  simulator.addFault({ kind: "long", ms: 8_000, jobGroupId: followed });
  simulator.addFault({ kind: "slow", jobGroupId: sent, times: 1 });
  await first.report(followed);
  await untilState(site, followed, "submitted");
  const put = nextRequest(simulator);
  await first.report(sent);
  expect(await put).toMatchObject({ jobGroupId: sent });
  const second = await site.start();
  await first.process.kill();
  const killedAt = Date.now();
  expect(only(await site.tasks(sent)).record.state).toBe("submitting");

  expect(only(await site.ended(sent, 1, 20_000)).record).toMatchObject({ state: "published", attempts: 0 });
  expect(Date.now() - killedAt).toBeLessThan(15_000);
  expect(only(await site.ended(followed)).record).toMatchObject({ state: "published", attempts: 0 });
  for (const id of [followed, sent]) {
    expect(site.puts(id)).toHaveLength(1);
    expect((await site.queue("publish.sales").getJob(`jobgroup-${id}-2-public-orders`))?.attemptsMade).toBe(
      1,
    );
  }
  expect(only(simulator.tables()).rows).toBe(200);
  expect(await second.story(sent)).toMatchObject({ summary: "published 1 of 1" });
});

test("a relay that is asked to stop waits for a PUT in flight, hands its tasks over, and is soon gone", async () => {
  const site = await open();
  const { simulator } = site;
  const [followed, sent] = [2, simulator.createJobGroup({ webhook: false })];
  const first = await site.startProcess();
  simulator.addFault({ kind: "long", ms: 2_500 });
  simulator.addFault({ kind: "slow", ms: 800, jobGroupId: sent });
  await first.report(followed);
  await untilState(site, followed, "submitted");
  const put = nextRequest(simulator);
  await first.report(sent);
  await put;
  const second = await site.start();
  const askedAt = Date.now();
  first.process.signal("SIGTERM");
  expect(await first.process.exited).toEqual({ code: 0, signal: null });
  expect(Date.now() - askedAt).toBeLessThan(5_000);
  // What the platform answered meanwhile was written down before the process went.
  expect(only(site.puts(sent)).result).toBe(200);
  expect(only(await site.tasks(sent)).record).toMatchObject({ state: "submitted", crashes: 0 });

  for (const id of [followed, sent]) {
    expect(only(await site.ended(id)).record).toMatchObject({ state: "published", attempts: 0, crashes: 0 });
    expect(site.puts(id)).toHaveLength(1);
  }
  expect(await second.story(sent)).toMatchObject({ summary: "published 1 of 1" });
});
