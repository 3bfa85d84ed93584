import { expect, test } from "vitest";
import { eventually } from "./support/eventually.ts";
import { startScript } from "./support/processes.ts";
import { redisUrl } from "./support/redis.ts";
import { API_TOKEN, openSite, type Site, statesOf } from "./support/relay.ts";

const MAIN = new URL("../src/main.ts", import.meta.url);
const TASK = "jobgroup-2-2-public-orders";

/** A load whose outcome cannot be told: the answer is lost, nothing shows, and `settleAfter: never` forbids a second PUT. */
async function openParked(
  fault: "drop" | "stuck",
): Promise<Site & { door: Awaited<ReturnType<Site["start"]>> }> {
  const site = await openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" }, finance: { connection: 3, schema: "public" } },
      rules: [
        {
          name: "all",
          when: "all",
          publish: [
            { target: "sales", table: "orders", action: "load", settleAfter: "1s", deadline: "1s" },
            { target: "finance", table: "orders", action: "load", settleAfter: "1s" },
          ],
        },
      ],
    },
    simulator: { settings: { sameTarget: "append", concurrent: "append" } },
  });
  site.simulator.addFault({ kind: fault, connection: 2, times: 1 });
  const door = await site.start();
  await door.report(2);
  await site.ended(2, 2);
  return { ...site, door };
}

/** The parent's summary follows its tasks. */
const summary = (site: Site, words: string): Promise<unknown> =>
  eventually(
    async () => {
      const parent = await site.queue("job-groups").getJob("jobgroup-2");
      const said = (parent?.returnvalue as { words?: string } | null)?.words;
      if (said !== words) throw new Error(`it says ${said}`);
      return true;
    },
    { what: `the summary "${words}"` },
  );

const resolveOverApi = (url: string, body: object) =>
  fetch(`${url}/v1/tasks/${TASK}/resolve`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${API_TOKEN}` },
    body: JSON.stringify(body),
  });

test("a parked task waits in its queue with the evidence, and does not hold up its sibling", async () => {
  const site = await openParked("stuck");
  expect(statesOf(await site.tasks(2))).toEqual(["finance published", "sales parked"]);
  const parked = await site.onlyJob("parked");
  expect(parked.id).toBe(TASK);
  expect(parked.data).toMatchObject({
    jobGroupId: 2,
    evidence: {
      why: expect.stringContaining("deadline"),
      sent: { connection: { id: 2 }, path: ["public"], table: "orders", action: "load" },
      submittedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      listed: { jobs: expect.arrayContaining([expect.objectContaining({ status: "InProgress" })]) },
    },
  });
  await summary(site, "published 1 of 2, 1 parked");
});

test("decided as published: it is, with who and why in its record, and a later report publishes nothing", async () => {
  const site = await openParked("stuck");
  const answer = await resolveOverApi(site.door.url, {
    outcome: "published",
    reason: "rows counted",
    by: "ada",
  });
  expect(answer.status).toBe(200);
  const sales = (await site.tasks(2)).find(({ plan }) => plan.target === "sales");
  expect(sales?.record).toMatchObject({
    state: "published",
    decisions: [{ outcome: "published", reason: "rows counted", by: expect.stringContaining("ada") }],
  });
  expect(await site.queue("parked").count()).toBe(0);
  const again = await resolveOverApi(site.door.url, { outcome: "again", reason: "changed my mind" });
  expect(again.status).toBe(409);
  expect(site.puts(2)).toHaveLength(2);
});

test("decided as again on the command line: it is sent once more, whatever jobs were listed", async () => {
  const site = await openParked("stuck");
  const [stuck] = site.simulator.publishes(2).filter(({ connection }) => connection === 2);
  site.simulator.endPublish(stuck?.jobId ?? 0, "Failed");
  const command = startScript(MAIN, {
    args: ["resolve", TASK, "--again", "--reason", "it never ran"],
    env: {
      REDIS_URL: redisUrl(),
      NAMESPACE: site.namespace,
      DESIGNER_CLOUD_URL: site.simulator.url,
      DESIGNER_CLOUD_TOKEN: "simulator-token",
    },
  });
  expect(await command.exited).toMatchObject({ code: 0 });
  expect(command.output()).toContain(TASK);
  expect(statesOf(await site.ended(2, 2))).toEqual(["finance published", "sales published"]);
  await summary(site, "published 2 of 2");
  expect(site.simulator.twice()).toEqual([]);
});

test("a task that is not parked, or not known, cannot be decided", async () => {
  const site = await openParked("drop");
  // Not applied for sure, so it was sent again and published.
  expect(statesOf(await site.tasks(2))).toEqual(["finance published", "sales published"]);
  expect((await resolveOverApi(site.door.url, { outcome: "published", reason: "x" })).status).toBe(409);
  const unknown = await fetch(`${site.door.url}/v1/tasks/jobgroup-9-2-public-orders/resolve`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${API_TOKEN}` },
    body: JSON.stringify({ outcome: "again", reason: "x" }),
  });
  expect(unknown.status).toBe(404);
});

test("its job on the board ends as what was decided", async () => {
  const site = await openParked("stuck");
  await resolveOverApi(site.door.url, { outcome: "published", reason: "rows counted" });
  const job = await eventually(
    async () => {
      const found = await site.queue("publish.sales").getJob(TASK);
      return (await found?.getState()) === "completed" ? found : undefined;
    },
    { what: "the job is completed" },
  );
  expect(job?.returnvalue).toMatchObject({
    outcome: "published",
    words: expect.stringContaining("rows counted"),
  });
  expect(job?.progress).toMatchObject({ stage: "published" });
  expect(site.puts(2)).toHaveLength(2);
});

test("nothing is sent again while a publish that may be the task's still runs, nor when it has arrived", async () => {
  const site = await openParked("stuck");
  const again = { outcome: "again", reason: "it hangs" };
  const running = await resolveOverApi(site.door.url, again);
  expect(running.status).toBe(409);
  expect(await running.json()).toMatchObject({
    detail: expect.stringMatching(/Publish job \d+ .*InProgress/),
  });

  const stuck = site.simulator.publishes(2).find(({ connection }) => connection === 2);
  site.simulator.endPublish(stuck?.jobId ?? 0, "Complete");
  const arrived = await resolveOverApi(site.door.url, again);
  expect(arrived.status).toBe(409);
  expect(await arrived.json()).toMatchObject({ detail: expect.stringContaining('Decide "published"') });
  expect(statesOf(await site.tasks(2))).toEqual(["finance published", "sales parked"]);
  expect(site.simulator.twice()).toEqual([]);
});

test("with the platform away it can be decided as published, and nothing is sent again", async () => {
  const site = await openParked("stuck");
  await site.simulator.goAway();
  const again = await resolveOverApi(site.door.url, { outcome: "again", reason: "it hangs" });
  expect(again.status).toBe(409);
  expect(await again.json()).toMatchObject({ detail: expect.stringContaining("does not answer") });

  // On the command line, without the platform's address, the fleet's gate is none of its business.
  const env = { REDIS_URL: redisUrl(), NAMESPACE: site.namespace, DESIGNER_CLOUD_URL: undefined };
  const command = startScript(MAIN, { args: ["resolve", TASK, "--published", "--reason", "counted"], env });
  expect(await command.exited).toMatchObject({ code: 0 });
  expect(command.output()).not.toContain("gate");
  expect(statesOf(await site.tasks(2))).toEqual(["finance published", "sales published"]);
});
