import type { Logger } from "pino";
import { inTime } from "../queues/in-time.ts";
import type { NoticeEntry, NoticeStore, Once, Trouble } from "../queues/notice-store.ts";
import { taskField, type TaskRecord } from "../queues/record.ts";
import type { PublishPlan } from "../rules/model.ts";
import { taskId, taskKey } from "../rules/task-identity.ts";

/**
 * What the relay tells people of. Nothing here fails or takes long, whatever becomes of the notification: the log says
 * what went wrong.
 */
export interface Notices {
  taskFailed(plan: PublishPlan, words: string): Promise<void>;
  /** Tells of it once, however often it is found parked. */
  taskParked(plan: PublishPlan, record: Pick<TaskRecord, "words" | "endedAt">): Promise<void>;
  /** A task of the target was published. */
  published(target: string): Promise<void>;
  /** A dispatch ended, and its job group, or a part of it, is not published. */
  completionFailed(jobGroupId: number, words: string): Promise<void>;
  /** A completion was dispatched. */
  dispatched(): Promise<void>;
  /** Completions are not dispatched for long. */
  completionsWait(facts: { readonly why: string; readonly jobGroupId: number }): Promise<void>;
  breakerOpen(target: string, failures: number, words: string): Promise<void>;
  breakerClosed(target: string): Promise<void>;
  gateShut(event: { readonly reason: string; readonly words: string }): Promise<void>;
  gateOpen(): Promise<void>;
  freshnessMissed(
    target: string,
    facts: { readonly why: string; readonly jobGroupId: number },
  ): Promise<void>;
  /** Whatever it was, it is over. */
  recovered(trouble: Trouble): Promise<void>;
}

export interface NoticesDeps {
  readonly store: Pick<NoticeStore, "trouble" | "recovered">;
  /** Puts what has to be told on its way. */
  readonly send: (entry: NoticeEntry) => Promise<void>;
  readonly log: Pick<Logger, "warn">;
}

/** While Redis is away nobody waits for a notification. */
const WAIT_MS = 2_000;
/** Attempts that are used up, and what the platform refused for good, are two troubles. */
const ATTEMPTS_USED = /\(attempt \d+ of \d+\)$/;
const FAILURES = ["attempts", "refused"] as const;

/** Tells of troubles through the store, which knows what is news. */
export function createNotices({ store, send, log }: NoticesDeps): Notices {
  async function safely(what: string, find: () => Promise<NoticeEntry | undefined>): Promise<void> {
    const work = async (): Promise<void> => {
      const entry = await find();
      if (entry) await send(entry);
    };
    const done = work().catch((error: unknown) =>
      log.warn({ err: error, what }, "a notification could not be made: the work goes on"),
    );
    await inTime(done, WAIT_MS);
  }
  const tell = (
    trouble: Trouble,
    as: "event" | "state",
    detail: NoticeEntry["detail"],
    once?: Once,
  ): Promise<void> => safely(trouble.kind, () => store.trouble(trouble, as, detail, once));
  const recovered = (trouble: Trouble): Promise<void> =>
    safely(`the end of ${trouble.kind}`, () => store.recovered(trouble));

  return {
    taskFailed: (plan, words) => {
      const errorClass = ATTEMPTS_USED.test(words) ? "attempts" : "refused";
      return tell({ kind: "task.failed", target: plan.target, errorClass }, "event", factsOf(plan, words));
    },
    taskParked: (plan, { words = "", endedAt = 0 }) =>
      tell({ kind: "task.parked", target: plan.target }, "event", factsOf(plan, words), {
        jobGroupId: plan.jobGroupId,
        field: `told:${taskField(plan)}`,
        // When it was parked: sent again and parked again, it is told again.
        value: String(endedAt),
      }),
    published: async (target) => {
      await Promise.all(FAILURES.map((errorClass) => recovered({ kind: "task.failed", target, errorClass })));
    },
    completionFailed: (jobGroupId, words) =>
      tell({ kind: "completion.failed" }, "event", { why: words, jobGroupId }),
    dispatched: () => recovered({ kind: "completion.failed" }),
    completionsWait: (facts) => tell({ kind: "completion.waits" }, "state", facts),
    breakerOpen: (target, failures, words) =>
      tell({ kind: "breaker.open", target }, "state", { why: `${failures} failures in a row: ${words}` }),
    breakerClosed: (target) => recovered({ kind: "breaker.open", target }),
    gateShut: ({ reason, words }) => tell({ kind: "gate.shut" }, "state", { why: words, reason }),
    gateOpen: () => recovered({ kind: "gate.shut" }),
    freshnessMissed: (target, facts) => tell({ kind: "freshness.missed", target }, "state", facts),
    recovered,
  };
}

const nothing = (): Promise<void> => Promise.resolve();

/** Nobody is told. */
export const NO_NOTICES: Notices = {
  taskFailed: nothing,
  taskParked: nothing,
  published: nothing,
  completionFailed: nothing,
  dispatched: nothing,
  completionsWait: nothing,
  breakerOpen: nothing,
  breakerClosed: nothing,
  gateShut: nothing,
  gateOpen: nothing,
  freshnessMissed: nothing,
  recovered: nothing,
};

const factsOf = (plan: PublishPlan, why: string) => ({
  why,
  task: taskId(plan.jobGroupId, taskKey(plan)),
  jobGroupId: plan.jobGroupId,
  table: `${plan.schema}.${plan.table}`,
  action: plan.action,
  rule: plan.rule,
});
