import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { tellWhoseLimits } from "./fleet-log.ts";
import type { Guard } from "./http/access.ts";
import { createBoard } from "./http/board.ts";
import type { BoardQueue, JobLink } from "./http/board-queues.ts";
import { isProduction } from "./pages/layout.ts";
import type { Audit } from "./queues/audit-store.ts";
import type { BreakerStore } from "./queues/breaker-store.ts";
import type { Connections } from "./queues/connections.ts";
import type { Holds } from "./queues/holds.ts";
import { NOTIFICATIONS, publishQueue } from "./queues/names.ts";
import type { RelayQueues } from "./relay-queues.ts";
import type { LiveRules } from "./relay-rules.ts";
import type { Targets } from "./relay-targets.ts";
import type { KnownTarget } from "./queues/known-targets.ts";
import type { Target } from "./rules/model.ts";

/** What the board shows of a process. */
export interface BoardParts {
  readonly config: Config;
  readonly connections: Pick<Connections, "work">;
  readonly queues: RelayQueues;
  readonly rules: LiveRules;
  readonly targets: Targets;
  readonly breakers: BreakerStore;
  readonly holds: Pick<Holds, "lastPublished">;
  readonly audit: Audit;
  readonly log: Logger;
}

/** How often a target's description is brought up to date with its breaker. */
const DESCRIBE_EVERY_MS = 3_000;

/** The board with the queues of the flow and of every target, kept up to date. */
export function openBoard(parts: BoardParts, guard: Guard) {
  const { config, log } = parts;
  const platformUrl = config.platform.url?.replace(/\/+$/, "");
  const board = createBoard({
    guard,
    audit: parts.audit,
    dangerous: config.boardDangerous,
    log,
    isAway: () => parts.connections.work.status !== "ready",
    queues: boardQueues(parts, new Map()),
    jobLink: storyLink,
    links: [
      { text: "Overview", url: "/" },
      { text: "Job groups", url: "/job-groups" },
      ...(platformUrl ? [{ text: "Designer Cloud", url: platformUrl }] : []),
    ],
    ...(config.environment !== undefined && { environment: badge(config.environment) }),
  });
  let shown = "";
  const describe = async (): Promise<void> => {
    const held = await standings(parts);
    const now = JSON.stringify([[...held], parts.targets.list(), describeRules(parts.rules, parts.targets)]);
    if (now === shown) return;
    shown = now;
    board.setQueues(boardQueues(parts, held));
  };
  const again = (): void => void describe().catch(() => undefined);
  parts.targets.onChange(again);
  const timer = setInterval(again, DESCRIBE_EVERY_MS);
  timer.unref();
  return { app: board.app, close: () => clearInterval(timer) };
}

/** Every job that is about a job group leads to its story. */
const storyLink: JobLink = ({ id }) => {
  const jobGroupId = /^jobgroup-([1-9]\d*)(?:-|$)/.exec(id)?.[1];
  return jobGroupId === undefined
    ? undefined
    : { text: `Story of job group ${jobGroupId}`, url: `/job-groups/${jobGroupId}` };
};

const badge = (label: string) =>
  isProduction(label)
    ? { label, color: "#b3201a", textColor: "#ffffff" }
    : { label, color: "#0b57b8", textColor: "#ffffff" };

interface Standing {
  /** Its breaker is open, and why. */
  readonly breaker?: string;
  /** When something was last published to it. */
  readonly last?: string;
}

async function standings({ targets, breakers, holds }: BoardParts): Promise<Map<string, Standing>> {
  const all = targets.list().map(async ({ name }): Promise<[string, Standing]> => {
    const [{ open, failures, words }, last] = await Promise.all([
      breakers.look(name),
      holds.lastPublished(name),
    ]);
    const breaker = `BREAKER OPEN after ${failures} failures in a row, one publish probes from time to time: ${words}`;
    // To the minute: the board is built anew each time that this changes.
    const at = last && `${new Date(last.at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
    return [name, { ...(open && { breaker }), ...(at && { last: `last success ${at}` }) }];
  });
  return new Map(await Promise.all(all));
}

function boardQueues(
  { queues, targets, rules, config }: BoardParts,
  held: ReadonlyMap<string, Standing>,
): BoardQueue[] {
  const target = (one: KnownTarget): BoardQueue => ({
    queue: queues.of(publishQueue(one.name)),
    kind: "target",
    displayName: one.name,
    description: [
      !one.inRules && NOT_IN_RULES,
      held.get(one.name)?.breaker,
      describeTarget(one),
      held.get(one.name)?.last,
    ]
      .filter(Boolean)
      .join(" · "),
  });
  return [
    {
      queue: queues.completions,
      kind: "completions",
      description: `Reports of finished job groups, on their way to the rules · ${describeRules(rules, targets)}`,
    },
    {
      queue: queues.jobGroups,
      kind: "job-groups",
      description: "Job groups with their publish tasks, and how these ended",
    },
    {
      queue: queues.poll,
      kind: "poll",
      description: "Looks at the platform for finished job groups that no webhook told of",
    },
    ...targets.list().map(target),
    { queue: queues.parked, kind: "parked", description: "Publish tasks that wait for a person's decision" },
    ...(config.notify.urls.length === 0 ? [] : [notifications(queues)]),
  ];
}

const notifications = (queues: RelayQueues): BoardQueue => ({
  queue: queues.of(NOTIFICATIONS),
  kind: "notifications",
  description: "What people are told of, one job per address; a failed one reached nobody there",
});

/** Which rules this process runs, what is wrong with the file, and who runs others. */
export function describeRules(rules: LiveRules, targets: Targets): string {
  const { versions = [] } = targets.fleet();
  const refused = rules.refused();
  return [
    `rules version ${rules.current()?.version ?? "none"}`,
    refused && `THE RULES FILE AS IT IS NOW WAS REFUSED: ${refused.replaceAll("\n", "; ")}`,
    [
      versions.length > 1 && `THE FLEET RUNS ${versions.length} VERSIONS: ${versions.join(", ")}`,
      tellWhoseLimits(targets.fleet()),
    ]
      .filter(Boolean)
      .join("; "),
  ]
    .filter(Boolean)
    .join(" · ");
}

const NOT_IN_RULES = "NO LONGER IN THE RULES: shown until its last task has ended";

function describeTarget({ description, connection, schema, rateLimit, concurrency }: Target): string {
  const pace = rateLimit ? `${rateLimit.max} starts per ${rateLimit.perMs / 1_000} s` : "no rate limit";
  return [description, `connection ${connection}, schema ${schema}`, pace, `${concurrency} at once`]
    .filter(Boolean)
    .join(" · ");
}
