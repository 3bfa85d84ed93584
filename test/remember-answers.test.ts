import { expect, test } from "vitest";
import { rememberAnswers } from "../src/designer-cloud/remember-answers.ts";

interface Answer {
  readonly id: number;
  readonly name?: string;
}

/** A platform that answers when the test says so, behind a memory of a minute and two answers. */
function openMemory() {
  const calls: { id: number; signal: AbortSignal; answer(name?: string): void; fail(error: Error): void }[] =
    [];
  const clock = { nowMs: 0 };
  const ask = rememberAnswers<Answer>(
    (id, signal = new AbortController().signal) =>
      new Promise((resolve, reject) => {
        const answer = (name?: string) => resolve({ id, ...(name !== undefined && { name }) });
        signal.addEventListener("abort", () => reject(new Error("stopped")));
        calls.push({ id, signal, answer, fail: reject });
      }),
    { lifeMs: 60_000, max: 2, isWhole: ({ name }) => name !== undefined, now: () => clock.nowMs },
  );
  const learn = async (id: number, name?: string) => {
    const told = ask(id);
    calls.at(-1)?.answer(name);
    return told;
  };
  return { ask, calls, clock, learn };
}

test("an answer is good for its life from when it was asked for, and then asked for again", async () => {
  const { ask, calls, clock } = openMemory();
  const first = ask(27);
  clock.nowMs = 30_000;
  calls[0]?.answer("orders");
  await first;
  clock.nowMs = 59_999;
  expect(await ask(27)).toEqual({ id: 27, name: "orders" });
  expect(calls).toHaveLength(1);
  clock.nowMs = 60_000;
  const second = ask(27);
  calls[1]?.answer("renamed");
  expect(await second).toEqual({ id: 27, name: "renamed" });
});

test("an answer without a name, and a failure, are not remembered", async () => {
  const { ask, calls, learn } = openMemory();
  expect(await learn(27)).toEqual({ id: 27 });
  const failing = ask(27);
  calls[1]?.fail(new Error("502"));
  await expect(failing).rejects.toThrow("502");
  expect(await learn(27, "orders")).toEqual({ id: 27, name: "orders" });
  expect(calls).toHaveLength(3);
});

test("who asks for the same at once shares one call, and its failure", async () => {
  const { ask, calls } = openMemory();
  const all = Array.from({ length: 10 }, () => ask(27));
  expect(calls).toHaveLength(1);
  calls[0]?.fail(new Error("403"));
  const ends = await Promise.allSettled(all);
  expect(ends.filter(({ status }) => status === "rejected")).toHaveLength(10);
});

test("one who leaves neither stops nor fails the call for the others; the last one stops it", async () => {
  const { ask, calls } = openMemory();
  const [one, other] = [new AbortController(), new AbortController()];
  const left = ask(27, one.signal);
  const stays = ask(27, other.signal);
  one.abort(new Error("the first one left"));
  await expect(left).rejects.toThrow("the first one left");
  expect(calls[0]?.signal.aborted).toBe(false);
  calls[0]?.answer("orders");
  expect(await stays).toEqual({ id: 27, name: "orders" });

  const alone = ask(28, other.signal);
  other.abort(new Error("so did the last"));
  await expect(alone).rejects.toThrow("so did the last");
  expect(calls[1]?.signal.aborted).toBe(true);
  const anew = ask(28);
  calls[2]?.answer("customers");
  expect(await anew).toEqual({ id: 28, name: "customers" });
  await expect(ask(28, other.signal)).rejects.toThrow("so did the last");
});

test("no more answers are kept than there is room for: the oldest goes first", async () => {
  const { ask, calls, learn } = openMemory();
  for (const id of [1, 2, 3]) await learn(id, `recipe ${id}`);
  await Promise.all([ask(2), ask(3)]);
  expect(calls).toHaveLength(3);
  await learn(1, "again");
  expect(calls.map(({ id }) => id)).toEqual([1, 2, 3, 1]);
});
