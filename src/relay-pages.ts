import type { Guard } from "./http/access.ts";
import { tellWhoseLimits } from "./fleet-log.ts";
import { nameRequest } from "./http/request-log.ts";
import { createSecurityHeaders } from "./http/security-headers.ts";
import { searchGroups } from "./group-search.ts";
import type { Asker } from "./pages/changes.ts";
import { createPages } from "./pages/pages.ts";
import type { TargetAction } from "./pages/target-actions.ts";
import type { Handler } from "./producers/problem.ts";
import { carryOut } from "./queues/audit-store.ts";
import { createBreakerStore } from "./queues/breaker-store.ts";
import type { Connections } from "./queues/connections.ts";
import { createGroupIndex } from "./queues/group-index.ts";
import { createHolds } from "./queues/holds.ts";
import { type Keys, publishQueue } from "./queues/names.ts";
import type { BoardParts } from "./relay-board.ts";
import { createOverview, redisTime } from "./relay-overview.ts";
import type { Resolve } from "./http/decision.ts";
import { type StoryDeps, tellStory } from "./story.ts";

export interface PagesParts extends BoardParts {
  readonly connections: Connections;
  readonly keys: Keys;
  readonly resolve: Resolve;
}

/** The operators' pages on what this process knows; they read on the connection that gives up soon. */
export function openPages(parts: PagesParts, story: StoryDeps, guard: Guard): Handler {
  const { config, connections, keys, queues, rules, targets, log } = parts;
  const redis = connections.ingest;
  const groups = createGroupIndex(redis, keys);
  const overview = createOverview({
    config,
    redis,
    keys,
    queues,
    targets: targets.list,
    lookAround: story.lookAround,
    audit: parts.audit,
    rulesTrouble: () => rulesTrouble(parts),
  });
  return createPages({
    identify: guard.identify,
    mayChange: guard.mayChange,
    nameRequest,
    setHeaders: createSecurityHeaders("pages"),
    overview,
    search: (search) =>
      searchGroups({ groups, records: story.records, lookAround: story.lookAround }, search),
    story: async (id) => {
      const told = await tellStory(story, id);
      return told && { now: await redisTime(redis), story: told };
    },
    names: () => ({
      targets: targets.list().map(({ name }) => name),
      rules: rules.current()?.rules.map(({ name }) => name) ?? [],
    }),
    isAway: () => connections.work.status !== "ready" || redis.status !== "ready",
    hasTarget: (name) => targets.find(name) !== undefined,
    tellRefused: ({ sent, target, ...asked }, why, who) =>
      parts.audit.refused({
        ...asker(who),
        ...asked,
        ...(target !== undefined && { target, queue: publishQueue(target) }),
        detail: sent === undefined || sent === "" ? why : `${why} Asked: ${sent}`,
      }),
    act: (target, action, reason, who) => {
      const entry = {
        ...asker(who),
        action,
        target,
        queue: publishQueue(target),
        ...(reason !== undefined && { reason }),
      };
      return carryOut(
        parts.audit,
        entry,
        log,
        () => act(parts, target, action),
        () => ({ outcome: "done" }),
      );
    },
    decide: (taskId, decision, { name, role, from, requestId }) =>
      parts.resolve(taskId, { ...decision, by: name }, { from, role, requestId }),
    environment: config.environment,
    platformUrl: config.platform.url?.replace(/\/+$/, ""),
    log,
  });
}

const asker = ({ name, role, from, requestId }: Asker) => ({ who: name, role, from, requestId });

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
  const { versions = [] } = targets.fleet();
  const refused = rules.refused();
  if (refused)
    return `The rules file as it is now was refused, the last good one runs on: ${refused.replaceAll("\n", "; ")}`;
  if (!rules.current()) return "There are no rules: what is reported waits until RULES_FILE is there";
  const whose = tellWhoseLimits(targets.fleet());
  return versions.length > 1
    ? `The processes run ${versions.length} versions of the rules: ${versions.join(", ")}; ${whose}`
    : whose;
}
