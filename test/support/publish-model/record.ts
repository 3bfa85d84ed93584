import { LostTaskError } from "../../../src/errors.ts";
import { isOrdered } from "../../../src/queues/task-place.ts";
import { type Admission, type Claimed, type Sibling } from "../../../src/queues/task-record.ts";
import { PLANNED, readTaskRecord, type TaskRecord, writeTaskRecord } from "../../../src/queues/record.ts";
import type { PublishPlan } from "../../../src/rules/model.ts";
import { taskId, taskKey } from "../../../src/rules/task-identity.ts";
import { hasEnded, type TaskState } from "../../../src/rules/task-state.ts";

/** All that Redis holds of the tasks. */
interface Stored {
  /** Task id -> the record's JSON. */
  readonly records: Map<string, string>;
  readonly holders: Map<string, string>;
  /** Task id -> the token that holds BullMQ's lock. */
  readonly locks: Map<string, string>;
  /** Job group -> the task that has it. */
  readonly busy: Map<number, string>;
  /** Job group -> task ids that wait for it, the first first. */
  readonly waiters: Map<number, string[]>;
  /** Table -> open tasks that replace or merge, in the order in which their job groups finished. */
  readonly tables: Map<string, { readonly finishedAt: number; readonly id: string }[]>;
  /** Table -> the task that publishes into it, of those that replace or merge. */
  readonly tableBusy: Map<string, string>;
  readonly newest: Map<string, { readonly finishedAt: number; readonly jobGroupId: number }>;
  gateUntil: number;
  breaker: { failures: number; openUntil?: number; probe?: string };
}

const empty = (): Stored => ({
  records: new Map(),
  holders: new Map(),
  locks: new Map(),
  busy: new Map(),
  waiters: new Map(),
  tables: new Map(),
  tableBusy: new Map(),
  newest: new Map(),
  gateUntil: 0,
  breaker: { failures: 0 },
});

const THRESHOLD = 5;
const BREAKER_FIRST_MS = 30_000;
const BREAKER_MAX_MS = 600_000;

const isBusy = (state: TaskState): boolean => state !== "planned" && !hasEnded(state);

export const idOf = (plan: PublishPlan): string => taskId(plan.jobGroupId, taskKey(plan));

/** The record of the publish tasks in memory, with the meaning of its scripts (src/queues/scripts). */
export function createRecord(
  plans: readonly PublishPlan[],
  now: () => number,
  onWrite: (plan: PublishPlan, before: TaskState, record: TaskRecord) => void,
) {
  let stored = empty();
  let lives = 1;
  const planOf = new Map(plans.map((plan) => [idOf(plan), plan]));

  const keyOf = (id: string): string => {
    const plan = planOf.get(id);
    return plan ? taskKey(plan) : id;
  };
  const read = (id: string): TaskRecord | undefined => {
    const json = stored.records.get(id);
    return json === undefined ? undefined : readTaskRecord(json);
  };
  const siblingIds = (plan: PublishPlan): string[] =>
    [...planOf].flatMap(([id, { jobGroupId }]) =>
      jobGroupId === plan.jobGroupId && id !== idOf(plan) && stored.records.has(id) ? [id] : [],
    );
  function busySibling(plan: PublishPlan): string | undefined {
    const busy = stored.busy.get(plan.jobGroupId);
    if (busy === undefined || busy === idOf(plan)) return undefined;
    if (keepsOthers(busy)) return busy;
    stored.busy.delete(plan.jobGroupId);
    return undefined;
  }
  function busyInTable(plan: PublishPlan): string | undefined {
    const busy = stored.tableBusy.get(taskKey(plan));
    if (busy === undefined || busy === idOf(plan)) return undefined;
    if (keepsOthers(busy)) return busy;
    stored.tableBusy.delete(taskKey(plan));
    return undefined;
  }
  function keepsOthers(id: string): boolean {
    const state = read(id)?.state ?? "planned";
    return state === "admitted" ? stored.locks.has(id) : isBusy(state);
  }
  const isHolder = (id: string, token: string): boolean =>
    stored.locks.get(id) === token && stored.holders.get(id) === token;

  function siblings(task: PublishPlan): Sibling[] {
    return siblingIds(task).map((id) => ({ ...(read(id) ?? PLANNED), key: keyOf(id) }));
  }

  /** Asked by a task that has just gone to sleep. */
  function mayGoOn(task: PublishPlan): boolean {
    const id = idOf(task);
    if (task.serialize && busySibling(task) !== undefined) {
      const waiters = stored.waiters.get(task.jobGroupId) ?? [];
      if (!waiters.includes(id)) stored.waiters.set(task.jobGroupId, [...waiters, id]);
      return false;
    }
    return !isOrdered(task) || ((head(task) ?? id) === id && busyInTable(task) === undefined);
  }

  function popWaiter(jobGroupId: number): string | undefined {
    return stored.waiters.get(jobGroupId)?.shift();
  }

  function plan(task: PublishPlan): void {
    const id = idOf(task);
    if (stored.records.has(id)) return;
    stored.records.set(id, writeTaskRecord(PLANNED));
    if (isOrdered(task)) line(task).push({ finishedAt: task.finishedAt, id });
  }

  function line(task: PublishPlan): { finishedAt: number; id: string }[] {
    const key = taskKey(task);
    const all = stored.tables.get(key) ?? [];
    stored.tables.set(key, all);
    return all;
  }

  const head = (task: PublishPlan): string | undefined =>
    line(task).toSorted((a, b) => a.finishedAt - b.finishedAt || (a.id < b.id ? -1 : 1))[0]?.id;

  function leaveLine(task: PublishPlan, id: string): void {
    const all = line(task);
    const at = all.findIndex((open) => open.id === id);
    if (at >= 0) all.splice(at, 1);
  }

  /** What follows from a state: whom to wake. */
  function land(task: PublishPlan, before: TaskState, after: TaskState): string[] {
    const woken: (string | undefined)[] = [];
    if (hasEnded(before) && !hasEnded(after) && isOrdered(task)) {
      line(task).push({ finishedAt: task.finishedAt, id: idOf(task) });
    }
    if (hasEnded(after) && isOrdered(task)) {
      leaveLine(task, idOf(task));
      woken.push(head(task));
      const { finishedAt, jobGroupId } = task;
      const newest = stored.newest.get(taskKey(task));
      const isNewest =
        !newest ||
        finishedAt > newest.finishedAt ||
        (finishedAt === newest.finishedAt && jobGroupId > newest.jobGroupId);
      if (after === "published" && isNewest) stored.newest.set(taskKey(task), { finishedAt, jobGroupId });
    }
    if (isOrdered(task) && isBusy(before) && !isBusy(after)) {
      if (stored.tableBusy.get(taskKey(task)) === idOf(task)) stored.tableBusy.delete(taskKey(task));
      const first = head(task);
      if (first !== idOf(task)) woken.push(first);
    }
    if (isBusy(before) && !isBusy(after) && busySibling(task) === undefined) {
      stored.busy.delete(task.jobGroupId);
      woken.push(popWaiter(task.jobGroupId));
    }
    return woken.flatMap((id) => (id === undefined ? [] : [id]));
  }

  function claim(task: PublishPlan, token: string): Claimed {
    const id = idOf(task);
    if (stored.locks.get(id) !== token) throw new LostTaskError("The job's lock belongs to another run");
    plan(task);
    const before = stored.holders.get(id) ?? "";
    stored.holders.set(id, token);
    const record = read(id) ?? PLANNED;
    return { record, crashed: before !== "" && before !== token, nowMs: now(), redisLife: `life ${lives}` };
  }

  function admit(
    task: PublishPlan,
    token: string,
    record: TaskRecord,
  ): { answer: Admission; wake: string[] } {
    const id = idOf(task);
    if (!isHolder(id, token)) throw new LostTaskError("Another run has the task");
    const { state } = read(id) ?? PLANNED;
    if (state !== "planned" && state !== "admitted") throw new LostTaskError(`The task is ${state}`);

    const newest = stored.newest.get(taskKey(task));
    if (isOrdered(task) && task.stale === "supersede" && newest) {
      const later =
        newest.finishedAt > task.finishedAt ||
        (newest.finishedAt === task.finishedAt && newest.jobGroupId > task.jobGroupId);
      if (later) return { answer: { answer: "superseded", by: newest.jobGroupId }, wake: [] };
    }

    const waiters = (stored.waiters.get(task.jobGroupId) ?? []).filter((waiter) => waiter !== id);
    stored.waiters.set(task.jobGroupId, waiters);
    const busy = task.serialize ? busySibling(task) : undefined;
    if (busy !== undefined) {
      waiters.push(id);
      stored.holders.set(id, "");
      return { answer: { answer: "group", by: busy }, wake: [] };
    }

    const held = (answer: Admission): { answer: Admission; wake: string[] } => {
      const next = popWaiter(task.jobGroupId);
      return { answer, wake: next === undefined ? [] : [next] };
    };
    if (isOrdered(task)) {
      for (let first = head(task); first !== undefined && first !== id; first = head(task)) {
        const before = read(first);
        if (before && !hasEnded(before.state)) {
          stored.holders.set(id, "");
          return held({ answer: "table" });
        }
        leaveLine(task, first);
      }
      if (busyInTable(task) !== undefined) {
        stored.holders.set(id, "");
        return held({ answer: "table" });
      }
    }
    if (stored.gateUntil > now())
      return held({ answer: "gate", ms: stored.gateUntil - now(), words: "away" });
    const { breaker } = stored;
    if (breaker.openUntil !== undefined) {
      if (breaker.openUntil > now()) return held({ answer: "breaker", ms: breaker.openUntil - now() });
      const probing = breaker.probe !== undefined && isBusy(read(breaker.probe)?.state ?? "planned");
      if (probing) return held({ answer: "breaker", ms: 2_000 });
      breaker.probe = id;
    }
    stored.records.set(id, writeTaskRecord({ ...record, state: "admitted" }));
    if (busySibling(task) === undefined) stored.busy.set(task.jobGroupId, id);
    if (isOrdered(task)) stored.tableBusy.set(taskKey(task), id);
    onWrite(task, state, { ...record, state: "admitted" });
    return {
      answer: { answer: "go", startInMs: 0, failuresInARow: breaker.failures },
      wake: [],
    };
  }

  /** Returns whom to wake. */
  function write(
    task: PublishPlan,
    token: string,
    from: readonly TaskState[],
    record: TaskRecord,
    letGo: boolean,
  ): string[] {
    const id = idOf(task);
    const json = writeTaskRecord(record);
    if (!isHolder(id, token)) {
      if (letGo && stored.records.get(id) === json && stored.locks.get(id) === token) return [];
      throw new LostTaskError("Another run has the task");
    }
    const before = (read(id) ?? PLANNED).state;
    if (before !== record.state && !from.includes(before)) throw new LostTaskError(`The task is ${before}`);
    stored.records.set(id, json);
    if (letGo) stored.holders.set(id, "");
    onWrite(task, before, record);
    return land(task, before, record.state);
  }

  return {
    plan,
    claim,
    admit,
    write,
    read,
    isHolder,
    siblings,
    mayGoOn,
    /** Another task of the job group that has it, or may have sent its PUT. One that lost it while its run was dead does not. */
    otherUnderWay: (task: PublishPlan) =>
      siblingIds(task).find((id) =>
        read(id)?.state === "admitted"
          ? stored.busy.get(task.jobGroupId) === id && keepsOthers(id)
          : keepsOthers(id),
      ),
    /** A task of a newer job group that was published to the same table. */
    newerPublished: (task: PublishPlan) =>
      isOrdered(task)
        ? [...planOf].find(
            ([id, other]) =>
              isOrdered(other) &&
              taskKey(other) === taskKey(task) &&
              other.finishedAt > task.finishedAt &&
              read(id)?.state === "published",
          )?.[0]
        : undefined,
    /** Another task that replaces or merges the same table and may have sent its PUT. */
    otherInTable: (task: PublishPlan) =>
      isOrdered(task)
        ? [...planOf].find(([id, other]) => {
            const state = read(id)?.state;
            const sent = state === "submitting" || state === "submitted";
            return id !== idOf(task) && isOrdered(other) && taskKey(other) === taskKey(task) && sent;
          })?.[0]
        : undefined,
    locks: () => stored.locks,
    shutGate: (ms: number) => {
      stored.gateUntil = Math.max(stored.gateUntil, now() + ms);
    },
    breaker: {
      failed: () => {
        const { breaker } = stored;
        breaker.failures += 1;
        delete breaker.probe;
        const over = breaker.failures - THRESHOLD;
        if (over >= 0) breaker.openUntil = now() + Math.min(BREAKER_FIRST_MS * 2 ** over, BREAKER_MAX_MS);
      },
      succeeded: () => {
        stored.breaker = { failures: 0 };
      },
    },
    /** What is left standing that no open task accounts for. */
    leftBehind: (): string[] => [
      ...[...stored.records.keys()].flatMap((id) => {
        const state = read(id)?.state ?? "planned";
        return hasEnded(state) ? [] : [`${id} is ${state}`];
      }),
      ...[...stored.tables.values()].flat().map(({ id }) => `${id} stands in its table's line`),
    ],
    snapshot: (): Stored => structuredClone(stored),
    /** Redis comes back empty, or as it was; nothing holds a lock any more. */
    comeBack: (as: Stored = empty()) => {
      lives += 1;
      stored = { ...structuredClone(as), locks: new Map() };
    },
  };
}
