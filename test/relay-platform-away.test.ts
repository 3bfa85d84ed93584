import { expect, test } from "vitest";
import { eventually } from "./support/eventually.ts";
import { openSite, type Site } from "./support/relay.ts";

const open = () =>
  openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" }, finance: { connection: 3, schema: "reports" } },
      rules: [
        {
          name: "all",
          when: "all",
          publish: ["sales", "finance"].map((target) => ({
            target,
            table: "orders",
            action: "load",
            attempts: 1,
          })),
        },
      ],
    },
  });

async function expectPublishedOnceWithoutAnAttempt(site: Site, ids: readonly number[]): Promise<void> {
  for (const id of ids) {
    const tasks = await site.ended(id, 2, 20_000);
    for (const { record } of tasks) expect(record).toMatchObject({ state: "published", attempts: 0 });
  }
  expect(site.simulator.tables().map(({ rows }) => rows)).toEqual([100 * ids.length, 100 * ids.length]);
  expect(site.simulator.twice()).toEqual([]);
  const queues = ["completions", "publish.sales", "publish.finance"].map(site.queue);
  expect(await Promise.all(queues.map((queue) => queue.getFailedCount()))).toEqual([0, 0, 0]);
}

/** One task that is dispatched already and finds the platform shut, and one completion that is not. */
async function reportAround(site: Site, shut: () => void | Promise<void>): Promise<number[]> {
  const relay = await site.start();
  const queues = ["sales", "finance"].map((target) => site.queue(`publish.${target}`));
  await Promise.all(queues.map((queue) => queue.pause()));
  await relay.report(2);
  await site.dispatched(2);
  await shut();
  await Promise.all(queues.map((queue) => queue.resume()));
  const another = site.simulator.createJobGroup({ webhook: false });
  await relay.report(another);
  const all = [site.queue("completions"), ...queues];
  await eventually(async () => {
    const jobs = await Promise.all(all.map((queue) => queue.getJobs()));
    return jobs.every((some) => some.some(({ progress }) => JSON.stringify(progress).includes("waits for")));
  });
  expect((await site.tasks(2)).map(({ record }) => record.attempts)).toEqual([0, 0]);
  return [2, another];
}

test("while the platform is away, completions and tasks wait; none fails, and no attempt is used", async () => {
  const site = await open();
  const ids = await reportAround(site, () => site.simulator.goAway());
  await site.simulator.comeBack();
  await expectPublishedOnceWithoutAnAttempt(site, ids);
});

test("a token that is refused holds all up until it is good again; none fails, and no attempt is used", async () => {
  const site = await open();
  const { simulator } = site;
  const ids = await reportAround(site, () => simulator.set({ tokens: [{ token: "another" }] }));
  simulator.set({ tokens: [{ token: "simulator-token" }] });
  await expectPublishedOnceWithoutAnAttempt(site, ids);
  // A refused token is tried every 5 s, and nothing is published before that; nobody hammers a platform that refuses.
  const refused = simulator.requests().filter(({ token }) => token !== "ok");
  expect(refused.length).toBeLessThan(10);
  const [published] = simulator.requests({ kind: "publish" });
  expect(Number(published?.at) - Number(refused[0]?.at)).toBeGreaterThan(4_900);
});
