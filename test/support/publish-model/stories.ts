import fc from "fast-check";
import type { Action } from "../../../src/rules/model.ts";
import type { Policy, Tenant } from "./platform.ts";
import type { CourseSketch, GetFate, Incident, PutFate, Story, TaskSketch } from "./story.ts";

/** What stories may hold; each property asks for its own. */
export interface Bounds {
  /** How late a publish's job may show, as a share of settleAfter; assumption A holds up to 1. */
  readonly appearMax: number;
  readonly ui: boolean;
  /** Redis may lose all that it holds, or its last seconds. */
  readonly redisLost?: "all" | "last-seconds";
  /** Every publish ends long before its deadline. */
  readonly prompt?: boolean;
  readonly serialize?: boolean;
  readonly tenant?: Partial<{ [K in keyof Tenant]: fc.Arbitrary<Tenant[K]> }>;
  readonly actions?: readonly Action[];
  readonly settle?: readonly (number | "never")[];
}

const ACTIONS: readonly Action[] = [
  "load",
  "create",
  "createAndLoad",
  "truncateAndLoad",
  "dropAndLoad",
  "upsert",
];
const SETTLE: readonly (number | "never")[] = [1_000, 20_000, 120_000, "never"];

const often = <T>(usual: T, weight: number, rare: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: rare });

/** Any story within the bounds. */
export function stories(bounds: Bounds): fc.Arbitrary<Story> {
  return fc.record({
    tenant: tenants(bounds),
    serialize:
      bounds.serialize === undefined ? often(true, 5, fc.constant(false)) : fc.constant(bounds.serialize),
    tasks: fc.uniqueArray(tasks(bounds), {
      minLength: 1,
      maxLength: 4,
      selector: ({ jobGroupId, place }) => `${jobGroupId}/${place}`,
    }),
    puts: fc.array(puts(bounds), { maxLength: 8 }),
    gets: fc.array(gets, { maxLength: 20 }),
    incidents: fc.array(incidents(bounds), { maxLength: 6 }),
  });
}

// A publish in the UI that fails at the very moment of ours may be taken for ours, and ours be sent again: that is a
// limit, and no story.
const policies = (ui: boolean): fc.Arbitrary<Policy> =>
  ui ? fc.constantFrom<Policy>("refuse", "accept") : fc.constantFrom<Policy>("refuse", "fail", "accept");

const tenants = ({ tenant, ui }: Bounds): fc.Arbitrary<Tenant> =>
  fc.record({
    listsTables: fc.boolean(),
    tellsDatabase: fc.boolean(),
    sameTarget: policies(ui),
    concurrent: policies(ui),
    showAs: often<Tenant["showAs"]>("job", 3, fc.constant("group")),
    ...tenant,
  });

const tasks = ({ actions = ACTIONS, settle = SETTLE }: Bounds): fc.Arbitrary<TaskSketch> =>
  fc.record({
    jobGroupId: often(1, 3, fc.constant(2)),
    place: fc.nat({ max: 2 }),
    action: fc.constantFrom(...actions),
    settleAfterMs: fc.constantFrom(...settle),
    attempts: fc.integer({ min: 1, max: 4 }),
    startMs: fc.constantFrom(0, 0, 3, 900, 40_000),
  });

const courses = ({ appearMax, prompt }: Bounds): fc.Arbitrary<CourseSketch> =>
  fc.record({
    // Not `fc.double`: most of those are too small to be late at all.
    appear: often(
      0,
      1,
      fc.integer({ min: 0, max: appearMax * 100 }).map((percent) => percent / 100),
    ),
    workMs: fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom<number | "stuck">(0, 50, 2_000, 15_000, 90_000) },
      { weight: prompt ? 0 : 1, arbitrary: fc.constantFrom<number | "stuck">(700_000, "stuck") },
    ),
    fails: often(false, 3, fc.constant(true)),
  });

const puts = (bounds: Bounds): fc.Arbitrary<PutFate> =>
  fc.record({
    way: fc.oneof(
      { weight: 5, arbitrary: fc.constant("answered" as const) },
      { weight: 4, arbitrary: fc.constant("lost" as const) },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          "no-connection" as const,
          "throttled" as const,
          "unauthorized" as const,
          "refused" as const,
          "busy" as const,
          "retry" as const,
        ),
      },
    ),
    applied: often(true, 2, fc.constant(false)),
    connectMs: often(1, 4, fc.constantFrom(500, 2_999, 3_000, 4_000)),
    replyMs: fc.constantFrom(0, 30, 2_000, 30_000),
    course: courses(bounds),
  });

const gets: fc.Arbitrary<GetFate> = fc.record({
  way: fc.oneof(
    { weight: 8, arbitrary: fc.constant("answered" as const) },
    { weight: 3, arbitrary: fc.constantFrom("retry" as const, "gate" as const) },
    { weight: 1, arbitrary: fc.constant("refused" as const) },
  ),
  replyMs: often(5, 4, fc.constantFrom(0, 1_500, 30_000)),
});

function incidents({ ui, redisLost, ...bounds }: Bounds): fc.Arbitrary<Incident> {
  const gap = fc.nat({ max: 60 });
  const which = fc.nat({ max: 3 });
  const kinds: fc.MaybeWeightedArbitrary<Incident>[] = [
    { weight: 5, arbitrary: fc.record({ gap, what: fc.constantFrom("kill", "stop", "blip"), which }) },
    {
      weight: 3,
      arbitrary: fc.record({
        gap,
        what: fc.constant("freeze"),
        which,
        ms: fc.constantFrom(500, 2_500, 7_900, 8_100, 11_900, 12_100, 60_000, 200_000),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ gap, what: fc.constant("away"), ms: fc.constantFrom(1_000, 60_000, 7_200_000) }),
    },
  ];
  if (ui) {
    kinds.push({
      weight: 6,
      arbitrary: fc.record({
        gap,
        what: fc.constant("ui"),
        jobGroupId: often(1, 3, fc.constant(2)),
        place: fc.nat({ max: 3 }),
        action: fc.constantFrom<Action>("load", "truncateAndLoad"),
        course: courses({ ui, ...bounds }).map((course) => ({ ...course, fails: false })),
      }),
    });
  }
  if (redisLost) {
    kinds.push({
      weight: 3,
      arbitrary: fc.record({
        gap,
        what: fc.constant("redis-lost"),
        backMs: redisLost === "all" ? fc.constant("all" as const) : fc.constantFrom(900, 5_000),
        pauseMs: fc.constant(240_000),
      }),
    });
  }
  return fc.oneof(...kinds);
}
