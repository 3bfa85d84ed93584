import { expect, test } from "vitest";
import { type DispatchDeps, dispatchCompletion } from "../src/processors/dispatch-completion.ts";
import type { RememberedReport } from "../src/queues/completion-record.ts";
import { parsePlan } from "../src/queues/payloads.ts";
import { rulesNeed } from "../src/rules/lookups.ts";
import { undecidedRules } from "../src/rules/undecided.ts";
import type { PublishPlan } from "../src/rules/model.ts";
import { parseRules } from "../src/rules/parse-rules.ts";
import { planPublishes } from "../src/rules/plan-publishes.ts";
import { API_TOKEN, only, openSite } from "./support/relay.ts";

const RULES = {
  version: 1,
  targets: { sales: { connection: 2, schema: "public" }, finance: { connection: 3, schema: "public" } },
  rules: [
    { name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] },
    {
      name: "prod",
      when: { labels: { env: "prod" } },
      publish: [{ target: "finance", table: "orders", action: "load" }],
    },
  ],
};

test("each task names its rule, the version of the rules and the reports that stood when it was planned", async () => {
  const site = await openSite({ rules: RULES, simulator: { settings: { publishMs: 20 } } });
  const relay = await site.start();
  const report = (body: object, delivery: string) =>
    fetch(`${relay.url}/v1/completions`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${API_TOKEN}`,
        "content-type": "application/json",
        "idempotency-key": delivery,
      },
      body: JSON.stringify(body),
    });
  await report({ jobGroupId: 2 }, "first");
  await site.ended(2, 1);
  await report({ jobGroupId: 2, env: "prod" }, "second");
  await site.ended(2, 2);

  const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT/);
  const first = { at, source: "api", delivery: "first" };
  const of = {
    sales: { count: 1, listed: [first] },
    finance: { count: 2, listed: [first, { at, source: "api", delivery: "second" }] },
  };
  const rulesVersion = expect.stringMatching(/^[0-9a-f]{12}$/);
  expect(await relay.story(2)).toMatchObject({
    tasks: expect.arrayContaining([
      expect.objectContaining({ target: "sales", rule: "all", rulesVersion, reports: of.sales }),
      expect.objectContaining({ target: "finance", rule: "prod", rulesVersion, reports: of.finance }),
    ]),
  });
  // On the board: the data of the task's job.
  for (const target of ["sales", "finance"] as const) {
    const { data } = await site.onlyJob(`publish.${target}`);
    expect(data).toMatchObject({ rulesVersion, reports: of[target] });
  }
});

test("of many reports a task lists the first and the newest four, and counts all", async () => {
  const reports = Array.from(
    { length: 30 },
    (_, n): RememberedReport => ({
      at: n,
      source: n === 0 ? "webhook" : "poller",
      labels: {},
      delivery: `d${n}`,
    }),
  );
  const added: PublishPlan[] = [];
  const deps: DispatchDeps = {
    platform: {
      getJobGroup: async (id) => ({ id, status: "Complete", updatedAt: 0 }),
      getRecipe: async (id) => ({ id }),
      getFlow: async (id) => ({ id }),
    },
    records: {
      read: async () => ({
        completion: { rev: 1, labels: {}, source: "webhook", reportCount: 70, reports },
        tasks: [],
      }),
      plan: async (_, plans) => plans.map(() => undefined),
      note: async () => {},
      conclude: async () => true,
    },
    rules: {
      current: parseRules(JSON.stringify(RULES), "rules.yaml").rules,
      needs: rulesNeed,
      undecided: undecidedRules,
      plan: planPublishes,
    },
    fanOut: {
      first: async (_, plans) => plans[0],
      add: async (_, plans) => void added.push(...plans),
      hasJob: async () => false,
    },
    now: () => 0,
  };
  const signal = new AbortController().signal;
  await dispatchCompletion(31, deps, { stalls: 0, signal, tell: () => {}, show: () => {} });
  const { count, listed } = only(added).reports ?? { count: 0, listed: [] };
  expect(count).toBe(70);
  expect(listed.map(({ delivery }) => delivery)).toEqual(["d0", "d26", "d27", "d28", "d29"]);
  expect(listed[0]).toEqual({ at: "1970-01-01T00:00:00.000Z", source: "webhook", delivery: "d0" });

  // Edited on the board, it keeps no task from being published; and plans of older versions have none.
  const plan = JSON.parse(JSON.stringify(only(added))) as Record<string, unknown>;
  expect(parsePlan(plan)).toEqual(only(added));
  expect(parsePlan({ ...plan, reports: "mine" })).not.toHaveProperty("reports");
  expect(parsePlan({ ...plan, reports: undefined })).not.toHaveProperty("reports");
});
