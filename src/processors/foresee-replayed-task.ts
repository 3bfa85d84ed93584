import type { RecordedTask } from "../queues/completion-record.ts";
import type { NewerInTable, ReplayStore } from "../queues/replay-store.ts";
import { type PublishPlan, REPEATABLE_ACTIONS } from "../rules/model.ts";
import { taskId, taskKey } from "../rules/task-identity.ts";
import { judgeBaseline } from "./explain-baseline.ts";
import { hasJobEnded } from "./job-status.ts";
import type { OutputTable, PlatformJob } from "./publish-task.ts";
import { forcedAs, meaningOf, nameOfReplay, tellDone } from "./replay-by-force.ts";
import { lineOf, type ReplayLine } from "./replay-line.ts";

/** What is to be done with a task. */
export interface ReplayAct {
  /** As the rules in force make it. */
  readonly plan: PublishPlan;
  /** The task as it stood; absent for one that the record does not hold. */
  readonly shown?: RecordedTask;
  /** Publish jobs that keep it from being sent no longer. */
  readonly foreign: readonly number[];
  /** By force. */
  readonly again: boolean;
}

/** Which tasks are meant, and what may be done. */
export interface ReplayChoice {
  readonly rule?: string;
  readonly target?: string;
  /** Only tasks that failed, and those of a dispatch that failed. */
  readonly failed: boolean;
  /** What is published already is sent again. */
  readonly force: boolean;
  readonly reason?: string;
  /** Names a replay by force; by default its reason does. */
  readonly key?: string;
}

export interface ReplayStep {
  readonly line: ReplayLine;
  /** Absent when nothing is to be done. */
  readonly act?: ReplayAct;
}

/** What the tasks of one job group are asked about. */
export interface Around {
  readonly choice: ReplayChoice;
  readonly store: Pick<ReplayStore, "hasTarget" | "newerInTable">;
  readonly recorded: readonly RecordedTask[];
  readonly listJobs: () => Promise<readonly PlatformJob[]>;
  readonly listTables: (plan: PublishPlan) => Promise<readonly OutputTable[]>;
  /** The platform's words when it does not answer; throws what is no failure of the platform. */
  readonly wordsOf: (error: unknown) => string;
}

interface Asked {
  /** As the rules in force make it; undefined: they do not. */
  readonly plan: PublishPlan | undefined;
  readonly task: RecordedTask | undefined;
  /** Why the rules in force cannot say that they make it so. */
  readonly unsure: string | undefined;
}

/** One that may be sent, as far as the record goes. */
interface Sendable {
  readonly plan: PublishPlan;
  readonly shown: RecordedTask | undefined;
  readonly state: ReplayLine["state"];
}

/** Tells what a replay does with one task. */
export async function foreseeTask({ plan, task, unsure }: Asked, around: Around): Promise<ReplayStep> {
  const stands = task?.record.state;
  const known = plan ?? task?.plan;
  if (!known) throw new Error("A task has neither a plan nor a record");
  const left = (state: ReplayLine["state"], words: string): ReplayStep => ({
    line: lineOf(known.jobGroupId, state, "nothing", words, known),
  });
  const done = around.choice.force ? forcedAs(task?.record, nameOfReplay(around.choice)) : undefined;
  switch (stands) {
    case "planned":
      return left("waiting", "it waits for its turn: left alone");
    case "admitted":
    case "submitting":
    case "submitted":
      return left("running", "it is being published: left alone");
    case "parked": {
      const id = taskId(known.jobGroupId, taskKey(known));
      const decide = `publish-relay resolve ${id} --published | --again --reason "..."`;
      return left("parked", `left alone, a person decides: ${decide}`);
    }
    case "superseded":
      return left("superseded", `${task?.record.words ?? "a newer job group was published"}: left alone`);
    case "published":
      if (done) return left("published", tellDone(done));
      if (!around.choice.force) return left("published", `${when(task)}: left alone`);
      break;
    case "failed":
    case undefined:
      break;
  }
  if (!plan) return left("refused", `it is ${stands}, and the rules in force do not make it any more`);
  if (unsure !== undefined) return left("refused", unsure);
  try {
    // What this very replay has sent by force already is, from then on, sent by no force.
    const force = around.choice.force && !done;
    return await foreseeSend(
      { plan, shown: task, state: stands ?? "new" },
      { ...around, choice: { ...around.choice, force } },
      left,
    );
  } catch (error) {
    return left("unknown", `not known: ${around.wordsOf(error)}; do it again once the platform tells it`);
  }
}

const when = (task: RecordedTask | undefined): string =>
  `published on ${new Date(task?.record.endedAt ?? 0).toISOString()}`;

type Left = (state: ReplayLine["state"], words: string) => ReplayStep;

async function foreseeSend(one: Sendable, around: Around, left: Left): Promise<ReplayStep> {
  const { plan, shown, state } = one;
  const { choice, store, recorded } = around;
  if (!(await store.hasTarget(plan.target))) {
    return left(
      "refused",
      `no running relay has target ${plan.target} in its rules yet: let them take the file over`,
    );
  }
  if (isOrdered(plan) && plan.stale === "supersede") {
    const newer = await store.newerInTable(plan);
    if (newer) return left(state === "published" ? state : "superseded", tellNewer(newer));
  }
  const listed = await around.listJobs();
  if (state === "published") return foreseeAgain(one, listed, around, left);
  const verdict = await judgeBaseline({
    plan,
    record: shown?.record ?? { publishJobs: [] },
    listed,
    siblings: async () =>
      recorded.filter((task) => task !== shown).map((task) => ({ ...task.record, key: taskKey(task.plan) })),
    listTables: () => around.listTables(plan),
  });
  switch (verdict.is) {
    case "clear":
      if (verdict.unexplained) {
        if (choice.force) return foreseeAgain(one, listed, around, left);
        return left("refused", tellUnexplained(verdict.unexplained));
      }
      return sent(one, "publish", state === "failed" ? tellFailed(shown) : "not published yet");
    case "running":
      return left("refused", tellRunning(verdict.jobId));
    case "published":
      if (choice.force) return foreseeAgain(one, listed, around, left);
      return state === "new"
        ? left("published", `${verdict.words}: left alone`)
        : sent(one, "note as published", verdict.words);
    case "cannot-tell":
      if (choice.force) return foreseeAgain(one, listed, around, left);
      return left("refused", `${verdict.words}. Look into the table; --force sends it all the same`);
  }
}

/** By force: whatever was published is known, and does not keep it from being sent once more. */
function foreseeAgain(
  one: Sendable,
  listed: readonly PlatformJob[],
  { choice, recorded }: Around,
  left: Left,
): ReplayStep {
  const { plan, shown } = one;
  const meaning = meaningOf(plan.action, shown?.record);
  const owned = recorded.flatMap(({ record }) => record.publishJobs);
  const strange = listed.filter(({ id, jobType }) => jobType === "publish" && !owned.includes(id));
  const running = strange.find(({ status }) => !hasJobEnded(status));
  if (running) return left("refused", tellRunning(running.id));
  const repeatable = REPEATABLE_ACTIONS.includes(plan.action);
  if (!repeatable && choice.reason === undefined) {
    return left("refused", `it may be in the table, and ${meaning}: force needs a reason (--reason)`);
  }
  const foreign = strange.map(({ id }) => id);
  return sent(one, "publish", `sent again by force: ${meaning}`, { foreign, again: true });
}

function sent(
  { plan, shown, state }: Sendable,
  does: ReplayLine["does"],
  words: string,
  { foreign, again }: Pick<ReplayAct, "foreign" | "again"> = { foreign: [], again: false },
): ReplayStep {
  return {
    line: lineOf(plan.jobGroupId, state, does, words, plan),
    act: { plan, foreign, again, ...(shown && { shown }) },
  };
}

const isOrdered = ({ action }: PublishPlan): boolean => REPEATABLE_ACTIONS.includes(action);

const tellFailed = (task: RecordedTask | undefined): string =>
  `failed: ${task?.record.words ?? "for a reason that is not known"}`;

const tellRunning = (jobId: number): string =>
  `publish job ${jobId} of this job group runs, and it is not known to this relay: wait for its end`;

/** Dispatch may repeat it; whoever replays is asked first, for newer results may be in the table. */
const tellUnexplained = (jobIds: readonly number[]): string =>
  `it may be published already: publish job ${jobIds.join(", ")} is not in this relay's record, the platform does not say which table it wrote, and whether a newer job group is in the table is not known; --force --reason does it`;

const tellNewer = ({ jobGroupId, published }: NewerInTable): string =>
  `job group ${jobGroupId}, which finished later, ${published ? "was published" : "is about to be published"} to this table: left alone, whatever is forced, for older results would replace newer ones`;
