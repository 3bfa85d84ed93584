import { PlatformError } from "../errors.ts";
import { isReplayed } from "../rules/lane.ts";
import type { Outcome } from "../queues/outcome.ts";
import { REPLAYED_BY_FORCE } from "../rules/task-state.ts";
import type { TaskRecord } from "../queues/record.ts";
import type { Admission } from "../queues/task-record.ts";
import { judgeBaseline } from "./explain-baseline.ts";
import { isListed } from "./outputs.ts";
import {
  bodyOf,
  end,
  type PublishTask,
  park,
  platformFailure,
  release,
  save,
  seconds,
  useAttempt,
} from "./publish-task.ts";
import { waitForOther, waitLonger } from "./publish-wait.ts";

/** While the gate is shut, or the next start is far, each target asks again so often. */
const ASK_AGAIN_MAX_MS = 1_000;

/** A replayed task that gave its place to others of its queue comes back after so long. */
const BEHIND_MS = 1_000;

/** A shorter wait is not worth a line in the task's story. */
const TELL_FROM_MS = 2_000;
/** A target's queue is held back no longer at a time: a task that runs and was left by its process is to be taken up soon. */
const HOLD_MAX_MS = 5_000;

type Go = Extract<Admission, { answer: "go" }>;
type NotYet = Extract<Admission, { answer: "pace" | "gate" }>;

/** From planned to submitted: admitted, every publish job of the group explained, written down, sent. */
export async function start(task: PublishTask): Promise<Outcome | undefined> {
  const admission = await task.turn(() => askUntilAnswered(task));
  if (!admission) return stopped(task);
  if (admission.answer !== "go") return wait(task, admission);
  task.record = { ...task.record, state: "admitted" };
  task.probes = admission.failuresInARow > 0;
  const startsAt = task.clock.now() + admission.startInMs;
  const baseline = await takeBaseline(task);
  if (!Array.isArray(baseline)) return baseline;
  await task.clock.sleep(startsAt - task.clock.now(), task.run.signal);
  if (task.run.signal.aborted) return standBack(task, "The process stops");
  return submit(task, baseline);
}

/**
 * Asks until there is more to say than "not yet". One task of a target asks at a time in a process, the others stand
 * behind it: so a start is taken the moment it is due, and nobody spins. Undefined when the process stops.
 */
async function askUntilAnswered({
  hold,
  record,
  run,
  clock,
}: PublishTask): Promise<Exclude<Admission, NotYet> | undefined> {
  let told = false;
  while (!run.signal.aborted) {
    const admission = await hold.admit(record);
    if (!isNotYet(admission)) return admission;
    if (!told && admission.ms > TELL_FROM_MS) {
      told = true;
      run.tell(`Starts in ${seconds(admission.ms)} at the earliest: it ${STAGE[admission.answer]}`);
    }
    run.show({ progress: 0, stage: STAGE[admission.answer], words: admission.words });
    await clock.sleep(Math.min(admission.ms, ASK_AGAIN_MAX_MS), run.signal);
  }
  return undefined;
}

const isNotYet = (admission: Admission): admission is NotYet =>
  admission.answer === "pace" || admission.answer === "gate";

const STAGE = {
  gate: "waits for the platform",
  pace: "waits for the target's pace",
} as const;

async function stopped(task: PublishTask): Promise<Outcome> {
  await task.hold.write(["planned"], task.record, true);
  return handOverPlanned(task);
}

/** Nothing runs that somebody has to see to at once: a replayed task waits for its turn again. */
const handOverPlanned = ({ plan }: PublishTask): Outcome => ({ next: "hand-over", inTurn: isReplayed(plan) });

async function wait(task: PublishTask, admission: Exclude<Admission, Go | NotYet>): Promise<Outcome> {
  const { run, settings, hold } = task;
  switch (admission.answer) {
    case "superseded":
      return end(
        task,
        "superseded",
        `Superseded: job group ${admission.by}, which finished later, was published to this table`,
      );
    case "group":
      run.tell(`Waits: ${admission.by} of the same job group is being published, or found out about`);
      run.show({ progress: 0, stage: `waits for ${admission.by} of the same job group` });
      return { next: "later", inMs: settings.waitFallbackMs, lookAgain: () => hold.mayGoOn() };
    case "table":
      run.tell("Waits: another job group's publish to this table comes first");
      run.show({ progress: 0, stage: "waits for another job group's publish to this table" });
      return { next: "later", inMs: settings.waitFallbackMs, lookAgain: () => hold.mayGoOn() };
    case "behind":
      run.show({ progress: 0, stage: "replayed: waits for those that were not" });
      return { next: "later", inMs: BEHIND_MS };
    case "breaker":
      run.show({
        progress: 0,
        stage: "waits: the target's breaker is open",
        openMs: admission.ms,
        ...(admission.words && { words: admission.words }),
      });
      await hold.write(["planned"], task.record, true);
      return { next: "hold", ms: Math.min(admission.ms, HOLD_MAX_MS) };
  }
}

/** The publish jobs that stand before the PUT, if each of them can be explained; else what to do instead. */
async function takeBaseline(task: PublishTask): Promise<number[] | Outcome> {
  const { plan, platform, run } = task;
  try {
    const verdict = await judgeBaseline({
      plan,
      record: task.record,
      listed: await platform.listJobs(plan.jobGroupId, run.signal),
      siblings: task.listSiblings,
      listTables: () => platform.listTables(plan, run.signal),
    });
    switch (verdict.is) {
      case "clear":
        return verdict.jobIds;
      case "running":
        return waitForOther(task, `Publish job ${verdict.jobId} of this job group runs, and it is not ours`);
      case "published":
        return end(task, "published", verdict.words, { publishJobs: verdict.jobIds });
      case "cannot-tell":
        return park(task, verdict.words);
    }
  } catch (error) {
    return notTold(task, platformFailure(error));
  }
}

/** The platform did not say what publish jobs there are: nothing was sent, so only a clear "no" is the end. */
async function notTold(task: PublishTask, { failure, message }: PlatformError): Promise<Outcome> {
  if (failure.next === "refused") return end(task, "failed", message);
  if (failure.next === "gate" || task.run.signal.aborted) return standBack(task, message);
  return waitLonger(task, message, "waits for the platform to answer", {
    answered: false,
    atLeastMs: failure.retryAfterMs ?? 0,
  });
}

/** Writes that the PUT may be under way, then sends it. */
async function submit(task: PublishTask, baseline: readonly number[]): Promise<Outcome | undefined> {
  const { plan, platform, settings, run } = task;
  const submittingAt = Math.round(task.nowMs());
  const sendableUntil = submittingAt + settings.sendWindowMs;
  const { answeredMs } = task.record;
  await save(task, "submitting", {
    baseline: [...baseline],
    submittingAt,
    redisLife: task.redisLife,
    sendableUntil,
    crashes: 0,
    answeredMs: 0,
  });
  run.show({ progress: 10, stage: "submitting" });
  task.events.started();

  // A process that was frozen since the write above must not send any more: somebody else may have gone on.
  const guard = { mayStillSend: () => task.nowMs() < sendableUntil };
  const grace = graceOf(run.signal, settings.stopGraceMs);
  try {
    const answer = await platform.publish(plan.jobGroupId, bodyOf(plan), guard, grace.signal);
    const shownIn =
      answer.jobGroupId !== undefined && answer.jobGroupId !== plan.jobGroupId
        ? answer.jobGroupId
        : undefined;
    await save(task, "submitted", {
      submittedAt: Math.round(task.nowMs()),
      waits: 0,
      ...(shownIn !== undefined && { shownIn }),
      ...(answer.requestId && { requestId: answer.requestId }),
    });
    return undefined;
  } catch (error) {
    return refused(task, platformFailure(error), answeredMs);
  } finally {
    grace.clear();
  }
}

/** A PUT that is under way when the process stops is waited for a while; then its outcome is unknown. */
function graceOf(stop: AbortSignal, graceMs: number): { signal: AbortSignal; clear: () => void } {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const begin = (): void => {
    timer = setTimeout(() => controller.abort(stop.reason), graceMs);
  };
  if (stop.aborted) begin();
  else stop.addEventListener("abort", begin, { once: true });
  return {
    signal: controller.signal,
    clear: () => {
      clearTimeout(timer);
      stop.removeEventListener("abort", begin);
    },
  };
}

/** The PUT was not accepted: what is known of it decides. */
async function refused(
  task: PublishTask,
  error: PlatformError,
  waitedMs: number,
): Promise<Outcome | undefined> {
  const { failure, message } = error;
  switch (failure.next) {
    case "unknown": {
      const change: Partial<TaskRecord> = {
        ...(failure.requestId && { requestId: failure.requestId }),
        // One wait for the other publish, as below.
        ...(failure.saysBusy && { saysBusy: true, answeredMs: waitedMs }),
        ...(failure.retryAfterMs && { notBefore: Math.round(task.nowMs() + failure.retryAfterMs) }),
      };
      // The PUT may have been read up to this moment, not only up to the end of the window.
      const known = { sendableUntil: Math.round(task.nowMs()), words: message, putWords: message };
      await save(task, "submitting", { ...change, ...known });
      task.run.tell(`${message}. Whether it was applied is unknown: looking before anything is sent again`);
      return undefined;
    }
    case "busy":
      // One wait for the other publish, however often the PUT is tried in it.
      task.record = { ...task.record, answeredMs: waitedMs };
      task.events.retried("busy");
      return waitForOther(task, message, failure.retryAfterMs);
    case "refused":
      // Of one that was sent again by force the platform speaks of the results before.
      if (failure.sameTarget && !isForced(task.record)) {
        const agrees = await agreesThatItIs(task);
        if (agrees instanceof PlatformError) return notTold(task, agrees);
        if (agrees !== undefined) {
          return end(task, "published", `Already published, says the platform, and ${agrees}: ${message}`);
        }
      }
      return end(task, "failed", message, failure.requestId ? { requestId: failure.requestId } : {});
    case "gate":
    case "not-sent":
      task.events.retried(failure.gate ?? "not-sent");
      return notApplied(task, error);
    case "retry":
      return notApplied(task, error);
  }
}

const isForced = ({ decisions }: TaskRecord): boolean => decisions?.at(-1)?.outcome === REPLAYED_BY_FORCE;

/** What else says that the results are in the table already; the failure when the platform cannot tell just now. */
async function agreesThatItIs(task: PublishTask): Promise<string | undefined | PlatformError> {
  const { plan, platform, hold, run } = task;
  if (task.record.untold) return "an earlier attempt may have been applied";
  try {
    const [tables, siblings] = await Promise.all([platform.listTables(plan, run.signal), hold.siblings()]);
    return isListed(tables, plan, siblings) === "yes" ? "it lists the table" : undefined;
  } catch (error) {
    const failure = platformFailure(error);
    return failure.failure.next === "refused" ? undefined : failure;
  }
}

/** Surely not applied. */
async function notApplied(task: PublishTask, { failure, message }: PlatformError): Promise<Outcome> {
  return failure.next === "retry"
    ? useAttempt(task, "platform-error", message, failure.retryAfterMs)
    : standBack(task, message);
}

/** Gives way without using an attempt; the gate says how long to wait. */
async function standBack(task: PublishTask, words: string): Promise<Outcome> {
  await release(task, "gate", { words });
  if (task.run.signal.aborted) return handOverPlanned(task);
  task.run.tell(`${words}; nothing was sent, and no attempt is used`);
  task.run.show({ progress: 0, stage: STAGE.gate, words });
  return { next: "later", inMs: ASK_AGAIN_MAX_MS };
}
