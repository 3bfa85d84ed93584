import { type PublishDeps, PUBLISH_SETTINGS } from "../../../src/processors/publish-task.ts";
import { publishToTarget } from "../../../src/processors/publish-to-target.ts";
import type { Outcome } from "../../../src/queues/outcome.ts";
import type { TaskRecord } from "../../../src/queues/record.ts";
import type { TaskHold } from "../../../src/queues/task-record.ts";
import type { PublishPlan } from "../../../src/rules/model.ts";
import { hasEnded, type TaskState } from "../../../src/rules/task-state.ts";
import { createClock } from "./clock.ts";
import { courseOf, createNet, type NetDeps, settleMsOf } from "./net.ts";
import { createPlatform, type ModelPublish } from "./platform.ts";
import { createProcess, type ModelProcess } from "./process.ts";
import { createRecord, idOf } from "./record.ts";
import { type Incident, planOf, START_AT, type Story } from "./story.ts";

/** BullMQ's lock, and how long until somebody notices that it is gone. */
const LOCK_MS = 8_000;
const NOTICED_MS = 4_000;
/** A process that was asked to stop is gone after this. */
const STOP_MS = 11_000;
const DAY_MS = 86_400_000;
const SNAPSHOTS = 400;

/** What came of one task. */
export interface Ending {
  readonly plan: PublishPlan;
  readonly record: TaskRecord;
  /** Publishes of ours that wrote its table; and all that did, the UI's among them. */
  readonly ours: readonly ModelPublish[];
  readonly wrote: readonly ModelPublish[];
  /** Publishes of ours that showed later than assumption A says. */
  readonly late: number;
}

export interface Played {
  readonly endings: readonly Ending[];
  /** What must never be, whatever happens. */
  readonly violations: readonly string[];
  /** Tasks that were called published too early, or never were. */
  readonly untrue: readonly string[];
  readonly trace: readonly string[];
  readonly moments: number;
}

interface Job {
  readonly plan: PublishPlan;
  readonly id: string;
  state: "sleeps" | "runs" | "ended";
  /** How often BullMQ took it from a process that was silent. */
  stalls: number;
  forget?: () => void;
}

interface RunOfJob {
  readonly job: Job;
  readonly token: string;
  readonly process: ModelProcess;
  readonly stop: AbortController;
}

/** Plays a story: the real publish code, on a queue, a record and a platform that are models. */
export async function play(story: Story): Promise<Played> {
  const clock = createClock(START_AT);
  const trace: string[] = [];
  const violations: string[] = [];
  const untrue: string[] = [];
  const say = (words: string): void =>
    void trace.push(`+${((clock.now() - START_AT) / 1_000).toFixed(3)}s ${words}`);
  const violated = (words: string): void => {
    say(`VIOLATED: ${words}`);
    violations.push(words);
  };

  const plans = story.tasks.map((task) => planOf(task, story.serialize));
  const platform = createPlatform(clock, story.tenant, (publish) => {
    say(`publish job ${publish.jobId} (${publish.by}) wrote ${idOf(publish.plan)}`);
    // One that was parked was left to a person, and waited for no longer.
    const left = record.read(idOf(publish.plan))?.state === "parked";
    const newer = publish.by === "us" && !left && record.newerPublished(publish.plan);
    if (newer) untrue.push(`${idOf(publish.plan)} was written over ${newer}, which is newer`);
  });
  const record = createRecord(plans, clock.now, onWrite);
  const jobs = plans.map((plan): Job => ({ plan, id: idOf(plan), state: "sleeps", stalls: 0 }));
  const runs = new Set<RunOfJob>();
  const puts = [...story.puts];
  const gets = [...story.gets];
  const snapshots: { at: number; stored: ReturnType<typeof record.snapshot> }[] = [];
  const losesRedis = story.incidents.some(({ what }) => what === "redis-lost");
  let tokens = 0;
  let moments = 0;
  let noneBefore = 0;
  let blips = 0;

  function onWrite(plan: PublishPlan, before: TaskState, after: TaskRecord): void {
    if (before !== after.state)
      say(`${idOf(plan)}: ${after.state} ${hasEnded(after.state) ? after.words : ""}`);
    if (after.state === "published" && before !== "published" && platform.wrote(plan).length === 0) {
      say(`UNTRUE: ${idOf(plan)} is called published, and nobody wrote its table`);
      untrue.push(`${idOf(plan)} was called published when nobody had written its table`);
    }
  }

  function start(job: Job): void {
    if (job.state !== "sleeps") return;
    if (clock.now() < noneBefore) return sleep(job, noneBefore - clock.now());
    tokens += 1;
    const run: RunOfJob = {
      job,
      token: `${job.id}#${tokens}`,
      process: createProcess(clock),
      stop: new AbortController(),
    };
    job.state = "runs";
    runs.add(run);
    record.locks().set(job.id, run.token);
    publishToTarget(job.plan, depsOf(run), {
      stalls: job.stalls,
      signal: run.stop.signal,
      tell: (words) => say(`${run.token}: ${words}`),
      show: () => undefined,
    }).then(
      (outcome) => void follow(run, outcome),
      (error: unknown) =>
        violated(`${run.token} threw ${error instanceof Error ? error.stack : String(error)}`),
    );
  }

  function sleep(job: Job, ms: number): void {
    job.forget?.();
    job.state = "sleeps";
    job.forget = clock.after(ms, () => start(job));
  }

  const wake = (ids: readonly string[]): void => {
    for (const job of jobs) if (ids.includes(job.id) && job.state === "sleeps") sleep(job, 0);
  };

  /** What the worker adapter and BullMQ make of an outcome. */
  async function follow(run: RunOfJob, outcome: Outcome): Promise<void> {
    const { job, token, process } = run;
    const holdsLock = (): boolean => record.locks().get(job.id) === token;
    await process.call(() => {
      if (!holdsLock()) return;
      record.locks().delete(job.id);
      switch (outcome.next) {
        case "done":
        case "fail":
          job.state = "ended";
          return;
        case "retry":
        case "later":
          return sleep(job, outcome.inMs);
        case "hold":
          return sleep(job, outcome.ms);
        case "hand-over":
          return sleep(job, 0);
        case "lost":
          return sleep(job, 1_000);
      }
    });
    if (outcome.next === "later" && outcome.lookAgain && (await outcome.lookAgain())) wake([job.id]);
    runs.delete(run);
  }

  function depsOf(run: RunOfJob): PublishDeps {
    const { job, process } = run;
    const net: NetDeps = {
      clock,
      platform,
      nextPut: () => puts.shift(),
      nextGet: () => gets.shift(),
      shutGate: record.shutGate,
      onSent: (plan) => sent(run, plan),
    };
    return {
      platform: createNet(net, process, job.plan),
      hold: holdOf(run),
      park: () => process.call(() => undefined),
      breaker: {
        failed: () => process.call(record.breaker.failed),
        succeeded: () => process.call(record.breaker.succeeded),
      },
      turn: (call) => call(),
      events: { started: () => undefined, retried: () => undefined, ended: () => undefined },
      clock: {
        now: clock.now,
        random: () => 0.5,
        sleep: (ms, signal) =>
          new Promise((resolve) => {
            if (ms <= 0 || signal.aborted) return resolve();
            const done = (): void => {
              signal.removeEventListener("abort", stopped);
              resolve();
            };
            const stopped = (): void => void process.later(0, done);
            signal.addEventListener("abort", stopped);
            process.later(ms, done);
          }),
      },
      settings: PUBLISH_SETTINGS,
    };
  }

  function holdOf({ job, process, token }: RunOfJob): TaskHold {
    const { plan } = job;
    /** A script whose reply was lost is sent again when the connection is back. */
    const script = <T>(call: () => T): Promise<T> =>
      process.call(() => {
        const answer = call();
        if (blips === 0) return answer;
        blips -= 1;
        return call();
      });
    return {
      claim: () => script(() => record.claim(plan, token)),
      admit: async (as) => {
        const { answer, wake: ids } = await script(() => record.admit(plan, token, as));
        wake(ids);
        return answer;
      },
      write: async (from, next, letGo = hasEnded(next.state)) =>
        wake(await script(() => record.write(plan, token, from, next, letGo))),
      siblings: () => script(() => record.siblings(plan)),
      mayGoOn: () => script(() => record.mayGoOn(plan)),
    };
  }

  /** A PUT leaves a process. */
  function sent(run: RunOfJob, plan: PublishPlan): void {
    say(`${run.token}: PUT`);
    const state = record.read(run.job.id)?.state;
    // A PUT that was under way when Redis lost its record is nobody's any more.
    if (losesRedis) return;
    if (state !== "submitting" || !record.isHolder(run.job.id, run.token)) {
      violated(
        `${run.token} sends while the record says ${state}, and is ${record.isHolder(run.job.id, run.token) ? "" : "not "}its holder`,
      );
    }
    const busy = plan.serialize ? record.otherUnderWay(plan) : undefined;
    if (busy !== undefined) violated(`${run.token} sends while ${busy} of its job group is busy`);
    const inTable = record.otherInTable(plan);
    if (inTable !== undefined)
      violated(`${run.token} sends while ${inTable} is publishing into the same table`);
  }

  /** Its lock ends with it; then somebody takes the job up. */
  function abandon(run: RunOfJob): void {
    clock.after(LOCK_MS, () => {
      const silentMs = clock.now() - run.process.silentSince();
      if (silentMs < LOCK_MS || record.locks().get(run.job.id) !== run.token) return;
      record.locks().delete(run.job.id);
      clock.after(NOTICED_MS, () => {
        if (run.job.state !== "runs" || record.locks().has(run.job.id)) return;
        run.job.stalls += 1;
        sleep(run.job, 0);
      });
    });
  }

  function kill(run: RunOfJob): void {
    if (run.process.state() === "dead") return;
    say(`${run.token}: killed`);
    run.process.kill();
    runs.delete(run);
    abandon(run);
  }

  function happen(incident: Incident): void {
    const living = [...runs].filter(({ process }) => process.state() === "runs");
    const chosen = "which" in incident ? living[incident.which % Math.max(1, living.length)] : undefined;
    switch (incident.what) {
      case "kill":
        if (chosen) kill(chosen);
        return;
      case "stop":
        if (!chosen || chosen.stop.signal.aborted) return;
        say(`${chosen.token}: asked to stop`);
        chosen.stop.abort(new Error("The process stops"));
        clock.after(STOP_MS, () => runs.has(chosen) && kill(chosen));
        return;
      case "freeze":
        if (!chosen) return;
        say(`${chosen.token}: frozen for ${incident.ms} ms`);
        chosen.process.freeze();
        abandon(chosen);
        clock.after(incident.ms, () => {
          if (chosen.process.state() === "frozen") say(`${chosen.token}: goes on`);
          chosen.process.thaw();
        });
        return;
      case "blip":
        blips += 1;
        return;
      case "away":
        say(`every process is away for ${incident.ms} ms`);
        noneBefore = clock.now() + incident.ms;
        for (const run of runs) kill(run);
        return;
      case "ui":
        return publishInUi(incident);
      case "redis-lost":
        return loseRedis(incident);
    }
  }

  function publishInUi({ jobGroupId, place, action, course }: Extract<Incident, { what: "ui" }>): void {
    const plan = planOf({ jobGroupId, place, action, settleAfterMs: 20_000, attempts: 1 }, true);
    try {
      const { jobId } = platform.take(plan, "ui", courseOf(plan, course));
      say(`somebody publishes ${idOf(plan)} in the UI: publish job ${jobId}`);
    } catch {
      say(`somebody is refused to publish ${idOf(plan)} in the UI`);
    }
  }

  /** The locks are gone with it. The jobs come back with it, or from the reports that come again. */
  function loseRedis({ backMs, pauseMs }: Extract<Incident, { what: "redis-lost" }>): void {
    const at = clock.now() - (backMs === "all" ? Infinity : backMs);
    const as = snapshots.findLast((snapshot) => snapshot.at <= at)?.stored;
    say(`Redis comes back ${as ? `without its last ${backMs} ms` : "empty"}`);
    record.comeBack(as);
    noneBefore = clock.now() + pauseMs;
    for (const job of jobs) {
      record.plan(job.plan);
      sleep(job, pauseMs);
    }
  }

  // One that starts later is planned then: its report came late.
  for (const [i, job] of jobs.entries()) {
    const startMs = story.tasks[i]?.startMs ?? 0;
    if (startMs === 0) record.plan(job.plan);
    sleep(job, startMs);
  }
  const incidents = [...story.incidents];
  let gap = incidents[0]?.gap ?? 0;
  const realSetTimeout = globalThis.setTimeout;
  const realClearTimeout = globalThis.clearTimeout;
  // The only real timer of the publish code: the grace for a PUT in flight.
  Object.assign(globalThis, {
    setTimeout: (go: () => void, ms: number) => clock.after(ms, go),
    clearTimeout: (forget?: () => void) => forget?.(),
  });
  try {
    await drained();
    while (violations.length === 0) {
      if (incidents[0] && gap <= 0) {
        const [incident] = incidents.splice(0, 1);
        gap = incidents[0]?.gap ?? 0;
        if (incident) happen(incident);
      } else {
        gap -= 1;
        if (!clock.next()) break;
      }
      moments += 1;
      await drained();
      if (losesRedis) snapshots.push({ at: clock.now(), stored: record.snapshot() });
      if (snapshots.length > SNAPSHOTS) snapshots.shift();
      if (clock.now() - START_AT > DAY_MS) violated("a day went by, and something still goes on");
    }
  } finally {
    Object.assign(globalThis, { setTimeout: realSetTimeout, clearTimeout: realClearTimeout });
  }
  for (const left of violations.length === 0 ? record.leftBehind() : []) violated(`left behind: ${left}`);

  const endings = plans.map((plan): Ending => {
    const wrote = platform.wrote(plan);
    const standing = record.read(idOf(plan));
    if (!standing) throw new Error(`${idOf(plan)} has no record`);
    const ours = wrote.filter(({ by }) => by === "us");
    return {
      plan,
      record: standing,
      wrote,
      ours,
      late: platform.publishes.filter(
        ({ by, plan: sent, acceptedAt, visibleAt }) =>
          by === "us" && idOf(sent) === idOf(plan) && visibleAt - acceptedAt > settleMsOf(plan),
      ).length,
    };
  });
  return { endings, violations, untrue, trace, moments };
}

const drained = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
