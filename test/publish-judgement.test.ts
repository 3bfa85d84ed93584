import { describe, expect, it } from "vitest";
import { explainBaseline } from "../src/processors/explain-baseline.ts";
import { judgePublish, type PublishQuestion } from "../src/processors/judge-publish.ts";
import { isListed } from "../src/processors/outputs.ts";
import type { OutputTable, PlatformJob, PublishTask } from "../src/processors/publish-task.ts";
import { useAttempt } from "../src/processors/publish-task.ts";
import { PLANNED, type TaskRecord } from "../src/queues/record.ts";
import type { Action, PublishPlan } from "../src/rules/model.ts";
import { planOf, START_AT } from "./support/publish-model/story.ts";

const planTo = (action: Action, changes: Partial<PublishPlan> = {}): PublishPlan => ({
  ...planOf({ jobGroupId: 31, place: 0, action, settleAfterMs: 120_000, attempts: 8 }, true),
  ...changes,
});
const load = planTo("load");
const job = (id: number, status: string, createdAt = START_AT + id): PlatformJob => ({
  id,
  status,
  createdAt,
  jobType: "publish",
});
const orders: OutputTable = { path: ["public"], table: "orders" };
const items: OutputTable = { path: ["public"], table: "items" };
const namesake = { ...PLANNED, key: "3/public/orders" };

describe("what the platform's list says of a PUT", () => {
  const judge = (changes: Partial<PublishQuestion>, tables: readonly OutputTable[] = []) =>
    judgePublish({
      plan: load,
      fresh: [],
      accepted: true,
      strangersPossible: false,
      completeJobs: 0,
      siblings: [],
      listTables: () => Promise.resolve(tables),
      ...changes,
    });
  const running = job(7, "InProgress");
  const complete = job(7, "Complete");
  const failed = job(7, "Failed");

  it("takes the one new job after an accepted PUT for ours", async () => {
    expect(await judge({ fresh: [running] })).toEqual({ is: "running", job: running, sure: true });
    expect(await judge({ fresh: [complete] })).toEqual({ is: "complete", job: complete });
    expect(await judge({ fresh: [failed] })).toEqual({ is: "failed", job: failed });
    expect(await judge({ fresh: [job(7, "Canceled")] })).toMatchObject({ is: "failed" });
  });

  it("counts a status that it does not know as under way", async () => {
    expect(await judge({ fresh: [job(7, "Pending")] })).toMatchObject({ is: "running" });
  });

  it("sees nothing in an empty list", async () => {
    expect(await judge({})).toEqual({ is: "absent" });
    expect(await judge({ accepted: false })).toEqual({ is: "absent" });
  });

  it("goes on with the job that it followed, whatever else came", async () => {
    expect(await judge({ followed: 7, fresh: [complete, job(8, "InProgress")] })).toEqual({
      is: "complete",
      job: complete,
    });
  });

  it("cannot tell when the job that it followed is gone", async () => {
    expect(await judge({ followed: 7, fresh: [job(8, "Complete")] })).toEqual({ is: "cannot-tell" });
  });

  it("does not take a failed job for ours when the answer was lost: ours may still show", async () => {
    expect(await judge({ accepted: false, fresh: [failed] })).toEqual({ is: "absent" });
  });

  it("waits for every job that may be ours, and is sure of none", async () => {
    const fresh = [complete, job(8, "InProgress")];
    expect(await judge({ fresh }, [orders])).toMatchObject({ is: "running", sure: false });
    expect(await judge({ accepted: false, fresh: [running] })).toMatchObject({ is: "running", sure: false });
  });

  it("asks the list of tables when the answer was lost", async () => {
    const lost = { accepted: false, fresh: [complete], completeJobs: 1 };
    expect(await judge(lost, [orders])).toEqual({ is: "complete", job: complete });
    expect(await judge(lost, [items])).toEqual({ is: "foreign", jobIds: [7] });
  });

  it("cannot tell when the list names another table, and not one for every publish", async () => {
    expect(await judge({ accepted: false, fresh: [complete], completeJobs: 2 }, [items])).toEqual({
      is: "cannot-tell",
    });
  });

  it("claims no job that may be another task's", async () => {
    const two = [complete, job(8, "Complete")];
    expect(await judge({ accepted: false, fresh: two, completeJobs: 2 }, [orders])).toEqual({
      is: "complete",
    });
    expect(await judge({ strangersPossible: true, fresh: [complete], completeJobs: 1 }, [orders])).toEqual({
      is: "complete",
    });
  });

  it("takes a lone job for ours on a tenant that lists no tables, unless others may have one", async () => {
    const lost = { accepted: false, fresh: [complete], completeJobs: 1 };
    expect(await judge(lost)).toEqual({ is: "complete", job: complete });
    expect(await judge({ ...lost, strangersPossible: true })).toEqual({ is: "cannot-tell" });
    expect(await judge({ ...lost, fresh: [complete, job(8, "Complete")] })).toEqual({ is: "cannot-tell" });
  });

  it("cannot tell a table from its namesake in another database", async () => {
    expect(
      await judge({ accepted: false, fresh: [complete], completeJobs: 1, siblings: [namesake] }, [orders]),
    ).toEqual({ is: "cannot-tell" });
  });
});

describe("what stands before a PUT", () => {
  const explain = (
    jobs: readonly PlatformJob[],
    tables: readonly OutputTable[] = [],
    {
      plan = load,
      known = [] as number[],
      siblings = [] as (typeof namesake)[],
      workedUntil = load.finishedAt,
    } = {},
  ) =>
    explainBaseline({
      plan,
      jobs,
      known,
      siblings,
      workedUntil,
      listTables: () => Promise.resolve(tables),
    });

  it("is clear when nothing is there, or all is known, or nothing of it was written", async () => {
    expect(await explain([])).toEqual({ is: "clear" });
    expect(await explain([job(7, "Complete"), job(8, "InProgress")], [], { known: [7, 8] })).toEqual({
      is: "clear",
    });
    expect(await explain([job(7, "Failed"), job(8, "Canceled")])).toEqual({ is: "clear" });
  });

  it("waits for a publish that runs and is not ours", async () => {
    expect(await explain([job(7, "Complete"), job(8, "InProgress")], [orders])).toEqual({
      is: "running",
      jobId: 8,
    });
  });

  it("is published already when the platform lists the table; the job is claimed if it can only be ours", async () => {
    expect(await explain([job(7, "Complete")], [orders])).toMatchObject({ is: "published", jobIds: [7] });
    expect(await explain([job(7, "Complete"), job(8, "Complete")], [orders, items])).toMatchObject({
      is: "published",
      jobIds: [],
    });
    const plan = planTo("load", { serialize: false });
    expect(await explain([job(7, "Complete")], [orders], { plan })).toMatchObject({
      is: "published",
      jobIds: [],
    });
  });

  it("is clear when every strange publish wrote another table", async () => {
    expect(await explain([job(7, "Complete")], [items])).toEqual({ is: "clear" });
  });

  it("cannot be told when a strange publish may have written the table", async () => {
    const verdict = await explain([job(7, "Complete")]);
    expect(verdict).toMatchObject({ is: "cannot-tell" });
    expect("words" in verdict && verdict.words).toContain("publish job 7");
    expect(await explain([job(7, "Complete"), job(8, "Complete")], [items])).toMatchObject({
      is: "cannot-tell",
    });
    expect(await explain([job(7, "Complete")], [orders], { siblings: [namesake] })).toMatchObject({
      is: "cannot-tell",
    });
  });

  it("is clear for what may be repeated, even so", async () => {
    expect(await explain([job(7, "Complete")], [], { plan: planTo("upsert") })).toEqual({
      is: "clear",
      unexplained: [7],
    });
  });

  it("counts publishes that are older than the job group's end as its own, unless they wrote the table", async () => {
    const older = job(7, "Complete", load.finishedAt);
    expect(await explain([older])).toEqual({ is: "clear" });
    expect(await explain([older], [orders])).toMatchObject({ is: "published" });
    // A publish may touch the job group: its last change is no proof that the publish came before its end.
    expect(await explain([older], [], { workedUntil: load.finishedAt - 1 })).toMatchObject({
      is: "cannot-tell",
    });
    const timeless: PlatformJob = { id: 7, status: "Complete", jobType: "publish" };
    expect(await explain([timeless])).toMatchObject({ is: "cannot-tell" });
  });
});

describe("a table in the platform's list", () => {
  const lists = (table: OutputTable, plan = load, siblings: (typeof namesake)[] = []) =>
    isListed([table], plan, siblings);

  it("is ours whatever its case, in our schema or in none", () => {
    expect(lists({ path: ["PUBLIC"], table: "Orders" })).toBe("yes");
    expect(lists({ path: [], table: "orders" })).toBe("yes");
    expect(lists({ path: ["other"], table: "orders" })).toBe("no");
    expect(lists({ path: ["public"], table: "orders2" })).toBe("no");
  });

  it("has a timestamp behind its name only when it is made anew", () => {
    for (const table of ["orders_20261124_080000123", "orders20261124", "orders_1795507200000"]) {
      expect(lists({ path: ["public"], table }, planTo("createAndLoad"))).toBe("yes");
      expect(lists({ path: ["public"], table }, planTo("create"))).toBe("yes");
      expect(lists({ path: ["public"], table })).toBe("no");
    }
    expect(lists({ path: ["public"], table: "orders_2026_old" }, planTo("createAndLoad"))).toBe("no");
  });

  it("may be its namesake in another database, if the platform does not say which", () => {
    expect(lists(orders, load, [namesake])).toBe("maybe");
    expect(lists({ ...orders, place: "ours" }, load, [namesake])).toBe("yes");
    expect(lists({ ...orders, place: "elsewhere" }, load, [namesake])).toBe("no");
  });
});

describe("an attempt that is used up", () => {
  async function after(attempts: number, random: number, changes: Partial<TaskRecord> = {}, atLeastMs = 0) {
    const written: TaskRecord[] = [];
    const task = {
      plan: planTo("load", { backoff: { floorMs: 5_000, capMs: 600_000 } }),
      record: { ...PLANNED, state: "submitting", attempts, baseline: [1], sendableUntil: 2, ...changes },
      breaker: { failed: () => Promise.resolve() },
      hold: {
        write: (_from: unknown, record: TaskRecord) => {
          written.push(record);
          return Promise.resolve();
        },
      },
      platform: { listJobs: () => Promise.resolve([]), listTables: () => Promise.resolve([]) },
      park: () => Promise.resolve(),
      events: { started: () => undefined, retried: () => undefined, ended: () => undefined },
      clock: { random: () => random },
      run: { tell: () => undefined, show: () => undefined },
      nowMs: () => START_AT,
    } as unknown as PublishTask;
    const outcome = await useAttempt(task, "platform-error", "no luck", atLeastMs);
    return { outcome, record: written.at(-1) };
  }

  it("waits for the floor, then doubles it up to the cap; chance only adds, up to a fifth", async () => {
    const waits = [0, 1, 2, 6].map(async (attempts) => (await after(attempts, 0)).outcome);
    expect(await Promise.all(waits)).toMatchObject(
      [5_000, 10_000, 20_000, 320_000].map((inMs) => ({ next: "retry", inMs })),
    );
    expect((await after(0, 1)).outcome).toMatchObject({ inMs: 6_000 });
  });

  it("waits no shorter than the platform asks", async () => {
    expect((await after(0, 0, {}, 57_000)).outcome).toMatchObject({ inMs: 57_000 });
  });

  it("leaves nothing of the attempt in the record", async () => {
    const { record } = await after(0, 0);
    expect(record).toMatchObject({ state: "planned", attempts: 1 });
    expect(record).not.toHaveProperty("baseline");
    expect(record).not.toHaveProperty("sendableUntil");
  });

  it("ends as failed when none is left, and as parked if an earlier one may have been applied", async () => {
    expect(await after(7, 0)).toMatchObject({
      outcome: { next: "fail", outcome: "failed", words: "no luck (attempt 8 of 8)" },
      record: { state: "failed", attempts: 8 },
    });
    expect(await after(7, 0, { untold: true })).toMatchObject({
      outcome: { next: "fail", outcome: "parked" },
      record: { state: "parked", attempts: 8 },
    });
  });
});
