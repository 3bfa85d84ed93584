import fc from "fast-check";
import { expect, test } from "vitest";
import { createPollWorld, MINUTE, type PollWorld, type PollWorldOptions } from "./support/poll-world.ts";
import { openRedis } from "./support/redis.ts";

/** The same stories each time; RUNS=2000 SEED=$RANDOM hunts for others. */
const numRuns = Number(process.env["RUNS"] ?? 150);
const seed = Number(process.env["SEED"] ?? 1);

const GRACE_MS = 2 * MINUTE;
const SHOWN_LATE_MAX_MS = 4 * MINUTE;

/** What happens on the platform and around it; `n` picks which one, `between` says that it happens while a page is read. */
type Step =
  | { readonly kind: "create"; readonly many: number; readonly running: boolean; readonly lateMs: number }
  | { readonly kind: "finish"; readonly n: number; readonly lateMs: number }
  | { readonly kind: "webhook"; readonly n: number }
  | { readonly kind: "remove"; readonly n: number; readonly many: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "turn"; readonly between: readonly Step[] }
  | { readonly kind: "broken turn"; readonly at: "list" | "report" | "advance"; readonly nth: number };

const lateMs = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(SHOWN_LATE_MAX_MS));
const outside = [
  fc.record({
    kind: fc.constant("create" as const),
    many: fc.integer({ min: 1, max: 12 }),
    running: fc.boolean(),
    lateMs,
  }),
  fc.record({ kind: fc.constant("finish" as const), n: fc.nat(), lateMs }),
  fc.record({ kind: fc.constant("webhook" as const), n: fc.nat() }),
  fc.record({ kind: fc.constant("remove" as const), n: fc.nat(), many: fc.integer({ min: 1, max: 12 }) }),
  fc.record({
    kind: fc.constant("pass" as const),
    ms: fc.oneof(fc.nat(MINUTE), fc.nat(90 * MINUTE)),
  }),
] as const;
const step: fc.Arbitrary<Step> = fc.oneof(
  ...outside,
  fc.record({
    kind: fc.constant("turn" as const),
    between: fc.array(fc.oneof(...outside), { maxLength: 4 }),
  }),
  fc.record({
    kind: fc.constant("broken turn" as const),
    at: fc.constantFrom("list" as const, "report" as const, "advance" as const),
    nth: fc.integer({ min: 1, max: 4 }),
  }),
);
const story = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 25 }),
  // Pages of one row cannot overlap, so removals can hide behind them.
  cap: fc.integer({ min: 2, max: 12 }),
  count: fc.constantFrom("all" as const, "none" as const),
  maxPages: fc.integer({ min: 1, max: 4 }),
  clock: fc.oneof(
    fc.record({ tellsTime: fc.constant(true), aheadMs: fc.integer({ min: -90 * MINUTE, max: 90 * MINUTE }) }),
    // Unseen, the clocks may differ by less than the windows overlap.
    fc.record({ tellsTime: fc.constant(false), aheadMs: fc.integer({ min: -4 * MINUTE, max: 4 * MINUTE }) }),
  ),
});

test("whatever the order of things, what is complete and older than the grace is reported exactly once", async () => {
  const redis = openRedis();
  await fc.assert(
    fc.asyncProperty(story, async ({ steps, cap, count, maxPages, clock }) => {
      const options: PollWorldOptions = {
        ...clock,
        cap,
        count,
        redis,
        settings: { graceMs: GRACE_MS, webhooks: true, maxPages },
      };
      const world = createPollWorld(options);
      await world.turns();
      world.pass(1_000);
      const told = new Set<number>();
      for (const one of steps) await play(world, one, told);

      // In the end it is quiet for a while.
      world.whileListing(() => {});
      for (let i = 0; i < 3; i++) {
        world.pass(SHOWN_LATE_MAX_MS);
        await world.turns();
      }
      const complete = world.complete();
      const byPoller = complete.filter((id) => !told.has(id));
      for (const id of complete) expect([id, world.reportsOf(id).length > 0]).toEqual([id, true]);
      // Also some of those that were removed since.
      const polled = world.polled();
      expect(polled.filter((id) => complete.includes(id))).toEqual(byPoller);
      for (const id of polled) {
        expect(world.reportsOf(id).filter((source) => source === "poller")).toHaveLength(1);
      }
      expect(await world.store.held()).toEqual([]);
      // Where clocks differ unseen, one of the first minutes may count as older than the poller, and so as no loss.
      const losses = clock.tellsTime ? polled.length : world.lost.length;
      expect(await world.store.figures()).toMatchObject({ found: polled.length, losses });
    }),
    { numRuns, seed },
  );
}, 120_000);

/** `told`: those that a webhook reported before the poller did. */
async function play(world: PollWorld, one: Step, told: Set<number>): Promise<void> {
  switch (one.kind) {
    case "turn":
      world.whileListing(() => one.between.forEach((inner) => act(world, inner, told)));
      await world.turn();
      world.whileListing(() => {});
      return;
    case "broken turn":
      return breakTurn(world, one);
    case "create":
    case "finish":
    case "webhook":
    case "remove":
    case "pass":
      act(world, one, told);
  }
}

function act(world: PollWorld, one: Step, told: Set<number>): void {
  switch (one.kind) {
    case "create":
      for (let i = 0; i < one.many; i++) {
        world.create({ status: one.running ? "InProgress" : "Complete", shownInMs: one.lateMs });
      }
      return;
    case "finish": {
      const id = pick(world.running(), one.n);
      if (id !== undefined) world.finish(id, one.lateMs);
      return;
    }
    case "webhook": {
      const id = pick(world.complete(), one.n);
      if (id === undefined) return;
      if (world.reportsOf(id).length === 0) told.add(id);
      world.webhook(id);
      return;
    }
    case "remove": {
      // The newest of those that are left of it: all the others move up.
      const complete = world.complete();
      const last = complete.length - (one.n % (complete.length + 1));
      complete.slice(Math.max(0, last - one.many), last).forEach(world.remove);
      return;
    }
    case "pass":
      world.pass(one.ms);
      return;
    case "turn":
    case "broken turn":
      throw new Error("a turn does not happen within a turn");
  }
}

const pick = (ids: readonly number[], n: number): number | undefined => ids[n % ids.length];

/** A process that dies at the nth list, report or step of its turn, which is done and heard of by nobody. */
async function breakTurn(world: PollWorld, { at, nth }: Step & { kind: "broken turn" }): Promise<void> {
  const whole = { ...world.deps };
  let left = nth;
  const dying = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      if (left === 0) throw new Error("killed");
      left--;
      if (left > 0) return call(...args);
      await call(...args);
      throw new Error("killed");
    };
  };
  switch (at) {
    case "list":
      Object.assign(world.deps, { list: dying(whole.list) });
      break;
    case "report":
      Object.assign(world.deps, { report: dying(whole.report) });
      break;
    case "advance":
      Object.assign(world.deps, { store: { ...whole.store, advance: dying(whole.store.advance) } });
  }
  await world.turn().catch((error: unknown) => {
    if (!(error instanceof Error && error.message === "killed")) throw error;
  });
  Object.assign(world.deps, whole);
}
