import { expect, test } from "vitest";
import { PlatformError } from "../src/errors.ts";
import { type DispatchDeps, dispatchCompletion } from "../src/processors/dispatch-completion.ts";
import type { FactsPlatform } from "../src/processors/job-group-facts.ts";
import { rulesNeed } from "../src/rules/lookups.ts";
import { parseRules } from "../src/rules/parse-rules.ts";
import { planPublishes } from "../src/rules/plan-publishes.ts";
import { undecidedRules } from "../src/rules/undecided.ts";

const targets = { sales: { connection: 2, schema: "public" } };
const rule = (name: string, when: unknown, table: string) => ({
  name,
  when,
  publish: [{ target: "sales", table, action: "load" }],
});

const MINUTE_MS = 60_000;

/** Dispatches a job group of recipe 27 so long after its report. */
async function dispatchAfter(
  ageMs: number,
  platform: Partial<FactsPlatform>,
  updatedAt = 0,
  source = "webhook",
) {
  const concluded: string[] = [];
  const never = () => Promise.reject(new Error("nothing is to be planned"));
  const deps: DispatchDeps = {
    platform: {
      getJobGroup: async (id) => ({ id, status: "Complete", recipeId: 27, creatorId: 1, updatedAt }),
      getRecipe: async (id) => ({ id, name: "other", flowId: 11 }),
      getFlow: async (id) => ({ id, name: "Daily sales" }),
      ...platform,
    },
    records: {
      read: async () => ({
        completion: { rev: 1, labels: {}, source, reportedAt: 0, reportCount: 1, reports: [] },
        tasks: [],
      }),
      plan: never,
      note: async () => {},
      conclude: async (_id, _rev, outcome) => concluded.push(outcome) > 0,
    },
    rules: {
      current: parseRules(
        JSON.stringify({
          version: 1,
          targets,
          rules: [
            rule("orders", { recipe: "ord*" }, "orders"),
            rule("daily", { flow: "Daily*" }, "daily_{recipe}"),
            rule("others", { creator: 5, flow: "x*" }, "others"),
          ],
        }),
        "rules.yaml",
      ).rules,
      needs: rulesNeed,
      plan: planPublishes,
      undecided: undecidedRules,
    },
    fanOut: { first: never, add: never, hasJob: never },
    now: () => ageMs,
  };
  const { signal } = new AbortController();
  const outcome = await dispatchCompletion(31, deps, { stalls: 0, signal, tell: () => {}, show: () => {} });
  return { outcome, concluded };
}

const refusal = (status: number) =>
  new PlatformError(`GET was answered ${status}`, { next: "refused", status, code: "X" });

test.each<[string, Partial<FactsPlatform>, RegExp]>([
  [
    "a recipe without a name",
    { getRecipe: async (id) => ({ id, flowId: 11 }) },
    /^Rules "orders", "daily" cannot be judged for job group 31: the platform tells no name of recipe 27\. To mend it, give it a name on the platform, or have these rules go by the id 27; then report the job group again$/,
  ],
  [
    "a recipe without a flow",
    { getRecipe: async (id) => ({ id, name: "x" }) },
    /^Rule "daily" .* names no flow of recipe 27\. /,
  ],
  [
    "a flow without a name",
    { getFlow: async (id) => ({ id }) },
    /^Rule "daily" .* no name of flow 11\. .* the id 11;/,
  ],
  [
    "a recipe that the token may not read",
    { getRecipe: () => Promise.reject(refusal(403)) },
    /^Rules "orders", "daily" .*: the token may not read recipe 27: GET was answered 403\. To mend it, give the token's user access/,
  ],
  [
    "a flow that is not there",
    { getFlow: () => Promise.reject(refusal(404)) },
    /^Rule "daily" .*: the platform does not know flow 11: GET was answered 404\. To mend it, share the flow/,
  ],
  [
    "a flow that is refused otherwise",
    { getFlow: () => Promise.reject(refusal(410)) },
    /^Rule "daily" .*: the platform refuses to tell flow 11: GET was answered 410\. /,
  ],
])(
  "%s is looked at again for 15 minutes, and then fails with what was missing, for which rules, and what to do",
  async (_, platform, words) => {
    const early = await dispatchAfter(15 * MINUTE_MS, platform);
    expect(early).toEqual({ outcome: { next: "later", inMs: (15 * MINUTE_MS) / 4 }, concluded: [] });
    const late = await dispatchAfter(15 * MINUTE_MS + 1, platform);
    expect(late).toEqual({
      outcome: { next: "fail", outcome: "failed", words: expect.stringMatching(words) },
      concluded: ["failed"],
    });
  },
);

test("the 15 minutes of a run that was reported long before its end count from its end", async () => {
  const unnamed: Partial<FactsPlatform> = { getRecipe: async (id) => ({ id, flowId: 11 }) };
  const ended = await dispatchAfter(60 * MINUTE_MS, unnamed, 59 * MINUTE_MS);
  expect(ended.outcome).toEqual({ next: "later", inMs: MINUTE_MS / 4 });
  const late = await dispatchAfter(80 * MINUTE_MS, unnamed, 59 * MINUTE_MS);
  expect(late.outcome).toMatchObject({ next: "fail", outcome: "failed" });
});

test("a job group that the relay started itself is looked at often: its end may be told by nobody", async () => {
  const runs = { getJobGroup: async (id: number) => ({ id, status: "InProgress", updatedAt: 0 }) };
  const inMs = async (ageMs: number, source: string) => (await dispatchAfter(ageMs, runs, 0, source)).outcome;
  expect(await inMs(20 * MINUTE_MS, "run")).toEqual({ next: "later", inMs: 30_000 });
  expect(await inMs(MINUTE_MS, "run")).toEqual({ next: "later", inMs: 15_000 });
  expect(await inMs(20 * MINUTE_MS, "webhook")).toEqual({ next: "later", inMs: 300_000 });
});
