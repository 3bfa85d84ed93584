import { type Answer, exception, notFound, ok } from "./answer.ts";
import type { Dice, Span } from "./dice.ts";
import type { JobGroup, Platform, Publish, Status } from "./platform.ts";
import type { Refusal, Settings } from "./settings.ts";
import { type Tables, targetKey, type Where } from "./tables.ts";

/** One publish that is asked for, through the API or by somebody in the UI. */
export interface PublishRequest extends Where {
  readonly jobGroupId: number;
  readonly action: string;
  readonly by: "api" | "ui";
}

/** What a fault does to the publish job itself; they add up. */
export interface Effects {
  /** Stays InProgress. */
  stuck?: boolean;
  /** Milliseconds until its job shows, in place of `appearMs`. */
  late?: Span;
  /** Milliseconds that it runs, in place of `publishMs`. */
  long?: Span;
  fail?: { error: unknown };
  cancel?: boolean;
  ownGroup?: boolean;
}

interface Deps {
  readonly platform: Platform;
  readonly tables: Tables;
  readonly settings: Settings;
  readonly dice: () => Dice;
  readonly onEnd: (publish: Publish, group: JobGroup) => void;
}

interface Load {
  running: number;
  /** The most that ever ran at once. */
  peak: number;
  accepted: number;
}

/** Node fires a longer timer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Starts, runs and ends publishes. A timer lives only while its publish runs; all else is told from the clock when asked. */
export function createPublishing({ platform, tables, settings, dice, onEnd }: Deps) {
  const publishes = new Map<number, Publish>();
  const timers = new Map<Publish, NodeJS.Timeout>();
  const loads = new Map<number, Load>();

  /** The platform's two rules about repeated publishes, then the start. `effects` is asked only when it is accepted. */
  function request(asked: PublishRequest, effects: () => Effects): Answer {
    const group = platform.jobGroups.get(asked.jobGroupId);
    if (group === undefined) return notFound("jobGroup", asked.jobGroupId);
    let doom: Refusal | undefined;
    for (const [applies, rule] of [
      [group.written.has(targetKey(group.id, asked)), settings.sameTarget],
      [group.running.size > 0, settings.concurrent],
    ] as const) {
      if (!applies || rule.policy === "append") continue;
      if (rule.policy === "refuse") return exception(rule.status, rule.name, rule.message);
      doom ??= rule;
    }
    const wished = effects();
    const fail = doom === undefined ? undefined : { error: { name: doom.name, message: doom.message } };
    const publish = start(group, asked, fail === undefined ? wished : { ...wished, fail });
    return { ...accepted(publish.shownIn), publishJobId: publish.jobId };
  }

  function start(group: JobGroup, asked: PublishRequest, effects: Effects = {}): Publish {
    const now = Date.now();
    const jobId = platform.takeJobId();
    const visibleAt = now + dice().span(effects.late ?? settings.appearMs, `appear/${jobId}`);
    const runs = dice().span(effects.long ?? settings.publishMs, `run/${jobId}`);
    const host = effects.ownGroup || settings.showAs === "group" ? ownGroup(group) : group;
    const outcome: Status = effects.cancel ? "Canceled" : effects.fail ? "Failed" : "Complete";
    const publish: Publish = {
      ...asked,
      jobId,
      shownIn: host.id,
      acceptedAt: now,
      visibleAt,
      runsAt: visibleAt + runs / 10,
      endsAt: effects.stuck ? Infinity : visibleAt + runs,
      error: effects.fail?.error ?? null,
    };
    if (host !== group) host.publish = publish;
    host.jobs.push({ id: jobId, jobType: "publish", createdAt: visibleAt, publish });
    publishes.set(jobId, publish);
    group.running.add(publish);
    count(asked.connection);
    if (!effects.stuck) {
      timers.set(
        publish,
        setTimeout(() => end(publish, outcome), Math.min(publish.endsAt - now, LONGEST_TIMER_MS)),
      );
    }
    return publish;
  }

  function ownGroup(group: JobGroup): JobGroup {
    const { recipeId, flowRunId } = group;
    return platform.addJobGroup({
      recipeId,
      flowRunId,
      ranfor: "publish",
      ranfrom: "api",
      status: "Created",
      webhook: false,
    });
  }

  function end(publish: Publish, outcome: Status, error: unknown = publish.error): void {
    const group = platform.jobGroups.get(publish.jobGroupId);
    if (publish.endedAt !== undefined || group === undefined) return;
    clearTimeout(timers.get(publish));
    timers.delete(publish);
    publish.endedAt = Date.now();
    publish.outcome = outcome;
    publish.error = outcome === "Complete" ? null : error;
    group.running.delete(publish);
    const host = platform.jobGroups.get(publish.shownIn);
    if (host?.publish === publish) host.updatedAt = publish.endedAt;
    const load = loads.get(publish.connection);
    if (load !== undefined) load.running--;
    if (outcome === "Complete") write(group, publish);
    onEnd(publish, group);
  }

  function write(group: JobGroup, publish: Publish): void {
    const { connection, schema, table: base, action, by, jobId, jobGroupId } = publish;
    const where = { connection, schema, table: base };
    const rows = group.rows ?? settings.rows;
    const table = tables.apply(where, { jobGroupId, publishJobId: jobId, action, by, rows });
    group.written.add(targetKey(jobGroupId, where));
    group.tables.push({ connection, schema, base, table, action });
    if (settings.touchOnPublish) group.updatedAt = Date.now();
  }

  function count(connection: number): void {
    const load = loads.get(connection) ?? { running: 0, peak: 0, accepted: 0 };
    loads.set(connection, load);
    load.running++;
    load.accepted++;
    load.peak = Math.max(load.peak, load.running);
  }

  return {
    publishes,
    loads,
    request,
    start,
    end,
    /** Stops every timer; what was under way never ends. */
    close(): void {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}

/** The answer to an accepted publish; mind the small g. */
function accepted(jobGroupId: number): Answer {
  return ok({ jobgroupId: jobGroupId, reason: "JobStarted", sessionId: crypto.randomUUID() });
}

export function statusOf(publish: Publish, now: number): Status {
  return publish.outcome ?? (now < publish.runsAt ? "Created" : "InProgress");
}

export function percentOf(publish: Publish, now: number): number {
  if (publish.outcome === "Complete") return 100;
  if (publish.endsAt === Infinity) return now < publish.runsAt ? 0 : 50;
  const done = (now - publish.runsAt) / (publish.endsAt - publish.runsAt);
  return Math.floor(Math.min(Math.max(done, 0), 0.99) * 100);
}
