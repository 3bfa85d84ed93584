import { expect, test } from "vitest";
import { dispatchCompletion } from "../src/processors/dispatch-completion.ts";
import { createCompletionRecords } from "../src/queues/completion-record.ts";
import { keysOf, publishQueue } from "../src/queues/names.ts";
import { createTargetStore } from "../src/queues/target-store.ts";
import { rulesNeed } from "../src/rules/lookups.ts";
import type { PublishPlan, Rules } from "../src/rules/model.ts";
import { parseRules } from "../src/rules/parse-rules.ts";
import { planPublishes } from "../src/rules/plan-publishes.ts";
import { undecidedRules } from "../src/rules/undecided.ts";
import { newNamespace, openRedis } from "./support/redis.ts";
import { only } from "./support/relay.ts";

const NONE: ReadonlyMap<string, string> = new Map();

/** A rules file by which every job group goes to this target. */
const fileFor = (target: string): Rules =>
  parseRules(
    JSON.stringify({
      version: 1,
      targets: { [target]: { connection: 2, schema: "public" } },
      rules: [{ name: "all", when: "all", publish: [{ target, table: "orders", action: "load" }] }],
    }),
    "rules.yaml",
  ).rules;

const SALES = fileFor("sales");
const FINANCE = fileFor("finance");

function openStore() {
  const redis = openRedis();
  const keys = keysOf(newNamespace());
  const store = createTargetStore(redis, keys);
  const records = createCompletionRecords(redis, keys, 60_000);
  const since = new Map<string, number>();
  return {
    redis,
    keys,
    store,
    records,
    /** A sign of life of a process that runs a version, and registers it if it is newer; `before` when its file changed. */
    beat: async (processId: string, version: string, before = version) => {
      const { newer, at } = await store.beat({ processId, version, before, since: since.get(processId) });
      since.set(processId, since.get(processId) ?? at);
      if (newer) await store.register({ version, targets: [] }, true, NONE);
      return newer;
    },
    registered: async (name: string) => {
      const { targets } = await store.read();
      const found = targets.find(({ target }) => target.name === name);
      if (!found) throw new Error(`${name} is not registered`);
      return found;
    },
  };
}

type Opened = ReturnType<typeof openStore>;

/** The newest rules are those for finance, and sales stands there with nothing to do. */
async function leaveSales({ store, registered }: Opened) {
  await store.register(SALES, true, NONE);
  await store.register(FINANCE, true, NONE);
  return registered("sales");
}

/** Dispatches job group 31 by these rules; `meanwhile` is done while the platform is asked for it. */
async function dispatch({ records }: Opened, rules: Rules, meanwhile: () => Promise<unknown>) {
  const added: PublishPlan[] = [];
  const outcome = await dispatchCompletion(
    31,
    {
      platform: {
        getJobGroup: async (id) => {
          await meanwhile();
          return { id, status: "Complete", updatedAt: 0 };
        },
        getRecipe: async (id) => ({ id }),
        getFlow: async (id) => ({ id }),
      },
      records,
      rules: { current: rules, needs: rulesNeed, plan: planPublishes, undecided: undecidedRules },
      fanOut: {
        first: async (_, plans) => plans[0],
        add: async (_, plans) => void added.push(...plans),
        hasJob: async () => false,
      },
      now: Date.now,
    },
    { stalls: 0, signal: new AbortController().signal, tell: () => {}, show: () => {} },
  );
  return { outcome, added };
}

test("a dispatch whose target is struck off while it asks the platform plans nothing, and begins again by the rules in force", async () => {
  const site = openStore();
  const { store, records } = site;
  const sales = await leaveSales(site);
  await records.ensure(31);
  const late = await dispatch(site, SALES, async () => expect(await store.forget(sales)).toBe(true));
  expect(late.outcome).toMatchObject({ next: "later" });
  expect(late.added).toEqual([]);
  expect((await records.read(31)).tasks).toEqual([]);

  const again = await dispatch(site, FINANCE, async () => undefined);
  expect(again.outcome).toMatchObject({ next: "done" });
  expect(only(again.added).target).toBe("finance");
});

test("a target for which a dispatch has planned a task is not struck off, whoever found it idle before", async () => {
  const site = openStore();
  const { redis, keys, store, records } = site;
  const sales = await leaveSales(site);
  await records.ensure(31);
  const { added } = await dispatch(site, SALES, async () => undefined);
  expect(only(added).target).toBe("sales");
  expect(await store.forget(sales)).toBe(false);

  // Also when the task's line came after the look at them: the script itself asks once more.
  const lines = await redis.zrange(keys.open, "0", "-1");
  await redis.del(keys.open);
  const racing = createTargetStore(
    plansAfterLook(redis, () => redis.zadd(keys.open, 1, only(lines))),
    keys,
  );
  expect(await racing.forget(sales)).toBe(false);
  await redis.del(keys.open);
  expect(await store.forget(sales)).toBe(true);
});

/** The same client, with which something happens after each look at the open tasks. */
function plansAfterLook(redis: ReturnType<typeof openRedis>, then: () => Promise<unknown>) {
  return new Proxy(redis, {
    get: (of, name) => {
      if (name !== "zscan") {
        const value: unknown = Reflect.get(of, name);
        return typeof value === "function" ? value.bind(of) : value;
      }
      return async (...args: Parameters<typeof redis.zscan>) => {
        const answer = await redis.zscan(...args);
        await then();
        return answer;
      };
    },
  });
}

test.each([
  ["wait", "list"],
  ["active", "list"],
  ["paused", "list"],
  ["delayed", "set"],
  ["prioritized", "set"],
] as const)("a target with a job in %s is not struck off", async (suffix, kind) => {
  const site = openStore();
  const { redis, keys, store } = site;
  const sales = await leaveSales(site);
  const key = keys.queue(publishQueue("sales"), suffix);
  await (kind === "list" ? redis.lpush(key, "job") : redis.zadd(key, 1, "job"));
  expect(await store.forget(sales)).toBe(false);
  await redis.del(key);
  expect(await store.forget(sales)).toBe(true);
});

test("a target of the newest rules is not struck off by a process that has not heard of them", async () => {
  const site = openStore();
  await site.store.register(SALES, true, NONE);
  expect(await site.store.forget(await site.registered("sales"))).toBe(false);
});

test("a process whose file comes late, by way of a version that the fleet has left, brings nothing back", async () => {
  const { beat } = openStore();
  const newer: boolean[] = [];
  for (const version of ["v1", "v2", "v3"]) newer.push(await beat("one", version));
  await beat("late", "v1");
  newer.push(await beat("late", "v2", "v1"), await beat("late", "v2"), await beat("late", "v3", "v2"));
  expect(newer).toEqual([true, true, true, false, false, false]);
  // But somebody who changes the file that the fleet runs goes back on purpose.
  expect(await beat("one", "v2", "v3")).toBe(true);
  expect(await beat("late", "v3")).toBe(false);
});

test("a version that a living process runs does not become a new one, however many came after it", async () => {
  const { beat } = openStore();
  await beat("old", "first");
  const newer: boolean[] = [];
  for (let n = 0; n < 120; n++) {
    await beat("one", `v${n}`);
    newer.push(await beat("old", "first"));
  }
  expect(newer).not.toContain(true);
  expect(await beat("two", "v0")).toBe(true);
});

test("the start with older rules counts once the processes with the newest are dead, also when they were killed just before", async () => {
  const { redis, keys, beat } = openStore();
  await beat("back", "v2");
  await redis.hdel(keys.processes, "back");
  await beat("killed", "v3");
  expect(await beat("again", "v2")).toBe(false);
  // Its last sign of life has run out.
  await redis.hset(keys.processes, "killed", "1 v3");
  expect(await beat("again", "v2")).toBe(true);
});

test("a restart of the processes with the newest rules gives one that runs older ones no chance for a minute", async () => {
  const { redis, keys, beat } = openStore();
  await beat("older", "v2");
  await beat("newer", "v3");
  // Some milliseconds of Redis' clock later.
  await redis.hset(keys.rules, "aliveAt", Date.now() + 1_000);
  await redis.hdel(keys.processes, "newer");
  expect(await beat("older", "v2")).toBe(false);
  await redis.hset(keys.rules, "aliveAt", Date.now() - 61_000);
  expect(await beat("older", "v2")).toBe(true);
});
