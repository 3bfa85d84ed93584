import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Job } from "bullmq";
import { expect, test } from "vitest";
import { keysOf } from "../src/queues/names.ts";
import { eventually } from "./support/eventually.ts";
import { openRedis } from "./support/redis.ts";
import { openSite, only } from "./support/relay.ts";
import { releaseLater } from "./support/release.ts";

const TARGETS = { sales: { connection: 2, schema: "public" }, finance: { connection: 3, schema: "public" } };
const rulesFor = (target: keyof typeof TARGETS, more: object = {}) => ({
  version: 1,
  targets: { [target]: { ...TARGETS[target], ...more } },
  rules: [
    {
      name: "all",
      when: "all",
      publish: [
        {
          target,
          table: "orders",
          action: "load",
          settleAfter: "1s",
          attempts: 2,
          backoff: { first: "1h", max: "1h" },
        },
      ],
    },
  ],
});

async function fileOf(rules: object): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-targets-"));
  releaseLater(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "rules.yaml");
  await writeFile(path, JSON.stringify(rules));
  return path;
}

interface Shown {
  readonly name: string;
  readonly description: string;
}

async function board(url: string): Promise<Shown[]> {
  const { queues } = (await (await fetch(`${url}/board/api/queues`)).json()) as { queues: Shown[] };
  return queues.filter(({ name }) => name.startsWith("publish."));
}

const metricsOf = async (url: string) => (await fetch(`${url}/metrics`)).text();

test("a target that left the rules lives on, through a restart of every process, until its delayed task has ended", async () => {
  const site = await openSite({ rules: rulesFor("sales") });
  site.simulator.addFault({ kind: "fail", times: 1 });
  const before = [await site.start(), await site.start()];
  await before[0]?.report(2);
  const queue = site.queue("publish.sales");
  const delayed = (await eventually(async () => (await queue.getDelayed())[0], {
    what: "a task that waits an hour for its next attempt",
  })) as Job;
  const redis = openRedis();
  const { targets, rules } = keysOf(site.namespace);
  const idle = (await redis.hget(targets, "sales")) ?? "";
  await Promise.all(before.map(({ stop }) => stop()));

  const env = { RULES_FILE: await fileOf(rulesFor("finance")) };
  const after = await site.start(env);
  await site.start({ ...env, ROLES: "publish" });
  const shown = await eventually(async () => {
    const queues = await board(after.url);
    return queues.length === 2 ? queues : undefined;
  });
  expect(shown.map(({ name }) => name)).toEqual(["publish.finance", "publish.sales"]);
  expect(shown[0]?.description).not.toContain("NO LONGER IN THE RULES");
  expect(shown[1]?.description).toContain("NO LONGER IN THE RULES");

  expect(await metricsOf(after.url)).toContain('queue="publish.sales"');

  // One that has nothing to do goes with the next look at those that left the rules; this one does not.
  await redis.hset(targets, { idle });
  await redis.hset(rules, "rev", "another");
  await eventually(async () => (await redis.hexists(targets, "idle")) === 0, { what: "the idle one gone" });
  expect(await redis.hexists(targets, "sales")).toBe(1);
  expect((await board(after.url)).map(({ name }) => name)).toContain("publish.sales");

  await delayed.promote();
  expect(only(await site.ended(2)).record).toMatchObject({ state: "published" });
  await eventually(async () => (await board(after.url)).length === 1, {
    what: "the board without the target that is done",
  });
  expect(await (await fetch(`${after.url}/readyz`)).json()).toMatchObject({ status: "ready" });
  expect(await metricsOf(after.url)).not.toContain('queue="publish.sales"');
});
