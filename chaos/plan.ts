import type { Dice } from "../simulator/dice.ts";
import type { FaultSpec } from "../simulator/faults.ts";
import type { Profile } from "./options.ts";

/** The targets of every job group; each has its own connection, and the same table in it. */
export const TARGETS = [
  { name: "sales", connection: 2 },
  { name: "finance", connection: 3 },
  { name: "marketing", connection: 4 },
] as const;
const SCHEMA = "public";
const TABLE = "events";
/** A publish that gets stuck, or fails each time, does so here: the rules of its recipe are impatient with this target. */
const DOOMED_CONNECTION = 3;
/** Fewer than open the target's breaker: what is wrong with one job group should not hold up the others. */
const DOOMED_ATTEMPTS = 3;

/** Recipes of the simulator. */
const RECIPES = { usual: 27, stuck: 28, "fails-always": 29 } as const;
type Doom = keyof typeof RECIPES;
const FIRST_ID = 1_001;

/** What a task is bound to meet, besides the faults that may strike any PUT. */
export type Fate = "usual" | "long" | "fails-once" | "fails-always" | "stuck" | "beside-stuck";

export interface PlannedGroup {
  readonly jobGroupId: number;
  readonly recipeId: number;
  /** In the order of `TARGETS`. */
  readonly fates: readonly Fate[];
}

/** Who meets what: drawn once from the seed, whatever the order in which things happen later. */
export function planGroups(completions: number, { shares }: Profile, dice: Dice): PlannedGroup[] {
  const tasks = completions * TARGETS.length;
  const draw = (share: number, total: number, label: string): Set<number> =>
    few(Math.ceil(total * share), total, label, dice);
  const stuck = draw(shares.stuck, completions, "stuck");
  const failing = draw(shares.failAlways, completions, "fails-always");
  const long = draw(shares.long, tasks, "long");
  const failingOnce = draw(shares.failOnce, tasks, "fails-once");
  return Array.from({ length: completions }, (_, i) => {
    const doom: Doom = stuck.has(i) ? "stuck" : failing.has(i) ? "fails-always" : "usual";
    return {
      jobGroupId: FIRST_ID + i,
      recipeId: RECIPES[doom],
      fates: TARGETS.map(({ connection }, t): Fate => {
        if (doom !== "usual" && connection === DOOMED_CONNECTION) return doom;
        // After Redis was started anew nothing tells whose a publish is that runs for ever: all of its job group wait.
        if (doom === "stuck") return "beside-stuck";
        const task = i * TARGETS.length + t;
        return long.has(task) ? "long" : failingOnce.has(task) ? "fails-once" : "usual";
      }),
    };
  });
}

/** More of the usual kind, for a run that ends before each step has been hit. */
export function planMore(after: number, count: number): PlannedGroup[] {
  return Array.from({ length: count }, (_, i) => ({
    jobGroupId: FIRST_ID + after + i,
    recipeId: RECIPES.usual,
    fates: TARGETS.map((): Fate => "usual"),
  }));
}

/** `count` different ones of `total`. */
function few(count: number, total: number, label: string, dice: Dice): Set<number> {
  const chosen = new Set<number>();
  for (let turn = 0; chosen.size < Math.min(count, total); turn++) {
    chosen.add(Math.floor(dice.roll(`${label}/${turn}`) * total));
  }
  return chosen;
}

/** The simulator's faults for one job group. */
export function faultsOf({ jobGroupId, fates }: PlannedGroup, profile: Profile): FaultSpec[] {
  return fates.flatMap((fate, t): FaultSpec[] => {
    const target = TARGETS[t];
    if (!target) return [];
    const where = { on: "publish" as const, jobGroupId, connection: target.connection };
    switch (fate) {
      case "usual":
      case "beside-stuck":
        return [];
      case "long":
        return [{ ...where, kind: "long", ms: profile.longMs }];
      case "fails-once":
        return [{ ...where, kind: "fail", times: 1 }];
      case "fails-always":
        return [{ ...where, kind: "fail" }];
      case "stuck":
        return [{ ...where, kind: "stuck" }];
    }
  });
}

/** Any PUT may be applied and its answer lost, or be lost before it took effect. */
export const LOST_ANSWERS: readonly FaultSpec[] = [
  { kind: "apply-and-drop", on: "publish", rate: 0.05 },
  { kind: "drop", on: "publish", rate: 0.05 },
];

/** The rules file, as the object that its YAML stands for. */
export function rulesFile({ settleAfterMs, stuckDeadlineMs, concurrency }: Profile): object {
  const usual = {
    table: TABLE,
    action: "load",
    settleAfter: `${settleAfterMs}ms`,
    backoff: { first: "500ms", max: "4s" },
    attempts: 8,
    deadline: "10m",
  };
  const doomed: Record<Doom, object> = {
    usual: {},
    stuck: { deadline: `${stuckDeadlineMs}ms` },
    "fails-always": { attempts: DOOMED_ATTEMPTS },
  };
  const beside: Record<Doom, object> = {
    usual: {},
    stuck: { deadline: `${4 * stuckDeadlineMs}ms` },
    "fails-always": {},
  };
  return {
    version: 1,
    targets: Object.fromEntries(
      TARGETS.map(({ name, connection }) => [name, { connection, schema: SCHEMA, concurrency }]),
    ),
    rules: (Object.keys(RECIPES) as Doom[]).map((doom) => ({
      name: doom,
      when: { recipe: RECIPES[doom] },
      publish: TARGETS.map(({ name, connection }) => ({
        target: name,
        ...usual,
        ...(connection === DOOMED_CONNECTION ? doomed : beside)[doom],
      })),
    })),
  };
}
