import type { IncomingMessage } from "node:http";
import { isLoopback, pollingOf } from "./config.ts";
import { createPageAccess } from "./http/page-access.ts";
import { searchGroups } from "./group-search.ts";
import { lookOver } from "./overview.ts";
import type { Person } from "./pages/changes.ts";
import { createPages } from "./pages/pages.ts";
import type { TargetAction } from "./pages/target-actions.ts";
import type { Deed } from "./pages/view.ts";
import type { Handler } from "./producers/problem.ts";
import { createBreakerStore } from "./queues/breaker-store.ts";
import type { Connections } from "./queues/connections.ts";
import { createGateStore } from "./queues/gate-store.ts";
import { createGroupIndex } from "./queues/group-index.ts";
import { createHolds } from "./queues/holds.ts";
import { type Keys, publishQueue } from "./queues/names.ts";
import { createOpenTasks } from "./queues/open-tasks.ts";
import { createPollStore } from "./queues/poll-store.ts";
import { createTally } from "./queues/tally.ts";
import type { BoardParts } from "./relay-board.ts";
import type { Resolve } from "./http/decision.ts";
import { type StoryDeps, tellStory } from "./story.ts";

/** What somebody did on a page, as the audit trail is to tell it. */
export interface PageDeed {
  readonly who: Person;
  readonly action: string;
  readonly target?: string;
  readonly taskId?: string;
  readonly reason?: string;
}

export interface PagesParts extends BoardParts {
  readonly connections: Connections;
  readonly keys: Keys;
  readonly resolve: Resolve;
  /** Writes an action down, does it, and writes how it went; without it the log alone is told. */
  readonly audited?: <T>(deed: PageDeed, req: IncomingMessage, act: () => Promise<T>) => Promise<T>;
  /** What the audit trail has of a job group, the oldest first. */
  readonly deedsOf?: (jobGroupId: number) => Promise<readonly Deed[]>;
}

/** The operators' pages on what this process knows; they read on the connection that gives up soon. */
export function openPages(parts: PagesParts, story: StoryDeps): Handler {
  const { config, connections, keys, queues, rules, targets, log } = parts;
  const redis = connections.ingest;
  const access = createPageAccess({
    operators: config.boardOperators,
    viewers: config.boardViewers,
    loopback: isLoopback(config.host),
  });
  const now = async (): Promise<number> => {
    const [seconds, micros] = await redis.time();
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  };
  const groups = createGroupIndex(redis, keys);
  const overview = {
    now,
    targets: targets.list,
    lookAround: story.lookAround,
    holds: createHolds(redis, keys),
    gate: createGateStore(redis, keys),
    openTasks: createOpenTasks(redis, keys),
    groups,
    undispatched: async () => {
      const [count, [oldestId, at]] = await Promise.all([
        redis.zcard(keys.unhandled),
        redis.zrange(keys.unhandled, "0", "0", "WITHSCORES"),
      ]);
      return { count, ...(oldestId && at && { oldestId: Number(oldestId), oldest: Number(at) / 1_000 }) };
    },
    parked: async () => {
      const { waiting = 0, paused = 0, prioritized = 0, delayed = 0 } = await queues.parked.getJobCounts();
      return waiting + paused + prioritized + delayed;
    },
    tally: createTally(redis, keys),
    poll: { figures: createPollStore(redis, keys).figures, polls: pollingOf(config) !== undefined },
    rulesTrouble: () => rulesTrouble(parts),
  };
  return createPages({
    identify: access.identify,
    mayChange: access.mayChange,
    overview: () => lookOver(overview),
    search: (search) =>
      searchGroups({ groups, records: story.records, lookAround: story.lookAround }, search),
    story: async (id) => {
      const [told, deeds] = await Promise.all([tellStory(story, id), parts.deedsOf?.(id) ?? []]);
      return told && { now: await now(), story: told, deeds };
    },
    names: () => ({
      targets: targets.list().map(({ name }) => name),
      rules: rules.current()?.rules.map(({ name }) => name) ?? [],
    }),
    isAway: () => connections.work.status !== "ready" || redis.status !== "ready",
    hasTarget: (name) => targets.find(name) !== undefined,
    act: (target, action, who, req) =>
      audited(parts, { who, action, target }, req, () => act(parts, target, action)),
    decide: (taskId, decision, who, req) =>
      audited(
        parts,
        { who, action: `resolve: ${decision.outcome}`, taskId, reason: decision.reason },
        req,
        () => parts.resolve(taskId, { ...decision, by: who.name }),
      ),
    environment: config.environment,
    platformUrl: config.platform.url?.replace(/\/+$/, ""),
    log,
  });
}

function audited<T>(
  parts: PagesParts,
  deed: PageDeed,
  req: IncomingMessage,
  doIt: () => Promise<T>,
): Promise<T> {
  if (parts.audited) return parts.audited(deed, req, doIt);
  parts.log.info(deed, "an operator acts on a page");
  return doIt();
}

/** Pauses, resumes or probes a target; answers what was done, in a word. */
async function act(
  { connections, keys, queues }: PagesParts,
  target: string,
  action: TargetAction,
): Promise<string> {
  const queue = queues.of(publishQueue(target));
  const holds = createHolds(connections.ingest, keys);
  switch (action) {
    case "pause":
      await queue.pause();
      await holds.notePauses([target]);
      return "paused";
    case "resume":
      await queue.resume();
      await holds.notePauses([target]);
      return "resumed";
    case "probe": {
      const isOpen = await createBreakerStore(connections.ingest, keys).probe(target);
      // The queue is held back for a few seconds at a time while the breaker is open.
      await queue.removeRateLimitKey();
      return isOpen ? "probed" : "closed";
    }
  }
}

function rulesTrouble({ rules, targets }: PagesParts): string | undefined {
  const { versions = [], newest } = targets.fleet();
  const refused = rules.refused();
  if (refused)
    return `The rules file as it is now was refused, the last good one runs on: ${refused.replaceAll("\n", "; ")}`;
  if (!rules.current()) return "There are no rules: what is reported waits until RULES_FILE is there";
  return versions.length > 1
    ? `The processes run ${versions.length} versions of the rules: ${versions.join(", ")}; the limits are those of ${newest}`
    : undefined;
}
