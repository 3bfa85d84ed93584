import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { REPEATABLE_ACTIONS } from "../src/rules/model.ts";
import { idOf } from "./support/publish-model/record.ts";
import { type Bounds, stories } from "./support/publish-model/stories.ts";
import type { Story } from "./support/publish-model/story.ts";
import { type Ending, play, type Played } from "./support/publish-model/world.ts";

/** The same stories each time; RUNS=20000 SEED=$RANDOM hunts for others. */
const numRuns = Number(process.env["RUNS"] ?? 300);
const seed = { seed: Number(process.env["SEED"] ?? 1) };

const isRepeatable = ({ plan }: Ending): boolean => REPEATABLE_ACTIONS.includes(plan.action);

const twice = (ending: Ending): string[] =>
  ending.ours.length > 1 && !isRepeatable(ending)
    ? [`${idOf(ending.plan)}: applied ${ending.ours.length} times`]
    : [];

/** A publish that showed too late may be there beside the one that was sent for it. */
const moreOftenThanLate = (ending: Ending): string[] =>
  ending.ours.length > 1 + ending.late ? twice(ending) : [];

/** Is each task's end the truth? */
function lies(ending: Ending): string[] {
  const { plan, record, ours, wrote } = ending;
  const id = idOf(plan);
  const found: string[] = [];
  if (record.state === "failed" && ours.length > 0) found.push(`${id} failed, and was applied`);
  if (record.state === "published" && wrote.length === 0)
    found.push(`${id} is published, and nobody wrote it`);
  if (record.state === "superseded" && ours.length > 0) found.push(`${id} is superseded, and was applied`);
  return found;
}

const unexplained = ({ plan, record }: Ending): string[] =>
  record.state === "parked" && !record.evidence?.["why"] ? [`${idOf(plan)} is parked without evidence`] : [];

const once = ({ violations, endings }: Played): string[] => [
  ...violations,
  ...endings.flatMap(twice),
  ...endings.flatMap(unexplained),
];
const onceAndUntouched = (played: Played): string[] => [...once(played), ...played.untrue];
const onceAndTrue = (played: Played): string[] => [
  ...once(played),
  ...played.untrue,
  ...played.endings.flatMap(lies),
];

/** The smallest story that goes wrong, told; undefined when none was found. */
async function counterexample(
  bounds: Bounds,
  wrongIn: (played: Played, story: Story) => string[],
): Promise<string | undefined> {
  const found = await fc.check(
    fc.asyncProperty(stories(bounds), async (story) => {
      const played = await play(story);
      const wrong = wrongIn(played, story);
      if (wrong.length > 0) throw new Error(`${wrong.join("\n")}\n\n${played.trace.slice(-60).join("\n")}\n`);
    }),
    { numRuns, ...seed },
  );
  return found.failed ? `${fc.defaultReportMessage(found)}\n${String(found.errorInstance)}` : undefined;
}

describe("the publish of a task, whatever happens", () => {
  it("is applied at most once, and its end is the truth", { timeout: 0 }, async () =>
    expect(await counterexample({ appearMax: 1, ui: false }, onceAndTrue)).toBeUndefined(),
  );

  it(
    "is applied at most once, even when Redis loses all that it holds: every publish job is explained",
    { timeout: 0 },
    async () =>
      expect(
        await counterexample(
          { appearMax: 1, ui: false, redisLost: "all", tenant: { showAs: fc.constant("job") } },
          onceAndUntouched,
        ),
      ).toBeUndefined(),
  );

  it("is applied at most once, even when Redis loses its last seconds", { timeout: 0 }, async () =>
    expect(
      await counterexample(
        {
          appearMax: 1,
          ui: false,
          redisLost: "last-seconds",
          tenant: { showAs: fc.constant("job"), listsTables: fc.constant(true) },
        },
        onceAndUntouched,
      ),
    ).toBeUndefined(),
  );

  it("is applied at most once, while somebody publishes by hand", { timeout: 0 }, async () =>
    expect(await counterexample({ appearMax: 1, ui: true }, once)).toBeUndefined(),
  );

  it(
    "is parked only when nothing can tell: not on a tenant that lists its tables",
    {
      timeout: 0,
    },
    async () =>
      expect(
        await counterexample(
          {
            appearMax: 1,
            ui: false,
            prompt: true,
            serialize: true,
            settle: [1_000, 20_000, 120_000],
            tenant: {
              showAs: fc.constant("job"),
              listsTables: fc.constant(true),
              tellsDatabase: fc.constant(true),
            },
          },
          ({ endings }, { incidents }) =>
            // Six crashes in one step park a task.
            incidents.length < 6
              ? endings.flatMap(({ plan, record }) =>
                  record.state === "parked" ? [`${idOf(plan)} is parked: ${record.words}`] : [],
                )
              : [],
        ),
      ).toBeUndefined(),
  );

  it("with assumption A broken, does the damage that is documented and no other", { timeout: 0 }, async () =>
    expect(
      await counterexample({ appearMax: 3, ui: false }, ({ violations, endings }) => [
        ...violations,
        ...endings.flatMap(unexplained),
        ...endings.flatMap((ending) => {
          // `settleAfter: never` sends nothing again, so nothing can be there twice.
          const sparedTwice = ending.late === 0 || ending.plan.settleAfterMs === "never";
          return sparedTwice ? twice(ending) : moreOftenThanLate(ending);
        }),
        ...endings.flatMap((e) =>
          endings.some((x) => x.late > 0 && x.plan.jobGroupId === e.plan.jobGroupId) ? [] : lies(e),
        ),
      ]),
    ).toBeUndefined(),
  );

  it("can be applied twice when assumption A is broken: the property above is not empty", {
    timeout: 0,
  }, async () => {
    const found = await fc.check(
      fc.asyncProperty(
        stories({ appearMax: 3, ui: false, actions: ["load"], settle: [1_000] }),
        async (story) => {
          const { endings } = await play(story);
          return endings.flatMap(twice).length === 0;
        },
      ),
      // A seed that is known to find one soon.
      { numRuns: 3_000, endOnFailure: true, seed: 13 },
    );
    expect(found.failed).toBe(true);
  });
});
