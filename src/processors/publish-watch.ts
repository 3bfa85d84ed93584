import type { PlatformError } from "../errors.ts";
import type { Outcome } from "../queues/outcome.ts";
import type { TaskRecord } from "../queues/record.ts";
import { REPEATABLE_ACTIONS } from "../rules/model.ts";
import { type Judgement, judgePublish } from "./judge-publish.ts";
import {
  end,
  handOver,
  type PlatformJob,
  type PublishTask,
  park,
  platformFailure,
  save,
  seconds,
  useAttempt,
} from "./publish-task.ts";
import { waitForOther } from "./publish-wait.ts";

/** `settleAfter: never`: so long a publish may still show before its task is parked. */
const LOOK_BEFORE_PARKING_MS = 30_000;
/** The time that was answered is written so often, for a run that dies. */
const KEEP_ANSWERED_MS = 60_000;
/** Between two answers, no more than this counts for the deadline: a silence is the platform's, not the publish's. */
const ANSWERED_STEP_MAX_MS = 30_000;
const GROWTH = 1.5;

/**
 * Follows a PUT that was accepted, or finds out what became of one whose outcome is unknown. The task stays active
 * and keeps its job group; nothing is sent here.
 */
export async function watch(task: PublishTask): Promise<Outcome> {
  const { run, clock, settings } = task;
  const answered = countAnswers(task);
  let intervalMs = settings.followFirstMs;
  let told = false;
  for (;;) {
    await clock.sleep(intervalMs, run.signal);
    if (run.signal.aborted) return leave(task);

    const askedAt = task.nowMs();
    let judgement: Judgement | undefined;
    try {
      judgement = await look(task);
      await answered(true);
    } catch (error) {
      const failure = platformFailure(error);
      if (run.signal.aborted) return leave(task);
      await answered(failure.failure.next === "refused");
      showSilence(task, failure);
    }

    if (!told && judgement && !isEnd(judgement)) {
      tellAccepted(task);
      told = true;
    }
    const outcome = judgement && (await decide(task, judgement, askedAt));
    if (outcome) return outcome;
    // What is absent or cannot be told ends by settling; only a publish that runs, or is not told of, can be overdue.
    const unended = judgement === undefined || judgement.is === "running";
    if (unended && task.record.answeredMs > task.plan.deadlineMs) return overdue(task);
    intervalMs = nextInterval(task, intervalMs);
  }
}

const isEnd = ({ is }: Judgement): boolean => is === "complete" || is === "failed";

/** A publish that ends at once is one line of the story, and says this in it. */
function tellAccepted({ record, run }: PublishTask): void {
  if (record.state === "submitted") run.tell(`The platform accepted the publish${requestOf(record)}`);
}

const requestOf = ({ requestId }: TaskRecord): string => (requestId ? ` (request id ${requestId})` : "");

/** The process stops: whoever takes the task up goes on from here, and sees that this run did not crash. */
async function leave(task: PublishTask): Promise<Outcome> {
  await save(task, task.record.state, {}, true);
  return handOver();
}

/** Looks at the publish jobs of the job group, and of the groups of its own that the publish may have. */
async function look(task: PublishTask): Promise<Judgement> {
  const { plan, platform, record, run, listSiblings } = task;
  const own = await ownGroups(task);
  const groups = [plan.jobGroupId, ...own];
  const [siblings, ...lists] = await Promise.all([
    listSiblings(),
    ...groups.map((id) => platform.listJobs(id, run.signal)),
  ]);
  const explained = [
    ...(record.baseline ?? []),
    ...(record.foreign ?? []),
    ...record.publishJobs.filter((id) => id !== record.publishJobId),
    ...siblings.flatMap(({ publishJobs }) => publishJobs),
  ];
  const all = lists.flat().filter(({ jobType }) => jobType === "publish");
  const fresh = all.filter(({ id }) => !explained.includes(id));
  return judgePublish({
    plan,
    fresh,
    accepted: record.state === "submitted",
    ...(record.publishJobId !== undefined && { followed: record.publishJobId }),
    // A group that no answer named may be that of another job group's publish.
    strangersPossible:
      (own.length > 0 && record.shownIn === undefined) ||
      (redisMayHaveLost(task) && record.publishJobId === undefined && siblings.length > 0) ||
      siblings.some((sibling) => mayHaveUnknownJob(sibling, plan.serialize)),
    siblings,
    completeJobs: all.filter(({ status }) => status === "Complete").length,
    listTables: () => platform.listTables(plan, run.signal),
  });
}

/** Redis was started anew since the PUT: it may have lost a second in which a sibling was published. */
function redisMayHaveLost({ record, redisLife }: PublishTask): boolean {
  return redisLife === "" || record.redisLife !== redisLife;
}

/** The group that the platform's answer named; without an answer, any that came since and ran from the same recipe. */
async function ownGroups({ plan, platform, record, run }: PublishTask): Promise<readonly number[]> {
  if (record.shownIn !== undefined) return [record.shownIn];
  if (record.state === "submitted") return [];
  try {
    return await platform.listOwnGroups(plan, run.signal);
  } catch (error) {
    // A token that may not list runs cannot see such groups; the job group's own jobs are still told.
    if (platformFailure(error).failure.next === "refused") return [];
    throw error;
  }
}

/** A parked sibling's publish may still show; with job groups not serialized, any sibling's may. */
const mayHaveUnknownJob = ({ state, submittingAt }: TaskRecord, serialize: boolean): boolean =>
  !serialize || (state === "parked" && submittingAt !== undefined);

/** What the judgement means now; undefined: look again. */
async function decide(
  task: PublishTask,
  judgement: Judgement,
  askedAt: number,
): Promise<Outcome | undefined> {
  const { record } = task;
  switch (judgement.is) {
    case "complete":
      return published(task, judgement.job);
    case "failed": {
      await noteJobs(task, [judgement.job.id]);
      const words = `Publish job ${judgement.job.id} ${judgement.job.status.toLowerCase()}: ${judgement.job.error ?? "the platform gives no reason"}`;
      return useAttempt(task, "job-failed", words);
    }
    case "running":
      if (judgement.sure) await adopt(task, judgement.job);
      show(task, judgement.job);
      return undefined;
    case "foreign":
      await save(task, record.state, { foreign: [...(record.foreign ?? []), ...judgement.jobIds] });
      task.run.tell(`Publish job ${judgement.jobIds.join(", ")} wrote another table: it is somebody else's`);
      return undefined;
    case "absent":
      return settled(task, askedAt);
    case "cannot-tell":
      if (!isSettled(task, askedAt)) return undefined;
      // Without an attempt left it is not repeated: to call it failed would be a guess.
      if (REPEATABLE_ACTIONS.includes(task.plan.action) && record.attempts + 1 < task.plan.attempts) {
        task.record = { ...record, untold: true };
        return useAttempt(task, "cannot-tell", "The outcome cannot be told, and the action may be repeated");
      }
      return park(task, "a publish job is complete, and the platform does not say which table it wrote");
  }
}

async function published(task: PublishTask, job: PlatformJob | undefined): Promise<Outcome> {
  const { plan, record } = task;
  const tookMs = task.nowMs() - (record.submittedAt ?? record.submittingAt ?? task.nowMs());
  const words = `Published to ${plan.target}.${plan.schema}.${plan.table} ${job ? `by publish job ${job.id} ` : ""}in ${seconds(tookMs)}${requestOf(record)}`;
  if (task.probes) await task.breaker.succeeded();
  return end(task, "published", words, {
    ...(job && { publishJobId: job.id, publishJobs: withId(record.publishJobs, job.id) }),
    crashes: 0,
  });
}

/** No job of ours is there: after the time in which it must have shown, the PUT was not applied. */
async function settled(task: PublishTask, askedAt: number): Promise<Outcome | undefined> {
  const { plan, record } = task;
  const accepted = record.state === "submitted";
  task.run.show({
    progress: accepted ? 15 : 10,
    stage: accepted ? "accepted, not started yet" : "outcome unknown: looking",
  });
  if (!isSettled(task, askedAt)) return undefined;
  const what = accepted
    ? "The platform accepted the publish, but started no job"
    : "The publish was not applied";
  if (plan.settleAfterMs === "never") {
    return park(task, 'no publish job shows, and settleAfter is "never": nothing is sent again on a guess');
  }
  const words = `${what} within ${seconds(plan.settleAfterMs)}`;
  if (record.saysBusy) {
    task.events.retried("busy");
    return waitForOther(task, `${words}; the platform said that another publish runs`);
  }
  const said = record.putWords === undefined ? "" : `; when it was sent: ${record.putWords}`;
  return useAttempt(task, accepted ? "not-started" : "not-applied", `${words}${said}`);
}

/** Did this look begin after the last moment at which a publish of ours could still have appeared? */
function isSettled({ plan, record, aheadMs }: PublishTask, askedAt: number): boolean {
  return askedAt - aheadMs > settledAt(plan.settleAfterMs, record.submittedAt ?? record.sendableUntil);
}

function settledAt(settleAfterMs: number | "never", sentAt: number | undefined): number {
  return (sentAt ?? 0) + (settleAfterMs === "never" ? LOOK_BEFORE_PARKING_MS : settleAfterMs);
}

/** Writes down the job that is followed, so that whoever comes next, and the siblings, know it. */
async function adopt(task: PublishTask, job: PlatformJob): Promise<void> {
  const { record } = task;
  if (record.state !== "submitted" || record.publishJobs.includes(job.id)) return;
  await save(task, "submitted", {
    publishJobId: job.id,
    publishJobs: withId(record.publishJobs, job.id),
    crashes: 0,
  });
  task.run.tell(`Publish job ${job.id} runs`);
}

async function noteJobs(task: PublishTask, jobIds: readonly number[]): Promise<void> {
  const publishJobs = jobIds.reduce<number[]>((all, id) => withId(all, id), task.record.publishJobs);
  task.record = { ...task.record, publishJobs };
}

const withId = (all: readonly number[], id: number): number[] => (all.includes(id) ? [...all] : [...all, id]);

function show(task: PublishTask, job: PlatformJob): void {
  const percent = job.percentComplete ?? 0;
  const elapsedMs = Math.round(task.nowMs() - (task.record.submittedAt ?? task.nowMs()));
  task.run.show({
    progress: 20 + Math.round(percent * 0.79),
    stage: "publishing",
    status: job.status,
    percent,
    publishJobId: job.id,
    elapsedMs,
  });
}

function showSilence(task: PublishTask, { message }: PlatformError): void {
  task.run.show({ progress: 20, stage: "waits for the platform to answer", words: message });
}

/** The next look comes later each time, but at the latest right after the outcome is settled. */
function nextInterval(task: PublishTask, intervalMs: number): number {
  const { plan, record, settings } = task;
  const grown = Math.min(intervalMs * GROWTH, settings.followMaxMs);
  const left =
    settledAt(plan.settleAfterMs, record.submittedAt ?? record.sendableUntil) - (task.nowMs() - task.aheadMs);
  return left > 0 ? Math.min(grown, left + 5) : grown;
}

/** Sums up the time in which the platform answered, and writes it now and then. */
function countAnswers(task: PublishTask): (answered: boolean) => Promise<void> {
  let last = task.nowMs();
  let kept = task.record.answeredMs;
  return async (answered) => {
    const now = task.nowMs();
    const answeredMs = task.record.answeredMs + (answered ? Math.min(now - last, ANSWERED_STEP_MAX_MS) : 0);
    last = now;
    task.record = { ...task.record, answeredMs };
    const survived = answered && task.record.crashes > 0;
    if (!survived && answeredMs - kept < KEEP_ANSWERED_MS) return;
    kept = answeredMs;
    await save(task, task.record.state, { answeredMs, crashes: answered ? 0 : task.record.crashes });
  };
}

function overdue(task: PublishTask): Promise<Outcome> {
  return park(task, `the publish did not end within its deadline of ${seconds(task.plan.deadlineMs)}`);
}
