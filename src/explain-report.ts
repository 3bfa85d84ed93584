import { type Cell, type Look, shown, table, wrapped } from "./look.ts";
import { count } from "./pages/words.ts";
import type { Explanation, TargetStanding } from "./processors/explain-job-group.ts";
import { formatDuration } from "./rules/duration.ts";
import { styleOf, tellGate } from "./status-report.ts";

/** An explanation for people. */
export function tellExplanation(found: Explanation, look: Look): string {
  const { platform, gate, record, rulesVersion, fleet, tasks } = found;
  const { paint } = look;
  const noAnswer = platform.answered ? "" : ` (${paint("bad", "NO FULL ANSWER")})`;
  const { shutMs: ms, since, words } = gate;
  const shut = tellGate({ ms, words, ...(since !== undefined && { since: Date.parse(since) }) }, look);
  const lines = [
    shown(found.detail),
    "",
    `Platform: ${shown(platform.words)}${noAnswer}`,
    ...(shut === undefined ? [] : [`Gate:     ${shut}`]),
    `Record:   ${record ? shown(tellRecord(record)) : "nobody reported it"}`,
    `Known:    ${shown(tellFacts(found.facts))}`,
    ...(rulesVersion === null ? ["Rules:    none"] : []),
    ...(fleet.same ? [] : [`Note:     ${fleet.words}`]),
    ...found.notes.map((note) => `Note:     ${shown(note)}`),
  ];
  return [
    ...wrapped(lines, look),
    ...table(`Rules (version ${rulesVersion})`, ["matches", "rule", "words"], found.rules.map(ruleRow), look),
    ...table("Tasks", ["task", "state", "rule", "words"], tasks.map(taskRow), look),
    ...tellRequests(tasks, platform.answered),
    ...table(
      "Targets",
      ["target", "connection", "state", "pace", "at once", "queue", "words"],
      found.targets.map(targetRow),
      look,
    ),
  ].join("\n");
}

function tellRecord({ outcome, words, reportCount, summary }: NonNullable<Explanation["record"]>): string {
  const told = [outcome, count(reportCount, "report"), summary].join(", ");
  return `${told}${words === undefined ? "" : `. ${words}`}`;
}

function tellFacts({ jobGroupId, name, recipe, flow, labels, ...rest }: Explanation["facts"]): string {
  const named = (one: { id: number; name?: string } | undefined): string | undefined =>
    one && `${one.id}${one.name === undefined ? "" : ` ${JSON.stringify(one.name)}`}`;
  const facts = {
    name: name && JSON.stringify(name),
    recipe: named(recipe),
    flow: named(flow),
    ...rest,
    ...Object.fromEntries(
      Object.entries(labels).map(([label, value]) => [`labels.${label}`, JSON.stringify(value)]),
    ),
  };
  const told = Object.entries(facts).flatMap(([field, value]) =>
    value === undefined ? [] : [`${field} ${String(value)}`],
  );
  return [`job group ${jobGroupId}`, ...told].join(", ");
}

function ruleRow({ name, matches, failed }: Explanation["rules"][number]): Cell[] {
  const why = failed ? `${failed.field} is ${failed.found}, the rule asks for ${failed.wanted}` : "";
  return [matchCell(matches), name, why];
}

function matchCell(matches: Explanation["rules"][number]["matches"]): Cell {
  switch (matches) {
    case true:
      return { text: "yes", style: "good" };
    case false:
      return { text: "no", style: "dim" };
    case "unknown":
      return { text: "cannot be told", style: "warn" };
  }
}

function taskRow({ id, state, rule, inRules, words, rulesVersion, reports }: ExplainedTask): Cell[] {
  const listed = reports?.listed.map(({ source, delivery }) => [source, delivery].filter(Boolean).join(" "));
  const from =
    reports &&
    `made by rules ${rulesVersion} from ${count(reports.count, "report")}: ${listed?.join(", ") ?? ""}`;
  return [
    id,
    { text: state, style: styleOf(state) },
    rule,
    [words, from, inRules ? undefined : "the rules would not make it today"].filter(Boolean).join("; "),
  ];
}
type ExplainedTask = Explanation["tasks"][number];

/** Not in a table: what is sent is to be copied as it is. */
function tellRequests(tasks: readonly ExplainedTask[], answered: boolean): string[] {
  if (tasks.length === 0) return [];
  const why = answered
    ? "what the platform does not know yet may change it"
    : "the platform gave no full answer";
  const lines = tasks.flatMap(({ id, request: { method, path, body, exact } }) => [
    `  ${id}:`,
    `    ${method} ${path} ${JSON.stringify(body)}${exact ? "" : ` (not exact: ${why})`}`,
  ]);
  return ["", "Requests:", ...lines.map(shown)];
}

function targetRow(target: TargetStanding): Cell[] {
  const { name, connection, inRules, limitsWords, concurrency, breaker, queue } = target;
  return [
    name,
    connection === undefined ? "not known" : String(connection),
    stateOf(target),
    paceOf(target),
    concurrency === null ? "not known" : String(concurrency),
    `${queue.waiting} waiting, ${queue.delayed} delayed, ${queue.active} active`,
    [
      breaker.open && `breaker: ${breaker.words}`,
      `limits ${limitsWords}`,
      !inRules && "not in the rules here any more",
    ]
      .filter(Boolean)
      .join("; "),
  ];
}

function stateOf({ paused, breaker }: TargetStanding): Cell {
  const shut = breaker.open ? `BREAKER OPEN for ${inSeconds(breaker.openMs)}` : "";
  if (paused) return { text: ["PAUSED", shut].filter(Boolean).join(", "), style: "warn" };
  return shut ? { text: shut, style: "bad" } : { text: "good", style: "good" };
}

function paceOf({ limits, pace }: TargetStanding): string {
  if (limits === "not known") return "not known";
  if (!pace) return "no limit";
  const next = pace.nextStartInMs > 0 ? `, next in ${inSeconds(pace.nextStartInMs)}` : "";
  return `${pace.max} per ${formatDuration(pace.perMs)}${pace.burst ? ", burst" : ""}${next}`;
}

const inSeconds = (ms: number): string => `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
