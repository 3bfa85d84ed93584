import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { sign } from "../src/producers/signatures.ts";
import { accountForAll, type AccountedTask } from "./account.ts";
import { findLeftovers } from "./leftovers.ts";
import { type Monkey, releaseMonkey } from "./monkey.ts";
import { type ChaosOptions, type Profile, profileOf } from "./options.ts";
import type { PickupTimes } from "./pickups.ts";
import { faultsOf, type PlannedGroup, planGroups, planMore, TARGETS } from "./plan.ts";
import { openSite, type Site, WEBHOOK_SECRET } from "./site.ts";
import type { Step } from "./steps.ts";
import { tellStory } from "./stories.ts";

/** What a run showed. */
export interface ChaosReport {
  readonly options: ChaosOptions;
  readonly tookMs: number;
  readonly tasks: readonly AccountedTask[];
  readonly hits: Readonly<Record<Step, number>>;
  readonly kills: Monkey["counts"];
  readonly pickups: PickupTimes;
  /** Completions that no webhook brought, and that were reported once more at the end. */
  readonly reportedAgain: number;
  readonly webhooks: { readonly sent: number; readonly delivered: number; readonly lost: number };
  readonly puts: number;
  readonly faultsStruck: Readonly<Record<string, number>>;
  readonly leftovers: readonly string[];
  /** Processes that ended without having been killed, or not well when they were asked to stop. */
  readonly endedBadly: readonly string[];
  /** The worst delay of this process' own event loop: a late simulator could break what it promises. */
  readonly loopDelayMs: number;
  /** One for each task that went wrong. */
  readonly stories: readonly string[];
}

const PROGRESS_EVERY_MS = 10_000;
const LOOK_EVERY_MS = 250;

/** So many job groups more finish while a step has not been hit. */
const MORE_MAX = 30;

/** Runs the relay against everything that can go wrong, and accounts for every task at the end. */
export async function runChaos(options: ChaosOptions, say: (line: string) => void): Promise<ChaosReport> {
  const startedAt = Date.now();
  const profile = profileOf(options);
  const notes: string[] = [];
  const note = (what: string): void => void notes.push(`${new Date().toISOString()} ${what}`);
  const site = await openSite(options, profile, note);
  const loop = watchLoop();
  try {
    const groups = planGroups(options.completions, profile, site.dice);
    for (const group of groups) for (const fault of faultsOf(group, profile)) site.simulator.addFault(fault);
    say(
      `${groups.length} completions x ${TARGETS.length} targets, seed ${options.seed}; everything is in ${site.folder}`,
    );

    const { fleet, steps, server, dice, pickups } = site;
    for (const step of Object.values(fleet.slots)) await untilReady(step);
    const onRedisKilled = pickups.redisKilled;
    const monkey = releaseMonkey({ fleet, steps, redis: server, profile, dice, onRedisKilled, note });
    const progress = setInterval(() => void tellProgress(site, startedAt, monkey, say), PROGRESS_EVERY_MS);
    let reportedAgain = 0;
    let ended = false;
    try {
      await finishGroups(site, groups, profile);
      for (const more of planMore(options.completions, MORE_MAX)) {
        if (Object.values(steps.hits).every((hits) => hits > 0)) break;
        groups.push(more);
        await wait(profile.finishEveryMs);
        await finishGroups(site, [more], profile);
      }
      // A publish that is stuck is parked by a process that lives as long as its deadline.
      const stuck = groups.filter(({ fates }) => fates.includes("stuck")).length;
      await untilEnded(site, groups, profile.tailMs, stuck);
      await monkey.stop();
      say("the faults are over; what is still open has to end now");
      reportedAgain = await reportAgain(site, groups);
      ended = await untilEnded(site, groups, profile.endWithinMs);
    } finally {
      clearInterval(progress);
      await monkey.stop();
    }
    if (!ended) say("not everything ended in time");
    return await conclude();

    async function conclude(): Promise<ChaosReport> {
      const tasks = await accountForAll(site, groups);
      const parked = tasks.filter(({ state }) => state === "parked").length;
      await untilQuiet(site);
      const leftovers = await findLeftovers(site, groups, parked);
      const bad = tasks.filter(({ fault }) => fault !== undefined);
      const stories = await Promise.all(
        bad.slice(0, STORIES_MAX).map((task) => tellStory(task, site, notes)),
      );
      const puts = site.simulator.requests({ kind: "publish" });
      const faultsStruck: Record<string, number> = {};
      for (const { fault } of puts) if (fault) faultsStruck[fault] = (faultsStruck[fault] ?? 0) + 1;
      const codes = await fleet.stop();
      return {
        options,
        tasks,
        reportedAgain,
        webhooks: site.simulator.webhooks().counts,
        leftovers,
        stories,
        faultsStruck,
        puts: puts.length,
        hits: steps.hits,
        kills: monkey.counts,
        pickups: pickups.times(),
        endedBadly: [
          ...fleet.ended,
          ...codes.flatMap((code, i) => (code === 0 ? [] : [`process ${i + 1} stopped with code ${code}`])),
        ],
        loopDelayMs: loop.worstMs(),
        tookMs: Date.now() - startedAt,
      };
    }
  } finally {
    loop.stop();
    await writeFile(join(site.folder, "kills.log"), notes.join("\n"));
    await site.close();
  }
}

const STORIES_MAX = 10;

/** The job groups finish on the platform one after the other, and it sends its webhooks. */
async function finishGroups(
  { simulator }: Site,
  groups: readonly PlannedGroup[],
  profile: Profile,
): Promise<void> {
  const startedAt = Date.now();
  for (const [i, { jobGroupId, recipeId }] of groups.entries()) {
    await wait(Math.max(0, startedAt + i * profile.finishEveryMs - Date.now()));
    simulator.createJobGroup({ id: jobGroupId, recipeId });
  }
}

/** A webhook can be lost for good: whoever watches the platform reports what nobody heard of. */
async function reportAgain(
  { simulator, redis, keys, webhookUrl }: Site,
  groups: readonly PlannedGroup[],
): Promise<number> {
  await simulator.webhooksIdle();
  let count = 0;
  for (const { jobGroupId } of groups) {
    if ((await redis.hexists(keys.group(jobGroupId), "rev")) === 1) continue;
    count++;
    const body = JSON.stringify({ jobId: String(jobGroupId), jobStatus: "Complete" });
    const headers = { "content-type": "application/json", ...sign("designer-cloud", WEBHOOK_SECRET, body) };
    for (let turn = 0; turn < 40; turn++) {
      const answer = await fetch(webhookUrl, { method: "POST", headers, body }).catch(() => undefined);
      if (answer?.ok) break;
      await wait(250);
    }
  }
  return count;
}

/** True once every task of every job group has ended, but for `left` of them; false when that takes longer than `withinMs`. */
async function untilEnded(
  site: Site,
  groups: readonly PlannedGroup[],
  withinMs: number,
  left = 0,
): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  while (Date.now() < deadline) {
    if ((await countOpen(site)) <= left && (await allDispatched(site, groups))) return true;
    await wait(LOOK_EVERY_MS);
  }
  return false;
}

/** Tasks that have neither ended nor are parked, and completions that are not dispatched. */
async function countOpen({ redis, keys }: Site): Promise<number> {
  const [open, unhandled, parked] = await Promise.all([
    redis.zcard(keys.open),
    redis.zcard(keys.unhandled),
    redis.llen(keys.queue("parked", "wait")),
  ]);
  return open - parked + unhandled;
}

async function allDispatched({ records }: Site, groups: readonly PlannedGroup[]): Promise<boolean> {
  for (const { jobGroupId } of groups) {
    const { completion } = await records.read(jobGroupId);
    if (completion?.outcome === undefined) return false;
  }
  return true;
}

/** The jobs end a moment after their tasks; a parent after its last child. */
async function untilQuiet({ redis, keys }: Site): Promise<void> {
  const queues = ["completions", "job-groups", ...TARGETS.map(({ name }) => `publish.${name}`)];
  for (let turn = 0; turn < 80; turn++) {
    const counts = await Promise.all(
      queues.flatMap((queue) => [
        redis.llen(keys.queue(queue, "active")),
        redis.llen(keys.queue(queue, "wait")),
        ...["prioritized", "delayed", "waiting-children"].map((set) => redis.zcard(keys.queue(queue, set))),
      ]),
    );
    if (counts.every((n) => n === 0)) return;
    await wait(LOOK_EVERY_MS);
  }
}

async function untilReady(slot: { readonly state: string; readonly logFile: string }): Promise<void> {
  for (let turn = 0; slot.state !== "ready"; turn++) {
    if (turn > 600) throw new Error(`a relay process did not start: its log is ${slot.logFile}`);
    await wait(50);
  }
}

async function tellProgress(
  site: Site,
  startedAt: number,
  { counts }: Monkey,
  say: (line: string) => void,
): Promise<void> {
  const published = site.simulator.tables().reduce((sum, { applications }) => sum + applications.length, 0);
  const open = site.server ? await countOpen(site).catch(() => Number.NaN) : 0;
  const named = Object.values(site.steps.hits).reduce((sum, n) => sum + n, 0);
  say(
    `${Math.round((Date.now() - startedAt) / 1_000)} s: ${published} publishes took effect, ${open} tasks open; ` +
      `${counts.random} + ${named} kills, ${counts.frozen} stops, ${counts.redis} kills of Redis`,
  );
}

function watchLoop(): { worstMs(): number; stop(): void } {
  let worst = 0;
  let expected = Date.now() + 50;
  const timer = setInterval(() => {
    worst = Math.max(worst, Date.now() - expected);
    expected = Date.now() + 50;
  }, 50);
  return { worstMs: () => worst, stop: () => clearInterval(timer) };
}
