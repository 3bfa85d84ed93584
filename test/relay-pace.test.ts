import { beforeAll, expect, test } from "vitest";
import { eventually } from "./support/eventually.ts";
import { openSite, type RelayProcess, type Site } from "./support/relay.ts";

const MAX = 5;
const PER_MS = 1_000;
const TARGETS = [2, 3, 4];
const JOB_GROUPS = 25;
const CONCURRENCY = 3;

/** A completion goes to three targets that have a pace, or (recipe 28) to one that has none. */
const rules = {
  targets: {
    ...Object.fromEntries(
      TARGETS.map((connection) => [
        `paced-${connection}`,
        {
          connection,
          schema: "public",
          rateLimit: { max: MAX, per: `${PER_MS}ms` },
          concurrency: 10,
        },
      ]),
    ),
    narrow: { connection: 6, schema: "public", concurrency: CONCURRENCY },
  },
  rules: [
    {
      name: "paced",
      when: { recipe: 27 },
      publish: TARGETS.map((connection) => ({
        target: `paced-${connection}`,
        table: "orders",
        action: "load",
      })),
    },
    {
      name: "narrow",
      when: { recipe: 28 },
      publish: [{ target: "narrow", table: "orders", action: "load" }],
    },
  ],
};

let site: Site;
let relays: RelayProcess[];
beforeAll(async () => {
  site = await openSite({
    rules,
    simulator: {
      settings: { publishMs: 100, appearMs: 20, connections: [{ id: 6, name: "narrow" }] },
    },
  });
  relays = await Promise.all([site.startProcess(), site.startProcess()]);
  // A process that has only just started is slow with its first requests, which would show as starts that bunch up.
  await Promise.all((await reportMany(27, 4)).map((id) => site.ended(id, TARGETS.length)));
  site.simulator.clearRequests();
});

/** Reports so many job groups, spread over both processes. */
async function reportMany(recipeId: number, count: number): Promise<number[]> {
  const ids = Array.from({ length: count }, () =>
    site.simulator.createJobGroup({ recipeId, webhook: false }),
  );
  await Promise.all(ids.map(async (id, i) => relays[i % relays.length]?.report(id)));
  return ids;
}

const startsAt = (connection: number): number[] =>
  site.simulator
    .requests({ kind: "publish" })
    .filter(({ body }) => (body as { connection: { id: number } }).connection.id === connection)
    .map(({ at }) => at)
    .sort((a, b) => a - b);

/** The most of these that lie in one window of time. */
function mostWithin(times: readonly number[], windowMs: number): number {
  return Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + windowMs).length));
}

test("two processes keep to the pace of three targets, and use it", async () => {
  // The queues are full before the first start, so nothing but the pace spaces the starts.
  const queues = TARGETS.map((connection) => site.queue(`publish.paced-${connection}`));
  await Promise.all(queues.map((queue) => queue.pause()));
  const ids = await reportMany(27, JOB_GROUPS);
  await Promise.all(ids.map((id) => site.dispatched(id)));
  await Promise.all(queues.map((queue) => queue.resume()));
  await eventually(() => TARGETS.every((connection) => startsAt(connection).length === JOB_GROUPS), {
    timeoutMs: 20_000,
    what: "every publish of the paced targets",
  });
  for (const connection of TARGETS) {
    const starts = startsAt(connection);
    // One more than the limit may arrive in a window: the starts keep to it, and some arrive a little later.
    expect(mostWithin(starts, PER_MS)).toBeLessThanOrEqual(MAX + 1);
    const tookMs = Number(starts.at(-1)) - Number(starts[0]);
    expect((starts.length - 1) / tookMs).toBeGreaterThanOrEqual((0.9 * MAX) / PER_MS);
  }
  expect(site.simulator.twice()).toEqual([]);
});

test("two processes together run no more publishes of a target at once than its concurrency, and so many", async () => {
  const ids = await reportMany(28, 20);
  await eventually(() => startsAt(6).length === ids.length, { what: "every publish of the narrow target" });
  const response = await fetch(`${site.simulator.url}/_control/summary`);
  const { connections } = (await response.json()) as { connections: Record<string, { peak: number }> };
  expect(connections["6"]?.peak).toBe(CONCURRENCY);
});
