import { type Cell, type Look, shown, type Style, table, wrapped } from "./look.ts";
import type { Overview, TargetView } from "./pages/view.ts";
import { waitingOf } from "./pages/view.ts";
import { count, span } from "./pages/words.ts";
import type { Ended } from "./queues/tally.ts";
import type { Asked, Status } from "./status-command.ts";
import type { Story, StoryTask } from "./story.ts";

/** Whom it was asked of. */
export const tellAsked = ({ redis, namespace }: Asked): string =>
  `Asked: ${shown(redis)}, namespace ${shown(namespace)}`;

/** How everything stands, for people. */
export function tellStatus(status: Status, look: Look): string {
  const { overview, processes, queues } = status;
  const { now, gate, open, parked, active, failedGroups, dispatchFailed, undispatched, oldest } = overview;
  const ago = (at: number): string => `${span(Math.max(0, now - at))} ago`;
  const { paint } = look;
  const notDispatched =
    undispatched.oldest === undefined
      ? "none"
      : `${undispatched.count}, the oldest (job group ${undispatched.oldestId}) reported ${ago(undispatched.oldest)}`;
  const lines = [
    tellAsked(status.asked),
    `Processes:       ${processes.length === 0 ? paint("bad", "none lives: nothing is published") : processes.length}`,
    `Rules:           ${tellRules(status, look)}`,
    `Gate:            ${tellGate(gate, look) ?? paint("good", "open")}`,
    `Not dispatched:  ${notDispatched}`,
    `Open:            ${count(open, "task")}, ${active} running, ${parked === 0 ? "none parked" : paint("warn", `${parked} PARKED`)}`,
    ...(oldest
      ? [
          `Oldest:          ${oldest.id}, its job group finished ${ago(oldest.finishedAt)}: ${shown(oldest.words)}`,
        ]
      : []),
    `Failed:          ${failedGroups === 0 ? "no job group with a failed task" : paint("bad", `${count(failedGroups, "job group")} with a failed task`)}${dispatchFailed === 0 ? "" : `, ${paint("bad", `${count(dispatchFailed, "dispatch", "dispatches")} failed`)} in the last day`}`,
    `Last hour:       ${tellEnded(overview.figures.all.hour)}`,
    `Last day:        ${tellEnded(overview.figures.all.day)}`,
  ];
  return [
    ...wrapped(lines, look),
    ...tellTargets(overview, look),
    ...tellWaits(overview, look),
    ...tellQueues(queues, look),
  ].join("\n");
}

/** Why and since when the gate is shut; undefined when it is open. It opens for a moment each time it is tried: until a call is answered it counts as shut. */
export function tellGate(
  { ms, since, words }: Overview["gate"],
  { paint }: Pick<Look, "paint">,
): string | undefined {
  if (ms === 0 && since === undefined) return undefined;
  const from = since === undefined ? "" : ` since ${new Date(since).toISOString()}`;
  const again = ms > 0 ? `asked again in ${span(ms)}` : "asked again by the next call";
  return `${paint("bad", "SHUT")}${from}, ${again}, nothing is published: ${shown(words)}`;
}

function tellRules({ rules: { newest, versions }, processes }: Status, { paint }: Look): string {
  if (newest === null) return "no relay has run with any rules yet";
  if (processes.length === 0) return `version ${newest} ran last`;
  if (versions.length === 1 && versions[0] === newest) return `version ${newest} in all processes`;
  return `${paint("warn", versions.length > 1 ? "DIFFERENT VERSIONS" : "NOT THE NEWEST")}: ${versions.join(", ") || "none"}; the limits are those of ${newest}`;
}

const tellEnded = ({ published, failed, parked, superseded, freshness }: Ended): string =>
  `published ${published}, failed ${failed}, parked ${parked}, superseded ${superseded}${
    freshness ? `; median ${span(freshness.p50)} after the job's end` : ""
  }`;

function tellTargets({ targets, now }: Overview, look: Look): string[] {
  const rows = targets.map((target): Cell[] => [
    target.name,
    String(target.connection),
    stateOf(target),
    String(waitingOf(target)),
    `${target.queue.running} of ${target.concurrency}`,
    target.pace ?? "no limit",
    target.last ? `${span(Math.max(0, now - target.last.at))} ago` : "never",
  ]);
  const head = ["target", "connection", "state", "waiting", "running", "pace", "last published"];
  return table("Targets", head, rows, look);
}

function stateOf({ paused, pausedBy, breaker, inRules }: TargetView): Cell {
  if (paused) return { text: `PAUSED${pausedBy === undefined ? "" : `: ${pausedBy}`}`, style: "warn" };
  if (breaker.open) return { text: `BREAKER OPEN for ${span(breaker.openMs)}`, style: "bad" };
  return inRules ? { text: "good", style: "good" } : { text: "not in the rules any more", style: "warn" };
}

function tellWaits({ waits, parkedTasks, now }: Overview, look: Look): string[] {
  const waiting = waits.map(({ target, cause, count: n, atLeast, words }): Cell[] => [
    target,
    `${n}${atLeast ? " or more" : ""}`,
    cause,
    words,
  ]);
  const parked = parkedTasks.map(({ id, since, words }): Cell[] => [
    { text: id, style: "warn" },
    `${span(Math.max(0, now - since))} ago`,
    words,
  ]);
  return [
    ...table("Waiting", ["target", "tasks", "for", "words"], waiting, look),
    ...table("Parked (publish-relay resolve decides)", ["task", "parked", "words"], parked, look),
  ];
}

function tellQueues(queues: Status["queues"], look: Look): string[] {
  const rows = queues.map(({ queue, jobs }) => [
    queue,
    ...QUEUED.map(([, ...states]) => String(states.reduce((sum, state) => sum + (jobs[state] ?? 0), 0))),
  ]);
  return table("Queues", ["queue", ...QUEUED.map(([head]) => head)], rows, look);
}

/** A head, and BullMQ's states that it counts. */
const QUEUED = [
  ["waiting", "waiting", "prioritized"],
  ["delayed", "delayed"],
  ["active", "active"],
  ["failed", "failed"],
  ["done", "completed"],
] as const;

/** How the state of a task is painted. */
export const styleOf = (state: string): Style => STYLES[state] ?? "bold";

const STYLES: Readonly<Record<string, Style>> = { published: "good", failed: "bad", parked: "warn" };

/** The story of one job group, for people. */
export function tellStoryText({ jobGroupId, summary, completion, tasks, audit }: Story, look: Look): string {
  const rows = tasks.map((task): Cell[] => [
    task.id,
    task.target,
    `${task.schema}.${task.table}`,
    task.action,
    { text: task.state, style: styleOf(task.state) },
    wordsOf(task),
  ]);
  const steps = tasks.flatMap(({ id, steps: lines }) =>
    lines.length === 0
      ? []
      : [
          "",
          `Steps of ${id}:`,
          ...wrapped(
            lines.map((line) => `  ${shown(line)}`),
            look,
          ),
        ],
  );
  const actions = audit.map(({ at, who, action, outcome, reason, detail }) => [
    at,
    who,
    action,
    outcome,
    [reason, detail].filter(Boolean).join(". "),
  ]);
  return [
    `Job group ${jobGroupId}: ${tasks.length === 0 ? "no publish tasks" : summary}`,
    ...wrapped(
      completion
        ? tellCompletion(completion).map(shown)
        : ["Reported:  not known, the record holds tasks alone"],
      look,
    ),
    ...table("Tasks", ["task", "target", "table", "action", "state", "words"], rows, look),
    ...steps,
    ...table("What operators did", ["at", "who", "action", "outcome", "words"], actions, look),
  ].join("\n");
}

function tellCompletion(completion: NonNullable<Story["completion"]>): string[] {
  const { outcome, words, waits, labels, source, reportedAt, reportCount } = completion;
  const labelled = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return [
    `Reported:  by ${source}${reportedAt === undefined ? "" : `, last news at ${reportedAt}`}, ${count(reportCount, "report")}${labelled.length > 0 ? `, labels ${labelled.join(" ")}` : ""}`,
    `Dispatch:  ${outcome === "open" ? "not done yet" : outcome}${words === undefined ? "" : `. ${words}`}${waits === undefined ? "" : `. ${waits}`}`,
  ];
}

function wordsOf({ words, waits, endedAt, attempts }: StoryTask): string {
  return [
    words,
    waits && `waits since ${waits.since} for ${waits.cause}: ${waits.words}`,
    endedAt && `ended ${endedAt}`,
    attempts > 1 && `${attempts} attempts`,
  ]
    .filter(Boolean)
    .join("; ");
}
