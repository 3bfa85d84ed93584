import type { Redis } from "ioredis";
import { LostTaskError } from "../errors.ts";
import type { PublishPlan } from "../rules/model.ts";
import { isReplayed } from "../rules/lane.ts";
import { hasEnded, type TaskState } from "../rules/task-state.ts";
import type { Keys } from "./names.ts";
import type { Pace } from "./pace.ts";
import { readTaskRecord, type TaskRecord, writeTaskRecord } from "./record.ts";
import { registerScript, words } from "./script.ts";
import { flag, isOrdered, landingOf, placeOf } from "./task-place.ts";
import type { WaitCause } from "./waits.ts";
import { ADMIT, CLAIM, DECIDE, LOOK_AGAIN, WRITE } from "./scripts/task.ts";

/** What a run found when it took a task over. */
export interface Claimed {
  readonly record: TaskRecord;
  /** The run before ended without letting go. */
  readonly crashed: boolean;
  /** Redis' clock, epoch milliseconds. */
  readonly nowMs: number;
  /** Names this life of Redis; a new one may have lost what was written last. Empty when Redis does not tell. */
  readonly redisLife: string;
}

/** Another task of the same job group. */
export interface Sibling extends TaskRecord {
  /** Its place, `2/public/orders`. */
  readonly key: string;
}

/** May the task start? Waits that leave the job group free name who may go instead. */
export type Admission =
  | {
      readonly answer: "go";
      readonly startInMs: number;
      readonly failuresInARow: number;
    }
  | { readonly answer: "group"; readonly by: string }
  | { readonly answer: "superseded"; readonly by: number }
  | { readonly answer: "table" }
  /** A replayed task: others of its queue come first. */
  | { readonly answer: "behind" }
  | { readonly answer: "breaker"; readonly ms: number; readonly words?: string }
  | { readonly answer: "gate" | "pace"; readonly ms: number; readonly words: string };

/** A job that may go on now. */
export interface Waiter {
  readonly queue: string;
  readonly jobId: string;
}

/** One run's hold on one task; every write is refused with `LostTaskError` once another run has claimed it. */
export interface TaskHold {
  claim(): Promise<Claimed>;
  admit(record: TaskRecord): Promise<Admission>;
  /** Writes the next state; `letGo` ends this run's hold. `waitsFor` says why a task that is planned again waits; default `queue`. */
  write(from: readonly TaskState[], record: TaskRecord, letGo?: boolean, waitsFor?: WaitCause): Promise<void>;
  /** The other tasks of the job group, as they stand now. */
  siblings(): Promise<Sibling[]>;
  /** Asked once the task sleeps: did the reason to wait go away in between? If not, it will be woken. */
  mayGoOn(): Promise<boolean>;
}

export interface TaskRecords {
  hold(plan: PublishPlan, lockToken: string): TaskHold;
  /** Writes a person's decision, if the record still reads `shown`; false when it does not. */
  decide(plan: PublishPlan, shown: string, record: TaskRecord): Promise<boolean>;
}

export interface TaskRecordOptions {
  readonly redis: Redis;
  readonly keys: Keys;
  readonly retentionMs: number;
  readonly paceOf: (target: string) => Pace;
  /** Wakes a task whose wait is over. */
  readonly wake: (waiter: Waiter) => Promise<void>;
  /** Writes the plan of a task whose record is gone (Redis was lost) or never was; its publish jobs tell the rest. */
  readonly restore: (plan: PublishPlan) => Promise<void>;
}

/** The states of publish tasks in Redis, written by scripts that refuse a run that is not the newest. */
export function createTaskRecords(options: TaskRecordOptions): TaskRecords {
  const { redis, keys, retentionMs, paceOf, wake, restore } = options;
  const claim = registerScript(redis, "relayClaim", CLAIM, 2);
  const admit = registerScript(redis, "relayAdmit", ADMIT, 8);
  const write = registerScript(redis, "relayWrite", WRITE, 6);
  const lookAgain = registerScript(redis, "relayLookAgain", LOOK_AGAIN, 3);
  const decide = registerScript(redis, "relayDecide", DECIDE, 5);

  const wakeAll = async (waiters: readonly string[]): Promise<void> => {
    await Promise.all(waiters.filter(Boolean).map((waiter) => wake(readWaiter(waiter))));
  };

  return {
    hold: (plan, token) => {
      const at = placeOf(keys, plan);
      const landing = landingOf(keys, plan, retentionMs);
      const siblings = async (): Promise<Sibling[]> => {
        const all = Object.entries(await redis.hgetall(at.group));
        return readSiblings(all.filter(([field]) => field.startsWith("task:") && field !== at.field).flat());
      };
      return {
        claim: async () => {
          const take = async () => words(await claim([at.group, at.lock], [at.field, token]));
          let reply = await take();
          if (reply[0] === "missing") {
            await restore(plan);
            reply = await take();
          }
          const [answer, json = "", crashed, nowUs, redisLife = ""] = reply;
          if (answer !== "ok") throw new LostTaskError("The job's lock belongs to another run");
          return {
            record: readTaskRecord(json),
            crashed: crashed === "1",
            nowMs: Number(nowUs) / 1_000,
            redisLife,
          };
        },
        admit: async (record) => {
          const admitted = writeTaskRecord({ ...record, state: "admitted" });
          const supersede = isOrdered(plan) && plan.stale === "supersede";
          const flags = [plan.serialize, isOrdered(plan), supersede].map(flag);
          // Asked each time: the limit may have changed while the task waited.
          const pace = paceOf(plan.target);
          const rhythm = [pace.max, pace.perUs, pace.toleranceUs, pace.leadUs];
          const reply = words(
            await admit(
              [at.group, at.lock, at.waiters, at.table, at.newest, at.pace, keys.gate, at.breaker],
              [
                at.field,
                token,
                at.waiter,
                keys.prefix,
                admitted,
                ...flags,
                plan.finishedAt,
                plan.jobGroupId,
                ...rhythm,
                at.tracked,
                flag(isReplayed(plan)),
              ],
            ),
          );
          const admission = readAdmission(reply);
          if (reply[0] !== "go" && reply[0] !== "group" && reply[3]) await wakeAll([reply[3]]);
          return admission;
        },
        write: async (from, record, letGo = hasEnded(record.state), waitsFor = "queue") => {
          const json = writeTaskRecord(record);
          const reply = words(
            await write(
              [at.group, at.waiters, at.table, at.newest, keys.open, at.lock],
              [at.field, json, token, from.join(","), flag(letGo), waitsFor, ...landing],
            ),
          );
          if (reply[0] === "lost") throw new LostTaskError("Another run has the task");
          if (reply[0] === "state")
            throw new LostTaskError(`The task is ${reply[1]}, not ${from.join(" or ")}`);
          await wakeAll(reply.slice(1));
        },
        siblings,
        mayGoOn: async () =>
          (await lookAgain(
            [at.group, at.waiters, at.table],
            [
              at.field,
              at.waiter,
              at.tracked,
              flag(plan.serialize),
              flag(isOrdered(plan)),
              keys.prefix,
              flag(isReplayed(plan)),
            ],
          )) === 1,
      };
    },
    decide: async (plan, shown, record) => {
      const at = placeOf(keys, plan);
      const reply = words(
        await decide(
          [at.group, at.waiters, at.table, at.newest, keys.open],
          [at.field, writeTaskRecord(record), shown, ...landingOf(keys, plan, retentionMs)],
        ),
      );
      if (reply[0] === "changed") return false;
      await wakeAll(reply.slice(1));
      return true;
    },
  };
}

/** Field and JSON in turn, as Redis lists a hash. */
function readSiblings(pairs: readonly string[]): Sibling[] {
  return pairs.flatMap((field, i) =>
    i % 2 === 0 ? [{ ...readTaskRecord(pairs[i + 1] ?? ""), key: field.replace(/^task:/, "") }] : [],
  );
}

function readWaiter(waiter: string): Waiter {
  const [queue = "", jobId = ""] = waiter.split("\t");
  return { queue, jobId };
}

function readAdmission(reply: readonly string[]): Admission {
  const [answer, first = "", second = ""] = reply;
  switch (answer) {
    case "go":
      return {
        answer,
        startInMs: Number(first) / 1_000,
        failuresInARow: Number(second),
      };
    case "group":
      return { answer, by: first.replace(/^task:/, "") };
    case "superseded":
      return { answer, by: Number(first) };
    case "table":
    case "behind":
      return { answer };
    case "breaker":
      return { answer, ms: Number(first), words: second };
    case "gate":
    case "pace":
      return { answer, ms: Number(first), words: second };
    case "lost":
      throw new LostTaskError("Another run has the task");
    default:
      throw new LostTaskError(`The task cannot be admitted: it is ${first || String(answer)}`);
  }
}
