import { expect, test } from "vitest";
import { only, openSite } from "./support/relay.ts";

/** A `load` appends: sent twice, it doubles the rows. The platform does not stop a second one here. */
const open = (more: object = {}) =>
  openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" } },
      rules: [
        {
          name: "all",
          when: "all",
          publish: [
            {
              target: "sales",
              table: "orders",
              action: "load",
              settleAfter: "1s",
              backoff: "100ms",
              ...more,
            },
          ],
        },
      ],
    },
    simulator: { settings: { sameTarget: "append", concurrent: "append" } },
  });

test.each(["apply-and-drop", "apply-and-504", "bad-json"] as const)(
  "a load that was applied and whose answer was lost (%s) is found by looking, and not sent again",
  async (kind) => {
    const site = await open();
    const relay = await site.start();
    site.simulator.addFault({ kind, times: 1 });
    await relay.report(2);
    const { record } = only(await site.ended(2));
    expect(record).toMatchObject({
      state: "published",
      attempts: 0,
      publishJobId: only(site.simulator.publishes(2)).jobId,
    });
    expect(site.puts(2)).toHaveLength(1);
    expect(only(site.simulator.tables())).toMatchObject({ rows: 100, applications: [{ jobGroupId: 2 }] });
  },
);

test.each(["drop", "reset-before-read", "ok-but-ignored"] as const)(
  "a load that was not applied (%s) is sent again once it can no longer appear",
  async (kind) => {
    const site = await open();
    const relay = await site.start();
    site.simulator.addFault({ kind, times: 1 });
    await relay.report(2);
    const { record } = only(await site.ended(2));
    expect(record).toMatchObject({ state: "published", attempts: 1 });
    const [first, second] = site.puts(2);
    expect(site.puts(2)).toHaveLength(2);
    expect(Number(second?.at) - Number(first?.answeredAt)).toBeGreaterThanOrEqual(1_000);
    expect(only(site.simulator.tables())).toMatchObject({ rows: 100, applications: [{ jobGroupId: 2 }] });
  },
);

test("a load that was applied, lost its answer and shows late is waited for", async () => {
  const site = await open();
  const relay = await site.start();
  site.simulator.addFault({ kind: "apply-and-drop", times: 1 });
  site.simulator.addFault({ kind: "late", ms: 800 });
  await relay.report(2);
  expect(only(await site.ended(2)).record).toMatchObject({ state: "published", attempts: 0 });
  expect(site.puts(2)).toHaveLength(1);
  expect(only(site.simulator.tables()).rows).toBe(100);
});

test("a load that was not applied tells with what words the platform refused it", async () => {
  const site = await open({ attempts: 1 });
  const relay = await site.start();
  const body = { exception: { name: "InternalError", message: "the cluster is read-only" } };
  site.simulator.addFault({ kind: "status", status: 500, body, times: 1 });
  await relay.report(2);
  const { record } = only(await site.ended(2));
  expect(record.state).toBe("failed");
  expect(record.words).toMatch(/was not applied within 1.0 s; when it was sent: .*the cluster is read-only/);
});
