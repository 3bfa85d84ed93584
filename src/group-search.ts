import type { Found, FoundGroup, Search } from "./pages/view.ts";
import { summariseJobGroup } from "./processors/summarise-job-group.ts";
import { type Surroundings, whyItWaits } from "./processors/why-it-waits.ts";
import type { CompletionRecords, RecordedTask } from "./queues/completion-record.ts";
import type { GroupIndex } from "./queues/group-index.ts";
import { foldIdentifier } from "./rules/identifier.ts";
import { taskId, taskKey } from "./rules/task-identity.ts";
import { hasEnded } from "./rules/task-state.ts";

export interface GroupSearchDeps {
  readonly groups: Pick<GroupIndex, "page">;
  readonly records: Pick<CompletionRecords, "read">;
  readonly lookAround: (target: string) => Promise<Surroundings>;
}

const PAGE = 25;
/** A page that finds too little in so many turns ends; the next one goes on from there. */
const TURNS = 6;

/** Finds job groups, those reported last first. All that is searched for must fit one and the same task. */
export async function searchGroups(
  { groups, records, lookAround }: GroupSearchDeps,
  search: Search,
): Promise<Found> {
  const { schema: _schema, before, ...lists } = search;
  const found: FoundGroup[] = [];
  const around = new Map<string, Surroundings>();
  let from = before;
  for (let turn = 0; turn < TURNS; turn++) {
    const limit = PAGE - found.length;
    const page = await groups.page({ ...lists, limit, ...(from !== undefined && { before: from }) });
    const read = await Promise.all(page.ids.map(async (id) => ({ id, ...(await records.read(id)) })));
    const fitting = read.map((one) => ({ ...one, fitting: one.tasks.filter((task) => fits(task, search)) }));
    const waiting = fitting.flatMap((one) => one.fitting.filter(({ record }) => record.state === "planned"));
    const targets = [...new Set(waiting.map(({ plan }) => plan.target))].filter((name) => !around.has(name));
    for (const [i, there] of (await Promise.all(targets.map(lookAround))).entries()) {
      around.set(targets[i] ?? "", there);
    }
    found.push(...fitting.flatMap((one) => groupOf(one, search, around)));
    from = page.next;
    // One that found none has looked far enough: the next page goes on from there.
    if (from === undefined || found.length >= PAGE || page.ids.length === 0) break;
  }
  return { groups: found, ...(from !== undefined && { next: from }) };
}

type Read = { readonly id: number; readonly fitting: readonly RecordedTask[] } & Awaited<
  ReturnType<CompletionRecords["read"]>
>;

/** Nothing, when its record is gone or none of its tasks fits all that was searched for. */
function groupOf(
  { id, completion, tasks, fitting }: Read,
  search: Search,
  around: ReadonlyMap<string, Surroundings>,
): FoundGroup[] {
  if (!completion && tasks.length === 0) return [];
  const asksForTask = [search.target, search.rule, search.table, search.schema].some(
    (one) => one !== undefined,
  );
  const asksForState =
    search.state !== undefined && search.state !== completion?.outcome && search.state !== "reported";
  if (fitting.length === 0 && (asksForTask || asksForState)) return [];
  const { reportedAt, source, outcome, words } = completion ?? {};
  return [
    {
      jobGroupId: id,
      ...(reportedAt !== undefined && { reportedAt }),
      ...(source !== undefined && { source }),
      outcome: outcome ?? "reported",
      ...(words !== undefined && { outcomeWords: words }),
      summary: tasks.length === 0 ? "no tasks" : summariseJobGroup(tasks, completion).words,
      tasks: fitting.map((task) => foundTask(id, task, around)),
      taskCount: tasks.length,
    },
  ];
}

function foundTask(id: number, task: RecordedTask, around: ReadonlyMap<string, Surroundings>) {
  const { plan, record } = task;
  const there = around.get(plan.target);
  const words = (there && whyItWaits(task, there)?.words) ?? record.words;
  return {
    id: taskId(id, taskKey(plan)),
    target: plan.target,
    table: `${plan.schema}.${plan.table}`,
    rule: plan.rule,
    state: record.state,
    ...(words !== undefined && { words }),
  };
}

function fits({ plan, record }: RecordedTask, { target, rule, schema, table, state }: Search): boolean {
  const same = (wanted: string | undefined, has: string) =>
    wanted === undefined || foldIdentifier(wanted) === foldIdentifier(has);
  return (
    (target === undefined || plan.target === target) &&
    (rule === undefined || plan.rule === rule) &&
    same(schema, plan.schema) &&
    same(table, plan.table) &&
    fitsState(record.state, state)
  );
}

function fitsState(state: RecordedTask["record"]["state"], wanted: Search["state"]): boolean {
  switch (wanted) {
    case undefined:
    case "reported":
    case "no-rule":
    case "skipped":
    case "unknown":
      return true;
    case "open":
      return !hasEnded(state);
    case "published":
    case "failed":
    case "parked":
    case "superseded":
      return state === wanted;
  }
}
