import type { Job } from "bullmq";
import { expect, test } from "vitest";
import { eventually } from "./support/eventually.ts";
import { openSite, type Site, statesOf } from "./support/relay.ts";

const open = () =>
  openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" }, finance: { connection: 3, schema: "reports" } },
      rules: [
        { name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] },
        {
          name: "prod",
          when: { labels: { env: "prod" } },
          publish: [{ target: "finance", table: "orders", action: "load" }],
        },
      ],
    },
  });

/** What its sender sees of a message, once it is done with. */
async function untilFinished(site: Site, { id = "" }: Job): Promise<Job> {
  return eventually(async () => {
    const job = (await site.queue("completions").getJob(id)) as Job | undefined;
    return job?.finishedOn ? job : undefined;
  });
}

test("a message of any BullMQ client is a report like all others, under any id or none", async () => {
  const site = await open();
  const relay = await site.start();
  const completions = site.queue("completions");
  const labelled = site.simulator.createJobGroup({ webhook: false });
  const named = await completions.add(
    "completion",
    { jobGroupId: 2, status: "Complete", labels: {} },
    { jobId: "jobgroup-2" },
  );
  const unnamed = await completions.add("completion", {
    jobGroupId: labelled,
    status: "Complete",
    labels: { env: "prod" },
  });
  expect((await untilFinished(site, named)).returnvalue).toMatchObject({ outcome: "dispatched", tasks: 1 });
  expect((await untilFinished(site, unnamed)).returnvalue).toEqual({
    outcome: "merged",
    completion: `jobgroup-${labelled}`,
    duplicate: false,
  });
  expect(statesOf(await site.ended(2))).toEqual(["sales published"]);
  expect(statesOf(await site.ended(labelled, 2))).toEqual(["finance published", "sales published"]);
  expect(await relay.story(labelled)).toMatchObject({ completion: { source: "message" } });

  // The same again, by message and by webhook: nothing new.
  const again = await completions.add("completion", { jobGroupId: labelled, labels: { env: "prod" } });
  expect((await untilFinished(site, again)).returnvalue).toMatchObject({ duplicate: true });
  expect(await relay.report(2)).toMatchObject({ duplicate: true });
  expect(site.simulator.twice()).toEqual([]);
  expect(site.puts(labelled)).toHaveLength(2);
});

test("a later webhook's labels stand against those of the message that came first", async () => {
  const site = await open();
  const relay = await site.start();
  const message = { jobGroupId: 2, status: "Complete", labels: { env: "test" } };
  const job = await site.queue("completions").add("completion", message, { jobId: "jobgroup-2" });
  await untilFinished(site, job);
  expect(await relay.report(2, { env: "prod" })).toMatchObject({ duplicate: false });
  expect(statesOf(await site.ended(2, 2))).toEqual(["finance published", "sales published"]);
  expect(await relay.story(2)).toMatchObject({ completion: { labels: { env: "prod" } } });
});

test.each([
  ["no job group", { status: "Complete" }, '"jobId" is missing'],
  ["a wrong type", { jobGroupId: "thirty-one" }, "positive whole number"],
  ["no object", "31", "must be a JSON object"],
])("a message with %s fails, in words for its sender", async (_what, data, words) => {
  const site = await open();
  await site.start();
  const job = await site.queue("completions").add("completion", data);
  const failed = await untilFinished(site, job);
  expect(await failed.getState()).toBe("failed");
  expect(failed.failedReason).toMatch(/^This message was not understood: /);
  expect(failed.failedReason).toContain(words);
  expect(failed.attemptsMade).toBe(1);
});
