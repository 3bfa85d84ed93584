import { expect, test } from "vitest";
import { nextRequest, only, openSite, statesOf } from "./support/relay.ts";

const site = (publication: object) =>
  openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" } },
      rules: [
        {
          name: "all",
          when: "all",
          publish: [{ target: "sales", table: "orders", settleAfter: "1s", ...publication }],
        },
      ],
    },
  });

test("publishes that replace one table run one after the other, in the order in which their job groups finished", async () => {
  const { simulator, start, ended } = await site({ action: "truncateAndLoad" });
  simulator.set({ publishMs: 400 });
  const first = nextRequest(simulator);
  const older = simulator.createJobGroup({ recipeId: 27, webhook: false });
  const relay = await start();
  await relay.report(older);
  await first;
  const newer = [1, 2].map(() => simulator.createJobGroup({ recipeId: 27, webhook: false }));
  for (const id of newer.toReversed()) await relay.report(id);
  await Promise.all([older, ...newer].map((id) => ended(id)));
  const [table] = simulator.tables();
  expect(table?.rows).toBe(100);
  expect(simulator.publishes().map(({ jobGroupId }) => jobGroupId)).toEqual([older, ...newer]);
  expect(simulator.summary().connections["2"]).toMatchObject({ peak: 1 });
});

test("one that comes after a newer one was published ends as superseded, and sends nothing", async () => {
  const { simulator, start, ended, puts } = await site({ action: "truncateAndLoad" });
  const older = simulator.createJobGroup({ recipeId: 27, webhook: false });
  const newer = simulator.createJobGroup({ recipeId: 27, webhook: false });
  const relay = await start();
  await relay.report(newer);
  expect(statesOf(await ended(newer))).toEqual(["sales published"]);
  await relay.report(older);
  const { record } = only(await ended(older));
  expect(record).toMatchObject({ state: "superseded" });
  expect(record.words).toContain(`job group ${newer}`);
  expect(puts(older)).toEqual([]);
});

test("an older one that is reported while a newer one is published waits for it, and is superseded", async () => {
  const { simulator, start, ended, puts } = await site({ action: "truncateAndLoad" });
  simulator.set({ publishMs: 1_000 });
  const older = simulator.createJobGroup({ recipeId: 27, webhook: false });
  const newer = simulator.createJobGroup({ recipeId: 27, webhook: false });
  const relay = await start();
  const first = nextRequest(simulator);
  await relay.report(newer);
  await first;
  await relay.report(older);
  expect(statesOf(await ended(newer))).toEqual(["sales published"]);
  expect(statesOf(await ended(older))).toEqual(["sales superseded"]);
  expect(puts(older)).toEqual([]);
  expect(simulator.summary().connections["2"]).toMatchObject({ peak: 1 });
});

test("one that goes back to try again leaves its table to the next", async () => {
  const { simulator, start, ended } = await site({ action: "upsert", backoff: "3s" });
  const older = simulator.createJobGroup({ recipeId: 27, webhook: false });
  const newer = simulator.createJobGroup({ recipeId: 27, webhook: false });
  simulator.addFault({ kind: "fail", jobGroupId: newer, times: 1 });
  const relay = await start();
  const first = nextRequest(simulator);
  await relay.report(newer);
  await first;
  await relay.report(older);
  await Promise.all([older, newer].map((id) => ended(id)));
  expect(simulator.publishes().map(({ jobGroupId }) => jobGroupId)).toEqual([newer, older, newer]);
});

test("with `stale: publish` it is published all the same", async () => {
  const { simulator, start, ended, puts } = await site({ action: "truncateAndLoad", stale: "publish" });
  const older = simulator.createJobGroup({ recipeId: 27, webhook: false });
  const newer = simulator.createJobGroup({ recipeId: 27, webhook: false });
  const relay = await start();
  await relay.report(newer);
  await ended(newer);
  await relay.report(older);
  expect(statesOf(await ended(older))).toEqual(["sales published"]);
  expect(puts(older)).toHaveLength(1);
});

test("loads into one table are all published: each appends its own rows", async () => {
  const { simulator, start, ended } = await site({ action: "load" });
  const groups = [1, 2, 3].map(() => simulator.createJobGroup({ recipeId: 27, webhook: false }));
  const relay = await start();
  await Promise.all(groups.toReversed().map((id) => relay.report(id)));
  for (const id of groups) expect(statesOf(await ended(id))).toEqual(["sales published"]);
  expect(only(simulator.tables()).rows).toBe(300);
});
