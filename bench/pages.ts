import { createCompletionRecords } from "../src/queues/completion-record.ts";
import { keysOf, publishQueue } from "../src/queues/names.ts";
import { NO_PACE } from "../src/queues/pace.ts";
import { PLANNED } from "../src/queues/record.ts";
import { createTaskRecords } from "../src/queues/task-record.ts";
import type { PublishPlan } from "../src/rules/model.ts";
import { taskId, taskKey } from "../src/rules/task-identity.ts";
import type { TaskState } from "../src/rules/task-state.ts";
import { millis, quantile, type Row, type Section } from "./figures.ts";
import type { Site } from "./site.ts";

const RETENTION_MS = 90 * 86_400_000;
const AT_ONCE = 250;
const TABLES = 500;

/** How long each kind of page takes with so many kept job groups; a naive pipeline has none to compare with. */
export async function measurePages(site: Site, groups: number, asks: number): Promise<Section> {
  const filledAt = performance.now();
  await fill(site, groups);
  const fillMs = performance.now() - filledAt;
  const stub = await site.startStub();
  const relay = await site.startRelay(stub, "web");
  const url = `http://127.0.0.1:${relay.port}`;
  const deep = await cursorAt(url, Math.min(200, Math.floor(groups / 50)));
  const pages: Record<string, string> = {
    overview: "/",
    "job groups, first page": "/job-groups",
    "job groups, deep": deep,
    "by target": "/job-groups?target=target2",
    "by table": "/job-groups?table=public.orders_77",
    "by state, one in a thousand": "/job-groups?state=failed",
    "by state, most": "/job-groups?state=published",
    "two filters": "/job-groups?target=target1&state=published",
    "two large filters that share nothing": "/job-groups?target=target3&rule=rule-of-target1",
    "table and state": "/job-groups?table=orders_77&state=failed",
    "story of one": `/job-groups/${Math.floor(groups / 2)}`,
  };
  const rows: Row[] = [];
  const figures: Record<string, number[]> = {};
  for (const [what, path] of Object.entries(pages)) {
    const times = await timesOf(url + path, asks);
    figures[what] = times;
    rows.push({
      what: `${what}: median, and 95 % within`,
      ours: `${millis(quantile(times, 0.5))}, ${millis(quantile(times, 0.95))}`,
      naive: "",
      ratio: "",
    });
  }
  return {
    title: `pages, ${groups.toLocaleString("en")} job groups kept`,
    rows,
    figures: { groups, fillMs, figures },
  };
}

async function timesOf(address: string, asks: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < asks + 3; i++) {
    const from = performance.now();
    const answer = await fetch(address);
    await answer.text();
    if (answer.status !== 200) throw new Error(`${address} answered ${answer.status}`);
    // The first ones find nothing compiled.
    if (i >= 3) times.push(performance.now() - from);
  }
  return times;
}

/** The address of a page so far back. */
async function cursorAt(url: string, pages: number): Promise<string> {
  let path = "/job-groups";
  for (let i = 0; i < pages; i++) {
    const page = await (await fetch(url + path)).text();
    const next = /rel="next" href="([^"]+)"/.exec(page)?.[1];
    if (!next) break;
    path = next.replaceAll("&#38;", "&");
  }
  return path;
}

/** Through the scripts that the relay itself writes with. */
async function fill({ redis }: Site, groups: number): Promise<void> {
  const keys = keysOf("publish-relay");
  const completions = createCompletionRecords(redis, keys, RETENTION_MS);
  const tasks = createTaskRecords({
    redis,
    keys,
    retentionMs: RETENTION_MS,
    paceOf: () => NO_PACE,
    wake: () => Promise.resolve(),
    restore: () => Promise.resolve(),
  });
  const one = async (id: number): Promise<void> => {
    const plan = planOf(id);
    const { rev } = await completions.merge(id, { source: "webhook", labels: { env: "prod" } });
    // Planning asks for registered targets, and there is no relay yet that registers them.
    await completions.restore(plan);
    await completions.conclude(id, rev, "dispatched", `Job group ${id}: 1 new publish task`);
    const state = stateOf(id);
    if (state === "planned") return;
    const lock = keys.queue(publishQueue(plan.target), `${taskId(id, taskKey(plan))}:lock`);
    await redis.set(lock, "bench", "PX", 60_000);
    const hold = tasks.hold(plan, "bench");
    await hold.claim();
    const words = state === "failed" ? "Designer Cloud answered 403" : "Published by publish job 7 in 2.1 s";
    await hold.write(["planned"], { ...PLANNED, state, words, endedAt: Date.now() });
    await redis.del(lock);
  };
  for (let from = 1; from <= groups; from += AT_ONCE) {
    const ids = Array.from({ length: Math.min(AT_ONCE, groups - from + 1) }, (_, i) => from + i);
    await Promise.all(ids.map(one));
  }
}

/** One in a thousand failed, one in a thousand is parked, as many wait. */
function stateOf(id: number): TaskState {
  const place = id % 1_000;
  if (place === 77) return "failed";
  if (place === 500) return "parked";
  return place === 900 ? "planned" : "published";
}

function planOf(id: number): PublishPlan {
  const target = `target${(id % 3) + 1}`;
  return {
    v: 1,
    jobGroupId: id,
    finishedAt: Date.now() - 3_000,
    rule: `rule-of-${target}`,
    rulesVersion: "0123456789ab",
    target,
    connection: (id % 3) + 2,
    schema: "public",
    table: `orders_${id % TABLES}`,
    action: "load",
    format: "avro",
    attempts: 8,
    backoff: { floorMs: 5_000, capMs: 600_000 },
    deadlineMs: 21_600_000,
    settleAfterMs: 120_000,
    priority: 1_000,
    stale: "supersede",
    serialize: true,
  };
}
