import fc from "fast-check";
import { expect, test } from "vitest";
import { PlatformError } from "../src/errors.ts";
import { dispatchCompletion } from "../src/processors/dispatch-completion.ts";
import { type ExplainDeps, explainJobGroup } from "../src/processors/explain-job-group.ts";
import { asFirstSeen, gatherFacts, type JobGroup } from "../src/processors/job-group-facts.ts";
import { bodyOf } from "../src/processors/publish-task.ts";
import type { Completion, RecordedTask } from "../src/queues/completion-record.ts";
import { PLANNED } from "../src/queues/record.ts";
import { rulesNeed } from "../src/rules/lookups.ts";
import { explainRules } from "../src/rules/match-rules.ts";
import type { JobGroupFacts, PublishPlan, Rules } from "../src/rules/model.ts";
import { parseRules } from "../src/rules/parse-rules.ts";
import { planPublishes } from "../src/rules/plan-publishes.ts";
import { taskId, taskKey } from "../src/rules/task-identity.ts";
import { undecidedRules } from "../src/rules/undecided.ts";
import { TASK_STATES, type TaskState } from "../src/rules/task-state.ts";

const RULES = { needs: rulesNeed, plan: planPublishes, undecided: undecidedRules };
const NOW = Date.UTC(2026, 10, 24, 12);
const TABLES = [
  "orders",
  "Orders",
  "orders_{jobGroupId}",
  "{recipe}",
  "x_{flow}",
  "y_{flow}_{date}",
  "x_{labels.env}",
];

const patterns = (...all: (number | string)[]) =>
  fc.uniqueArray(fc.constantFrom(...all), { minLength: 1, maxLength: 2 });
const when = fc.oneof(
  { weight: 1, arbitrary: fc.constant("all") },
  {
    weight: 4,
    arbitrary: fc
      .record(
        {
          jobGroup: patterns(31, "night*", "*"),
          flow: patterns(11, "Sales", "S*", "12", "*"),
          recipe: patterns(27, "orders", "o*", "28"),
          flowRun: patterns(5, 6),
          creator: patterns(1, 2),
          workspace: patterns(1),
          ranFrom: patterns("ui", "sched*"),
          labels: fc.record({ env: patterns("prod", "pr*", "7") }),
        },
        { requiredKeys: [] },
      )
      .filter((conditions) => Object.keys(conditions).length > 0),
  },
);
const publication = fc.record({
  target: fc.constantFrom("sales", "finance"),
  table: fc.constantFrom(...TABLES),
  action: fc.constantFrom("load", "truncateAndLoad", "createAndLoad", "upsert"),
});
const folded = (table: string) => table.toLowerCase();
const rulesFile = fc
  .array(
    fc.record({
      when,
      publish: fc.uniqueArray(publication, {
        minLength: 1,
        maxLength: 3,
        selector: ({ target, table }) => `${target} ${folded(table)}`,
      }),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((rules): Rules => {
    const targets = { sales: { connection: 2, schema: "public" }, finance: { connection: 3, schema: "pub" } };
    const named = rules.map((rule, index) => ({ name: `rule-${index}`, ...rule }));
    return parseRules(JSON.stringify({ version: 1, targets, rules: named }), "rules.yaml").rules;
  });

const mostly = <T>(usual: T, ...rare: T[]) =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...rare) });
const group = fc
  .record(
    {
      status: mostly("Complete", "Failed", "Canceled", "InProgress", "strange"),
      updatedAt: fc.integer({ min: NOW - 86_400_000, max: NOW }),
      name: fc.constantFrom("nightly", "31", "other"),
      ranFrom: fc.constantFrom("ui", "schedule"),
      ranFor: mostly("recipe", "sampling"),
      recipeId: mostly(27, 28, undefined),
      flowRunId: fc.constantFrom(5, 6),
      creatorId: fc.constantFrom(1, 2),
      workspaceId: fc.constant(1),
    },
    { requiredKeys: ["status", "updatedAt", "recipeId"] },
  )
  .map(
    ({ recipeId, ...fields }): JobGroup => ({
      id: 31,
      ...fields,
      ...(recipeId !== undefined && { recipeId }),
    }),
  );
const recipeName = fc.option(fc.constantFrom("orders", "orders 2026"), { nil: undefined, freq: 4 });
const flowName = fc.option(fc.constantFrom("Sales", "no/table"), { nil: undefined, freq: 4 });

const worlds = fc.record({
  /** What the token may not read. */
  refused: fc.constantFrom(...Array.from({ length: 3 }, () => ""), "recipe", "flow"),
  /** Undefined: the platform does not know it. */
  group: fc.option(group, { nil: undefined, freq: 9 }),
  recipe: fc.record({ id: fc.constant(27), name: recipeName, flowId: mostly(11, 12, undefined) }),
  flow: flowName,
  labels: fc.record({ env: fc.constantFrom("prod", "test", "no table", "7") }, { requiredKeys: [] }),
  rules: rulesFile,
  /** The rules by which some tasks were planned before, and how these stand now. */
  before: fc.option(rulesFile, { nil: undefined }),
  states: fc.array(fc.constantFrom(...TASK_STATES), { minLength: 1, maxLength: 4 }),
});
type World = typeof worlds extends fc.Arbitrary<infer T> ? T : never;

function platformOf(world: World) {
  const unknown = new PlatformError("not there", {
    next: "refused",
    status: 404,
    code: "DataNotFoundException",
  });
  const forbidden = new PlatformError("not for you", { next: "refused", status: 403, code: "AccessControl" });
  const { id, name, flowId } = world.recipe;
  const unlessRefused = async <T>(what: string, answer: T): Promise<T> =>
    world.refused === what ? Promise.reject(forbidden) : answer;
  return {
    getJobGroup: async () => world.group ?? Promise.reject(unknown),
    getRecipe: () =>
      unlessRefused("recipe", {
        id,
        ...(name !== undefined && { name }),
        ...(flowId !== undefined && { flowId }),
      }),
    getFlow: (flow: number) =>
      unlessRefused("flow", { id: flow, ...(world.flow !== undefined && { name: world.flow }) }),
  };
}

const completionOf = ({ labels }: World): Completion => ({
  rev: 1,
  labels,
  source: "webhook",
  reportedAt: NOW,
  reportCount: 1,
  reports: [],
});

/** What dispatch puts on the queues, and how it ends. */
async function dispatch(world: World, rules: Rules, recorded: readonly RecordedTask[]) {
  const added: PublishPlan[] = [];
  let notes: readonly string[] = [];
  const states = new Map(recorded.map(({ plan, record }) => [taskKey(plan), record]));
  const outcome = await dispatchCompletion(
    31,
    {
      platform: platformOf(world),
      records: {
        read: async () => ({ completion: completionOf(world), tasks: [...recorded] }),
        plan: async (_, plans) => plans.map((plan) => states.get(taskKey(plan))),
        note: async (_, said) => void (notes = said),
        conclude: async () => true,
      },
      rules: { current: rules, ...RULES },
      fanOut: {
        first: async (_, plans) => plans[0],
        add: async (_, plans) => void added.push(...plans),
        hasJob: async () => true,
      },
      now: () => NOW,
    },
    { stalls: 0, signal: new AbortController().signal, tell: () => {}, show: () => {} },
  );
  return { added, outcome, held: notes.filter((note) => note.includes("held back")) };
}

function explainDeps(world: World, recorded: readonly RecordedTask[], reported: boolean): ExplainDeps {
  return {
    read: async () => ({ ...(reported && { completion: completionOf(world) }), tasks: recorded }),
    platform: platformOf(world),
    held: async () => undefined,
    rules: { current: world.rules, ...RULES, explain: explainRules },
    platformTimeoutMs: 1_000,
    now: () => NOW,
    gate: async () => ({ ms: 0, words: "" }),
    targets: async () => [],
    newestRules: async () => undefined,
  };
}

async function factsOf(world: World, recorded: readonly RecordedTask[]): Promise<JobGroupFacts> {
  const { labels } = completionOf(world);
  if (!world.group) return { jobGroupId: 31, finishedAt: NOW, labels };
  const group = asFirstSeen(world.group, recorded);
  const { signal } = new AbortController();
  const { facts } = await gatherFacts(group, labels, platformOf(world), rulesNeed(world.rules), signal);
  return facts;
}

async function recordedBefore(world: World): Promise<RecordedTask[]> {
  if (!world.before) return [];
  // A publish since has touched the job group: {date} is that of its end.
  const then = world.group && { ...world.group, updatedAt: world.group.updatedAt - 86_400_000 };
  const { added: plans } = await dispatch({ ...world, group: then }, world.before, []);
  return plans.map((plan, index) => {
    const state: TaskState = world.states[index % world.states.length] ?? "planned";
    return { plan, record: { ...PLANNED, state }, json: "", waits: { over: {} } };
  });
}

/** All that the platform may tell of a recipe or flow, some of it made to meet the other tables. */
function tellings(known: JobGroupFacts["recipe"], ids: readonly number[], names: readonly string[]) {
  if (known?.name !== undefined) return [known];
  return (known ? [known.id] : ids).flatMap((id) => names.map((name) => ({ id, name })));
}
const worldsOf = (facts: JobGroupFacts): JobGroupFacts[] =>
  tellings(facts.recipe, [27, 28], ["orders", "orders 2026", "orders_31", "x_prod"]).flatMap((recipe) =>
    tellings(facts.flow, [11, 12], ["Sales", "no/table", "prod"]).map((flow) => ({ ...facts, recipe, flow })),
  );
const what = (plan: PublishPlan) => `${taskKey(plan)} ${plan.rule} ${plan.action}`;
const idOf = (plan: PublishPlan) => taskId(31, taskKey(plan));

test("of 1,000 random completions explain tells what dispatch then does: which rules match, which PUTs are new, which are held back", async () => {
  const seen = { published: 0, nothing: 0, known: 0, untold: 0, partly: 0, held: 0, blocked: 0 };
  await fc.assert(
    fc.asyncProperty(worlds, async (world) => {
      const recorded = await recordedBefore(world);
      const { added, outcome, held } = await dispatch(world, world.rules, recorded);
      const explained = await explainJobGroup(31, explainDeps(world, recorded, true));

      const fresh = explained.tasks.filter(({ state }) => state === "new");
      expect(fresh.map(({ id, request }) => ({ id, body: request.body }))).toEqual(
        added.map((plan) => ({ id: idOf(plan), body: bodyOf(plan) })),
      );
      const heldBack = explained.tasks.filter(({ state }) => state === "held back");
      expect(heldBack.map(({ words }) => words)).toEqual(held);
      const notPlanned = explained.tasks.filter(({ state }) => state === "not planned");
      // What stands in the record is told as it was planned, whatever the rules say now.
      const standing = explained.tasks.filter(
        ({ state }) => !["new", "held back", "not planned"].includes(state),
      );
      const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
      expect(
        standing.map(({ id, state, request }) => ({ id, state, body: request.body })).sort(byId),
      ).toEqual(
        recorded
          .map(({ plan, record }) => ({
            id: idOf(plan),
            state: record.state,
            body: bodyOf(plan),
          }))
          .sort(byId),
      );
      const matching = explained.rules.filter(({ matches }) => matches === true);
      const facts = await factsOf(world, recorded);
      expect(matching.map(({ name }) => name)).toEqual(planPublishes(world.rules, facts).matched);
      // A name that is not told is neither a match nor none: dispatch looks again, and explain says of which rules.
      const finished = world.group?.status === "Complete" && (world.group.ranFor ?? "recipe") === "recipe";
      const undecided = finished ? undecidedRules(world.rules, facts).map(({ rule }) => rule) : [];
      const untold = explained.detail.includes("cannot be judged");
      expect(untold).toBe(undecided.length > 0);
      expect(finished && outcome.next === "later").toBe(untold);
      // Nothing that comes of the names later would be another task, or a task of another rule.
      for (const told of untold ? worldsOf(facts) : []) {
        const then = planPublishes(world.rules, told).plans.map(what);
        expect(added.map(what).filter((plan) => !then.includes(plan))).toEqual([]);
      }
      // All that matches and has its table's name is told of, and kept back only for a reason.
      const tellable = planPublishes(world.rules, facts).plans;
      const ids = new Set(explained.tasks.map(({ id }) => id));
      expect(tellable.filter((plan) => !ids.has(idOf(plan)))).toEqual([]);
      expect(finished ? notPlanned : [...fresh, ...heldBack]).toEqual([]);
      expect(notPlanned.filter(({ words }) => !words || !explained.detail.includes(words))).toEqual([]);
      expect(heldBack.length > 0 && undecided.length === 0).toBe(false);
      expect(undecided.filter((name) => !explained.detail.includes(JSON.stringify(name)))).toEqual([]);
      const open = explained.rules.filter(({ matches }) => finished && matches === "unknown");
      expect(open.filter(({ name }) => !undecided.includes(name))).toEqual([]);
      for (const { matches, failed, reasons } of explained.rules) {
        expect(failed === undefined).toBe(matches === true);
        expect(failed?.field).toBe(reasons.find(({ holds }) => !holds)?.field);
      }
      seen[untold ? "untold" : added.length > 0 ? "published" : recorded.length > 0 ? "known" : "nothing"]++;
      if (untold && added.length > 0) seen.partly++;
      if (heldBack.length > 0) seen.held++;
      if (notPlanned.length > 0) seen.blocked++;
    }),
    { numRuns: 1_000 },
  );
  // The test says little if one of these hardly came about.
  for (const times of Object.values(seen)) expect(times).toBeGreaterThan(20);
});
