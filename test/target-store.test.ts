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
    newest: () => redis.hget(keys.rules, "newest"),
    /** Of one that stopped or was stopped; a process of this name is another one from now on. */
    leave: async (processId: string) => {
      since.delete(processId);
      await store.leave(processId);
    },
    /** Its last sign of life has run out. */
    kill: async (processId: string, version: string) => {
      since.delete(processId);
      await redis.hset(keys.processes, processId, `1 ${version}`);
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
  const { beat, leave, kill } = openStore();
  await beat("back", "v2");
  await leave("back");
  await beat("killed", "v3");
  expect(await beat("again", "v2")).toBe(false);
  await kill("killed", "v3");
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

test("a process with the newer file gets the limits back from one with the older file that was started while it was dead", async () => {
  const { beat, kill, leave, newest } = openStore();
  await beat("a", "v1");
  await beat("b", "v2");
  await kill("b", "v2");
  await leave("a");
  expect([await beat("a", "v1"), await newest()]).toEqual([true, "v1"]);
  await beat("a", "v1");
  expect([await beat("b", "v2"), await newest()]).toEqual([true, "v2"]);
  expect([await beat("a", "v1"), await beat("b", "v2"), await newest()]).toEqual([false, false, "v2"]);

  // Also after it has run for long, and time after time.
  await kill("b", "v2");
  await leave("a");
  expect(await beat("a", "v1")).toBe(true);
  expect([await beat("b", "v2"), await beat("a", "v1"), await newest()]).toEqual([true, false, "v2"]);
});

test("a file that was changed back is not undone by processes that are late, run on, or are started anew with the other one", async () => {
  const { beat, leave, newest } = openStore();
  for (const process of ["a", "b", "c"]) await beat(process, "v1");
  for (const process of ["a", "b", "c"]) await beat(process, "v2", "v1");
  expect([await beat("a", "v1", "v2"), await newest()]).toEqual([true, "v1"]);
  const undone = [await beat("b", "v2"), await beat("c", "v2")];
  await leave("c");
  undone.push(await beat("c", "v2"), await beat("b", "v1", "v2"), await beat("b", "v1"));
  undone.push(await beat("a", "v1"), await beat("c", "v2"), await beat("c", "v1", "v2"));
  expect(undone).not.toContain(true);
  expect(await newest()).toBe("v1");
});

test("processes that are started anew one by one with the file of before get their limits with the last one, until somebody starts with the newer file", async () => {
  const { beat, leave, newest } = openStore();
  for (const process of ["a", "b"]) await beat(process, "v1");
  for (const process of ["a", "b"]) await beat(process, "v2", "v1");
  await leave("a");
  expect([await beat("a", "v1"), await beat("b", "v2"), await newest()]).toEqual([false, false, "v2"]);
  await leave("b");
  expect([await beat("b", "v1"), await newest()]).toEqual([true, "v1"]);
  expect([await beat("a", "v1"), await beat("b", "v1"), await newest()]).toEqual([false, false, "v1"]);
  // Whoever starts with the newer file goes forward again.
  expect([await beat("c", "v2"), await beat("a", "v1"), await newest()]).toEqual([true, false, "v2"]);
});

test("a version whose process dies between its first sign of life and its definitions is the newer one when it is back", async () => {
  const { store, beat, kill, newest } = openStore();
  await beat("a", "v1");
  expect((await store.beat({ processId: "b", version: "v2", before: "v2", since: undefined })).newer).toBe(
    true,
  );
  await kill("b", "v2");
  expect([await beat("a", "v1"), await newest()]).toEqual([false, "v1"]);
  expect([await beat("b", "v2"), await newest()]).toEqual([true, "v2"]);
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
