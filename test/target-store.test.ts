import { expect, test } from "vitest";
import { dispatchCompletion } from "../src/processors/dispatch-completion.ts";
import { createBreakerStore } from "../src/queues/breaker-store.ts";
import { createCompletionRecords } from "../src/queues/completion-record.ts";
import { createHolds } from "../src/queues/holds.ts";
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
  return {
    redis,
    keys,
    store,
    records,
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

test("what held up a target and its breaker go with it, its last starts stay, and a pause is noted anew when it comes back", async () => {
  const site = openStore();
  const { redis, keys, store } = site;
  const sales = await leaveSales(site);
  const holds = createHolds(redis, keys);
  await redis.hset(keys.queue(publishQueue("sales"), "meta"), "paused", "1");
  await holds.notePauses(["sales", "finance"]);
  await createBreakerStore(redis, keys).failed("sales", "no answer");
  await redis.lpush(keys.pace("sales"), "1");
  expect(await redis.exists(keys.held("sales"), keys.breaker("sales"))).toBe(2);
  expect(await store.forget(sales)).toBe(true);
  expect(await redis.exists(keys.held("sales"), keys.breaker("sales"))).toBe(0);
  expect(await redis.exists(keys.pace("sales"))).toBe(1);

  await holds.notePauses(["finance"]);
  await holds.notePauses(["sales", "finance"]);
  expect(await holds.look("sales")).toMatchObject({ cause: "pause" });
});
