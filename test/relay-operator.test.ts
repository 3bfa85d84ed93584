import type { Job } from "bullmq";
import { expect, test } from "vitest";
import { keysOf } from "../src/queues/names.ts";
import { eventually } from "./support/eventually.ts";
import { only, openSite, type Site } from "./support/relay.ts";
import { openRedis } from "./support/redis.ts";

/** What an operator does on the board, done as the board does it: with BullMQ's own calls. */
const open = (publication: object = {}) =>
  openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" } },
      rules: [
        {
          name: "all",
          when: "all",
          publish: [{ target: "sales", table: "orders", action: "load", ...publication }],
        },
      ],
    },
    simulator: { settings: { sameTarget: "append", concurrent: "append" } },
  });

const ID = "jobgroup-2-2-public-orders";

/** The job, once its run that began after `after` has ended. */
async function ranAfter(site: Site, after: number | undefined, id = ID): Promise<Job> {
  return eventually(async () => {
    const job = (await site.queue("publish.sales").getJob(id)) as Job | undefined;
    return job?.finishedOn && job.processedOn && job.processedOn > (after ?? 0) ? job : undefined;
  });
}

/** There is a moment between a task's plan and its job, so the sweep leaves alone what was planned just now. */
async function makeOlder({ namespace }: Site): Promise<void> {
  const redis = openRedis();
  const { open: key } = keysOf(namespace);
  for (const task of await redis.zrange(key, "0", "-1")) await redis.zincrby(key, -60_000_000, task);
}

async function summary(site: Site): Promise<unknown> {
  return (await site.onlyJob("job-groups")).returnvalue?.words;
}

test.each([
  ["that the platform refused", { attempts: 1 }, { kind: "status", status: 403, times: 1 }, 2],
  ["that failed while it ran", { attempts: 1 }, { kind: "fail", times: 1 }, 2],
  ["that fails once more", { attempts: 2, backoff: "100ms" }, { kind: "fail", times: 3 }, 4],
] as const)("a task %s is tried again by an operator, and published", async (_, publication, fault, puts) => {
  const site = await open(publication);
  const relay = await site.start();
  site.simulator.addFault(fault);
  await relay.report(2);
  const failed = await ranAfter(site, 0);
  expect(await failed.getState()).toBe("failed");
  await eventually(async () => (await summary(site)) === "published 0 of 1, 1 failed");

  await failed.retry("failed");
  const again = await ranAfter(site, failed.finishedOn);
  expect(again.returnvalue).toMatchObject({ outcome: "published" });
  expect(only(await site.tasks(2)).record).toMatchObject({ state: "published" });
  expect(site.puts(2)).toHaveLength(puts);
  expect(only(site.simulator.tables()).rows).toBe(100);
  await eventually(async () => (await summary(site)) === "published 1 of 1");
});

test("a task that was published is never sent again, however often it is run", async () => {
  const site = await open();
  const relay = await site.start();
  await relay.report(2);
  const first = await ranAfter(site, 0);
  await first.retry("completed");
  const second = await ranAfter(site, first.processedOn);
  expect(second.returnvalue).toMatchObject({
    outcome: "published",
    words: expect.stringMatching(/^already published on \d{4}-/),
  });

  // Removed, and put back as it was.
  await second.remove();
  await site.queue("publish.sales").add(second.name, second.data, { jobId: ID });
  expect((await ranAfter(site, second.processedOn)).returnvalue).toMatchObject({ outcome: "published" });

  // Dispatched again.
  const dispatch = await site.dispatched(2);
  await dispatch.retry("completed");
  const { returnvalue } = await eventually(async () => {
    const job = await site.dispatched(2);
    return Number(job.processedOn) > Number(dispatch.finishedOn) ? job : undefined;
  });
  expect(returnvalue.words).toMatch(
    /^Job group 2: 0 new publish tasks; sales\.public\.orders already published/,
  );
  expect(site.puts(2)).toHaveLength(1);
});

test("a copy of a task, or a task whose data was changed, publishes nothing", async () => {
  const site = await open();
  const relay = await site.start();
  await relay.report(2);
  const original = await ranAfter(site, 0);
  const queue = site.queue("publish.sales");
  const copies = [
    await queue.add(original.name, original.data),
    await queue.add(original.name, original.data, { jobId: "another-id" }),
    await queue.add(original.name, { ...original.data, table: "customers" }, { jobId: "customers" }),
  ];
  for (const { id = "" } of copies) {
    const { failedReason } = await ranAfter(site, 0, id);
    expect(failedReason).toContain("Nothing was published");
  }
  const broken = await queue.add(original.name, { jobGroupId: 2 }, { jobId: "broken" });
  expect((await ranAfter(site, 0, broken.id)).failedReason).toContain("cannot be read");
  expect(site.puts(2)).toHaveLength(1);
  expect(await site.tasks(2)).toHaveLength(1);
});

test("a waiting task whose job was removed is brought back, and published once", async () => {
  const site = await open();
  const relay = await site.start();
  const queue = site.queue("publish.sales");
  await queue.pause();
  await relay.report(2);
  const waiting = (await eventually(() => queue.getJob(ID))) as Job;
  await site.dispatched(2);
  await waiting.remove();
  await queue.resume();
  expect(await queue.getJobCounts("waiting", "prioritized", "active")).toMatchObject({ active: 0 });
  expect(only(await site.tasks(2)).record.state).toBe("planned");

  await makeOlder(site);
  await relay.stop();
  await site.start();
  expect((await ranAfter(site, 0)).returnvalue).toMatchObject({ outcome: "published" });
  expect(site.puts(2)).toHaveLength(1);
  await eventually(async () => (await summary(site)) === "published 1 of 1");
});
