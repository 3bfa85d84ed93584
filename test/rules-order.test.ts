import { expect, test } from "vitest";
import { keysOf } from "../src/queues/names.ts";
import { createTargetStore } from "../src/queues/target-store.ts";
import { newNamespace, openRedis } from "./support/redis.ts";

/** Processes that give signs of life when they are told to. */
function openFleet() {
  const redis = openRedis();
  const keys = keysOf(newNamespace());
  const store = createTargetStore(redis, keys);
  const since = new Map<string, number>();
  return {
    redis,
    keys,
    store,
    /** A sign of life of a process that runs a version, and registers it if it is newer; `before` when its file changed. */
    beat: async (processId: string, version: string, before = version) => {
      const { newer, at } = await store.beat({ processId, version, before, since: since.get(processId) });
      since.set(processId, since.get(processId) ?? at);
      if (newer) await store.register({ version, targets: [] }, true, new Map());
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
  };
}

test("a process whose file comes late, by way of a version that the fleet has left, brings nothing back", async () => {
  const { beat } = openFleet();
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
  const { beat } = openFleet();
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
  const { beat, leave, kill } = openFleet();
  await beat("back", "v2");
  await leave("back");
  await beat("killed", "v3");
  expect(await beat("again", "v2")).toBe(false);
  await kill("killed", "v3");
  expect(await beat("again", "v2")).toBe(true);
});

test("a restart of the processes with the newest rules gives one that runs older ones no chance for a minute", async () => {
  const { redis, keys, beat } = openFleet();
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
  const { beat, kill, leave, newest } = openFleet();
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
  const { beat, leave, newest } = openFleet();
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
  const { beat, leave, newest } = openFleet();
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
  const { store, beat, kill, newest } = openFleet();
  await beat("a", "v1");
  expect((await store.beat({ processId: "b", version: "v2", before: "v2", since: undefined })).newer).toBe(
    true,
  );
  await kill("b", "v2");
  expect([await beat("a", "v1"), await newest()]).toEqual([false, "v1"]);
  expect([await beat("b", "v2"), await newest()]).toEqual([true, "v2"]);
});
