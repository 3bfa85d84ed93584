import { expect, test } from "vitest";
import { dispatchCompletion } from "../src/processors/dispatch-completion.ts";
import { summariseJobGroup } from "../src/processors/summarise-job-group.ts";
import { createCompletionRecords } from "../src/queues/completion-record.ts";
import { keysOf } from "../src/queues/names.ts";
import { rulesNeed } from "../src/rules/lookups.ts";
import { parseRules } from "../src/rules/parse-rules.ts";
import { planPublishes } from "../src/rules/plan-publishes.ts";
import { undecidedRules } from "../src/rules/undecided.ts";
import { newNamespace, openRedis } from "./support/redis.ts";

const publish = (...tables: string[]) => tables.map((table) => ({ target: "sales", table, action: "load" }));
const { rules } = parseRules(
  JSON.stringify({
    version: 1,
    targets: { sales: { connection: 2, schema: "public" } },
    rules: [
      { name: "by-flow", when: { flow: "Daily*" }, publish: publish("orders") },
      { name: "by-recipe", when: { recipe: 27 }, publish: publish("Orders", "ids") },
    ],
  }),
  "rules.yaml",
);
const LIMIT_MS = 15 * 60_000;

/** A completion of job group 31, in Redis; each dispatch is asked so long after its report. */
async function openCompletion() {
  const redis = openRedis();
  const keys = keysOf(newNamespace());
  await redis.hset(keys.targets, "sales", "{}");
  const records = createCompletionRecords(redis, keys, 60_000);
  const report = () => records.merge(31, { source: "webhook", labels: {} });
  await report();
  const added: string[] = [];
  return {
    report,
    added,
    /** `touched`: a publish since has moved the time of the job group's last change. */
    dispatch: (ageMs: number, flowName?: string, touched = false) =>
      dispatchCompletion(
        31,
        {
          platform: {
            getJobGroup: async (id) => ({
              id,
              status: "Complete",
              recipeId: 27,
              updatedAt: touched ? Date.now() + ageMs : 0,
            }),
            getRecipe: async (id) => ({ id, name: "orders", flowId: 11 }),
            getFlow: async (id) => ({ id, ...(flowName !== undefined && { name: flowName }) }),
          },
          records,
          rules: { current: rules, needs: rulesNeed, plan: planPublishes, undecided: undecidedRules },
          fanOut: {
            first: async (_, plans) => plans[0],
            add: async (_, plans) => void added.push(...plans.map(({ rule, table }) => `${rule} ${table}`)),
            hasJob: async () => true,
          },
          now: () => Date.now() + ageMs,
        },
        { stalls: 0, signal: new AbortController().signal, tell: () => {}, show: () => {} },
      ),
    told: async () => {
      const { completion, tasks } = await records.read(31);
      return { outcome: completion?.outcome, summary: summariseJobGroup(tasks, completion).words };
    },
  };
}

test("after 15 minutes the completion fails with what was made, what was not, and why; a later report opens it again", async () => {
  const { dispatch, report, added, told } = await openCompletion();
  expect(await dispatch(0)).toMatchObject({ next: "later" });
  expect(added).toEqual(["by-recipe ids"]);
  expect(await told()).toMatchObject({ outcome: undefined });

  expect(await dispatch(LIMIT_MS - 1_000, undefined, true)).toMatchObject({ next: "later" });
  const failed = await dispatch(LIMIT_MS + 1_000, undefined, true);
  expect(failed).toEqual({
    next: "fail",
    outcome: "failed",
    words:
      "Job group 31: 0 new publish tasks; sales.public.ids already planned; " +
      'Rule "by-flow" cannot be judged for job group 31: the platform tells no name of flow 11; ' +
      'rule "by-recipe", public.Orders of target sales: held back, for what comes earlier in the file and cannot be judged ' +
      'yet may publish there (rule "by-flow"). ' +
      "To mend it, give it a name on the platform, or have these rules go by the id 11; then report the job group again",
  });
  expect(await told()).toMatchObject({
    outcome: "failed",
    summary: expect.stringMatching(
      /^published 0 of 1, 1 open; Rule "by-flow" cannot.*public\.Orders.*held back/,
    ),
  });

  expect(await report()).toMatchObject({ answer: "reopened" });
  expect(await dispatch(0, "Weekly")).toMatchObject({
    next: "done",
    value: { outcome: "dispatched", tasks: 2 },
  });
  expect(added).toEqual(["by-recipe ids", "by-recipe Orders"]);
  expect(await told()).toEqual({ outcome: "dispatched", summary: "published 0 of 2, 2 open" });
});

test("the earlier rule wins its table when its name is told", async () => {
  const { dispatch, added, told } = await openCompletion();
  await dispatch(0);
  await dispatch(1_000, "Daily sales");
  expect(added).toEqual(["by-recipe ids", "by-flow orders"]);
  expect((await told()).summary).toMatch(
    /^published 0 of 2, 2 open; rule "by-recipe", public\.Orders of connection 2: rule "by-flow", earlier in the file, publishes there already/,
  );
});

const targets = {
  sales: { connection: 2, schema: "public" },
  same: { connection: 2, schema: "PUBLIC" },
  other: { connection: 2, schema: "other" },
  by_flow: { connection: 2, schema: "s_{flow}" },
  far: { connection: 3, schema: "public" },
};
const at = (target: string, table: string) => ({ target, table, action: "load" });
const openRule = (...all: object[]) => ({ name: "open", when: { flow: "D*" }, publish: all });
const sure = (...all: object[]) => ({ name: "sure", when: { recipe: 27 }, publish: all });

test.each<[string, object[], { plans: string[]; held: string[] }]>([
  ["a later one", [sure(at("sales", "t")), openRule(at("sales", "t"))], { plans: ["t"], held: [] }],
  ["an earlier one", [openRule(at("sales", "t")), sure(at("sales", "t"))], { plans: [], held: ["t"] }],
  ["one by another case", [openRule(at("same", "T")), sure(at("sales", "t"))], { plans: [], held: ["t"] }],
  ["another table", [openRule(at("sales", "u")), sure(at("sales", "t"))], { plans: ["t"], held: [] }],
  ["another schema", [openRule(at("other", "t")), sure(at("sales", "t"))], { plans: ["t"], held: [] }],
  ["another connection", [openRule(at("far", "t")), sure(at("sales", "t"))], { plans: ["t"], held: [] }],
  [
    "a table that is not known",
    [openRule(at("sales", "x_{flow}")), sure(at("sales", "t"), at("other", "t"))],
    { plans: ["t"], held: ["t"] },
  ],
  [
    "a schema that is not known",
    [openRule(at("by_flow", "t")), sure(at("sales", "t"))],
    { plans: [], held: ["t"] },
  ],
  [
    "a table that cannot be",
    [openRule(at("sales", "x_{labels.env}")), sure(at("sales", "t"))],
    { plans: ["t"], held: [] },
  ],
  [
    "an earlier publication of a rule that matches",
    [sure(at("sales", "a"), at("sales", "x_{flow}"), at("sales", "b"))],
    { plans: ["a"], held: ["b"] },
  ],
])("what hangs on an undecided rule: %s", (_, all, expected) => {
  const { rules: read } = parseRules(JSON.stringify({ version: 1, targets, rules: all }), "rules.yaml");
  const facts = {
    jobGroupId: 31,
    finishedAt: 0,
    labels: {},
    recipe: { id: 27, name: "orders" },
    flow: { id: 11 },
  };
  const { plans, held, problems, conflicts } = planPublishes(read, facts, undecidedRules(read, facts));
  expect({ plans: plans.map(({ table }) => table), held: held.map(({ plan }) => plan.table) }).toEqual(
    expected,
  );
  expect([...problems, ...conflicts]).toEqual([]);
});
