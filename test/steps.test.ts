import { Queue } from "bullmq";
import { expect, test } from "vitest";
import { createTellStep, readSteps } from "../src/queues/steps.ts";
import { newNamespace, openRedis } from "./support/redis.ts";
import { releaseLater } from "./support/release.ts";

async function open() {
  const redis = openRedis();
  const queue = new Queue("publish.sales", { connection: redis, prefix: `{${newNamespace()}}` });
  releaseLater(() => queue.close());
  await queue.add("publish", {}, { jobId: "task" });
  const tell = createTellStep(redis, queue);
  const words = async () => (await readSteps(queue, "task")).map((line) => line.replace(/^\S+Z /, ""));
  return { redis, queue, tell, words };
}

test("a job does not tell the same words twice in a row", async () => {
  const { tell, words } = await open();
  for (const line of ["waits", "waits", "waits", "starts", "waits"]) await tell("task", line);
  expect(await words()).toEqual(["waits", "starts", "waits"]);
});

test("of many steps the first 20 and the newest 200 are read, and 1,000 kept", async () => {
  const { redis, queue, tell, words } = await open();
  await Promise.all(Array.from({ length: 220 }, (_, n) => tell("task", `step ${n}`)));
  expect(await words()).toHaveLength(220);
  await tell("task", "step 220");
  const read = await words();
  expect(read.slice(19, 22)).toEqual(["step 19", "... 1 lines are left out here ...", "step 21"]);
  expect(read.at(-1)).toBe("step 220");
  await Promise.all(Array.from({ length: 900 }, (_, n) => tell("task", `later ${n}`)));
  expect(await redis.llen(queue.toKey("task:logs"))).toBe(1_000);
  expect((await words()).at(-1)).toBe("later 899");
});

test("a job that is gone tells nothing", async () => {
  const { redis, queue, tell } = await open();
  await tell("other", "waits");
  expect(await redis.exists(queue.toKey("other:logs"))).toBe(0);
});

test("a picture is drawn with a line or without one, and told to those who listen to the queue", async () => {
  const { redis, queue, tell, words } = await open();
  await tell("task", "publishing", { progress: 20 });
  await tell("task", "publishing", { progress: 30 });
  await tell("task", "", { progress: 100, stage: "published" });
  expect(await words()).toEqual(["publishing"]);
  expect((await queue.getJob("task"))?.progress).toEqual({ progress: 100, stage: "published" });
  const events = await redis.xrange(queue.toKey("events"), "-", "+");
  expect(
    events.filter(([, fields]) => fields[1] === "progress").map(([, fields]) => fields.slice(2)),
  ).toEqual(
    [20, 30]
      .map((progress) => ["jobId", "task", "data", JSON.stringify({ progress })])
      .concat([["jobId", "task", "data", JSON.stringify({ progress: 100, stage: "published" })]]),
  );
});
