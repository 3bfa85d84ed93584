import { expect, test } from "vitest";
import { findRun, type ListedRun } from "../src/processors/find-run.ts";

const MINE = 7;
const runOf = (id: number): ListedRun => ({
  id,
  recipeId: 27,
  ranFrom: "api",
  ranFor: "recipe",
  creatorId: MINE,
});

/** Looks for a run of recipe 27 that is newer than job group 10, while the platform's list grows. */
async function find(
  lists: readonly (readonly number[])[],
  otherKeys: (look: number) => readonly number[],
): Promise<number | undefined> {
  let look = -1;
  return findRun(27, 10, {
    platform: {
      listOwnRuns: async () => {
        look++;
        return { runs: (lists[look] ?? lists.at(-1) ?? []).map(runOf), isAll: true };
      },
      getCurrentPerson: async () => ({ id: MINE }),
    },
    startedBy: async (id) => (otherKeys(look).includes(id) ? "another key" : undefined),
    signal: new AbortController().signal,
    pauseMs: 1,
  });
}

test("a run of another key that appears meanwhile is in doubt only until the relay's own report of it is there", async () => {
  const lists = [
    [11, 10],
    [12, 11, 10],
  ];
  expect(await find(lists, (look) => (look >= 2 ? [12] : []))).toBe(11);
});

test("one that nobody reports stays in doubt, and nothing is guessed", async () => {
  expect(
    await find(
      [
        [11, 10],
        [12, 11, 10],
      ],
      () => [],
    ),
  ).toBeUndefined();
});
