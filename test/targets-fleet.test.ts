import { pino } from "pino";
import { expect, test, vi } from "vitest";
import { keysOf } from "../src/queues/names.ts";
import { createTargetStore } from "../src/queues/target-store.ts";
import { createTargets, type Targets } from "../src/relay-targets.ts";
import type { Rules, Target } from "../src/rules/model.ts";
import { eventually } from "./support/eventually.ts";
import { newNamespace, openRedis } from "./support/redis.ts";
import { releaseLater } from "./support/release.ts";

/** A rules file with these targets and their concurrencies. */
const file = (version: string, targets: Readonly<Record<string, number>>): Rules => ({
  version,
  serializeJobGroups: true,
  rules: [],
  targets: Object.entries(targets).map(
    ([name, concurrency]): Target => ({ name, concurrency, connection: 2, schema: "public" }),
  ),
});

const OLD = file("old", { sales: 1 });
const NEW = file("new", { sales: 5 });

interface Member {
  readonly targets: Targets;
  /** The file of this process becomes another one. */
  change(rules: Rules): void;
  /** How often it gave a sign of life, and wrote definitions. */
  beats(): number;
  writes(): number;
}

/** Processes that share a namespace; `limits` holds the concurrencies as they were written last. */
function openFleet({ adoptEveryMs = 60_000 } = {}) {
  const redis = openRedis();
  const keys = keysOf(newNamespace());
  const limits = new Map<string, number>();
  const refusing = { limits: false };
  const lines: string[] = [];
  const start = async (first: Rules): Promise<Member> => {
    let rules = first;
    const store = createTargetStore(redis, keys);
    const beat = vi.fn<typeof store.beat>(store.beat);
    const register = vi.fn<typeof store.register>(store.register);
    const targets = createTargets({
      store: { ...store, beat, register },
      rules: () => rules,
      setLimits: async (all) => {
        if (refusing.limits) throw new Error("Redis is full");
        for (const { name, concurrency } of all) limits.set(name, concurrency);
      },
      log: pino({ level: "warn" }, { write: (line) => void lines.push(line) }),
      adoptEveryMs,
    });
    releaseLater(() => targets.leave());
    await targets.join();
    return {
      targets,
      change: (next) => {
        rules = next;
        targets.rulesChanged();
      },
      beats: () => beat.mock.calls.length,
      writes: () => register.mock.calls.length,
    };
  };
  return { redis, keys, limits, refusing, lines, start };
}

const concurrencyOf = ({ targets }: Member): number | undefined => targets.find("sales")?.concurrency;

test("the limits of the newer file hold in every process, and one that starts with the older file changes none", async () => {
  const { limits, start } = openFleet();
  const first = await start(OLD);
  const second = await start(NEW);
  expect(limits.get("sales")).toBe(5);
  await eventually(() => concurrencyOf(first) === 5, { what: "the newer limit in the older process" });

  await first.targets.leave();
  const again = await start(OLD);
  expect([concurrencyOf(again), concurrencyOf(second), limits.get("sales")]).toEqual([5, 5, 5]);
  expect(again.targets.fleet()).toEqual({ versions: ["new", "old"], newest: "new" });
});

test("a file that is changed back is the newer one again", async () => {
  const { limits, start } = openFleet();
  const one = await start(OLD);
  one.change(NEW);
  await eventually(() => limits.get("sales") === 5, { what: "the new limit" });
  one.change(OLD);
  await eventually(() => limits.get("sales") === 1, { what: "the old limit" });
  expect(one.targets.fleet()).toEqual({ versions: ["old"], newest: "old" });
});

test("so it is when every process is started anew with the file as it was before", async () => {
  const { limits, start } = openFleet();
  await (await start(OLD)).targets.leave();
  await (await start(NEW)).targets.leave();
  const back = await start(OLD);
  expect([limits.get("sales"), back.targets.fleet().newest]).toEqual([1, "old"]);
});

test("the newer file gets its limits back from an older one that took over while nobody ran it", async () => {
  const { limits, start } = openFleet();
  await (await start(OLD)).targets.leave();
  await (await start(NEW)).targets.leave();
  const older = await start(OLD);
  expect(limits.get("sales")).toBe(1);
  const newer = await start(NEW);
  expect([limits.get("sales"), newer.targets.fleet().newest]).toEqual([5, "new"]);
  await eventually(() => concurrencyOf(older) === 5, { what: "the newer limit in the older process" });
});

test("a target that only the older file of a living process names is known to all as long as it lives", async () => {
  const { start } = openFleet();
  const older = await start(file("old", { sales: 1, extra: 2 }));
  const newer = await start(NEW);
  const names = (member: Member) =>
    member.targets.list().map(({ name, inRules }) => `${name} ${inRules ? "in the rules" : "left"}`);
  await eventually(() => names(older).includes("extra left"), {
    what: "the older process knows that it left",
  });
  expect(names(newer)).toEqual(["sales in the rules", "extra left"]);
  await older.targets.leave();
  await eventually(() => names(newer).length === 1, { what: "nothing is left of it" });
});

test("a target with an open task stays, also when no job of it is in its queue", async () => {
  const { redis, keys, start } = openFleet();
  await redis.zadd(keys.open, 1, "publish.sales\tjobgroup-31-2-public-orders\t31\ttask:2/public/orders");
  await (await start(OLD)).targets.leave();
  const one = await start(file("new", { finance: 1 }));
  const names = () => one.targets.list().map(({ name }) => name);
  expect(names()).toEqual(["finance", "sales"]);
  // One that has nothing to do goes at the next look; this one does not.
  await redis.hset(keys.targets, "idle", (await redis.hget(keys.targets, "sales")) ?? "");
  await redis.hset(keys.rules, "rev", "another");
  await eventually(async () => (await redis.hexists(keys.targets, "idle")) === 0, {
    what: "the idle one gone",
  });
  expect(names()).toContain("sales");
  await redis.del(keys.open);
  await eventually(() => names().length === 1, { what: "nothing is left of it" });
});

test("the target of an open task that nobody has registered is run all the same, one task at a time", async () => {
  const { redis, keys, limits, start } = openFleet();
  await redis.zadd(keys.open, 1, "publish.lost\tjobgroup-31-2-public-orders\t31\ttask:2/public/orders");
  const plan = JSON.stringify({ target: "lost", connection: 2, schema: "public" });
  await redis.hset(keys.group(31), "plan:task:2/public/orders", plan);
  const { targets } = await start(NEW);
  expect(targets.find("lost")).toMatchObject({ inRules: false, concurrency: 1 });
  expect(limits.get("lost")).toBe(1);
});

test("what a Redis that came back empty has forgotten is written again", async () => {
  const { redis, keys, limits, start } = openFleet();
  await start(NEW);
  limits.clear();
  await redis.del(keys.rules, keys.rulesSeen, keys.targets, keys.processes);
  await eventually(() => limits.get("sales") === 5, { what: "the limit" });
  expect(await redis.hkeys(keys.targets)).toEqual(["sales"]);
});

test("limits that could not be written are written later, and a file that had come already is no change again", async () => {
  const { limits, refusing, lines, start } = openFleet();
  const one = await start(OLD);
  const two = await start(OLD);
  refusing.limits = true;
  one.change(NEW);
  await eventually(() => lines.some((line) => line.includes("Redis is full")), { what: "the refusal" });
  // Somebody goes back, and the other process hears of it first.
  two.change(NEW);
  await eventually(() => two.targets.fleet().newest === "new", { what: "the new file" });
  two.change(OLD);
  await eventually(() => two.targets.fleet().newest === "old", { what: "the old file" });
  limits.clear();
  const beats = one.beats();
  await eventually(() => one.beats() >= beats + 2, { what: "two more looks" });
  refusing.limits = false;
  await eventually(() => limits.get("sales") === 1 && concurrencyOf(one) === 1, { what: "the old limit" });
  expect(one.targets.fleet()).toEqual({ versions: ["new", "old"], newest: "old" });
});

test("an open task of a target that nobody has registered finds a worker later too, and gets its limits from rules that name it", async () => {
  const { redis, keys, limits, lines, start } = openFleet({ adoptEveryMs: 0 });
  const { targets } = await start(NEW);
  const plan = JSON.stringify({ target: "lost", connection: 2, schema: "public" });
  await redis.hset(keys.group(31), "plan:task:2/public/orders", plan);
  await redis.zadd(keys.open, 1, "publish.lost\tjobgroup-31-2-public-orders\t31\ttask:2/public/orders");
  await eventually(() => targets.find("lost")?.concurrency === 1, { what: "the target of the open task" });
  expect(limits.get("lost")).toBe(1);
  expect(lines.filter((line) => line.includes("no rules are known"))).toHaveLength(1);

  // Older rules than those of the other process, but the only ones that know the target.
  await redis.zadd(keys.rulesSeen, 0.5, "old");
  await start(file("old", { lost: 3 }));
  await eventually(() => targets.find("lost")?.concurrency === 3, { what: "the limits by rules" });
});

test("a definition that cannot be read is written anew by the newest rules alone, and told once", async () => {
  const { redis, keys, limits, lines, start } = openFleet();
  const older = await start(file("old", { sales: 1, other: 2 }));
  await start(NEW);
  await eventually(() => older.targets.fleet().newest === "new", { what: "the newer rules" });
  limits.clear();
  await redis.hset(keys.targets, "sales", "{ half a definition", "other", "{}");
  await redis.hset(keys.rules, "rev", "another");
  const inRedis = async (): Promise<unknown> => JSON.parse((await redis.hget(keys.targets, "sales")) ?? "");
  await eventually(async () => ((await inRedis()) as { version: string }).version === "new", {
    what: "the definition of the newest rules",
  });
  await eventually(() => limits.get("sales") === 5, { what: "their limits" });
  const told = () => lines.filter((line) => line.includes("cannot be read")).length;
  await eventually(() => told() === 2, { what: "a line of each process" });

  const writes = older.writes();
  const beats = older.beats();
  await eventually(() => older.beats() >= beats + 2, { what: "two more looks" });
  expect(older.writes()).toBe(writes);
  expect(await redis.hget(keys.targets, "other")).toBe("{}");
  expect(told()).toBe(2);
});
