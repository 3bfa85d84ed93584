import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { type Look, PLAIN } from "./look.ts";
import { inTime } from "./queues/in-time.ts";
import type { Explanation, TargetStanding } from "./processors/explain-job-group.ts";
import { createExplain } from "./relay-check.ts";
import { formatDuration } from "./rules/duration.ts";
import { withCore } from "./with-core.ts";

/** A person does not wait for a Redis that is away. */
const REDIS_WITHIN_MS = 5_000;

/** What `explain` was asked for. */
export interface ExplainArguments {
  readonly jobGroupId: number;
  readonly json: boolean;
}

/** What a command has to say; `ok` is false when it ends with 1. */
export interface Said {
  readonly text: string;
  readonly ok: boolean;
  /** It is the arguments or the settings that have to change. */
  readonly wrongUse?: true;
  /** It ended before what it waited for did. */
  readonly cut?: "interrupted" | "timed out";
}

/**
 * Explains a job group, whether the relay runs or not; writes nothing. Not `ok` when the platform did not tell all
 * that was asked, or does not know the job group. Throws when Redis does not answer.
 */
export async function runExplain(
  args: ExplainArguments,
  config: Config,
  log: Logger,
  look: Look = PLAIN,
): Promise<Said> {
  const { jobGroupId, json } = args;
  return withCore(config, log, async (core) => {
    // Not `core.reached`: that sets the targets' limits, and a question changes nothing.
    if (!(await inTime(core.connections.reached(), REDIS_WITHIN_MS)))
      throw new Error("Redis does not answer: say in REDIS_URL where it is");
    const explain = createExplain(core, core.completions, config.rulesFile, "past the gate");
    const found = await explain(jobGroupId);
    const { answered, known } = found.platform;
    return {
      text: json ? JSON.stringify(found, undefined, 2) : tellExplanation(found, look),
      ok: answered && known,
    };
  });
}

/** An explanation for people. */
function tellExplanation(found: Explanation, look: Look): string {
  const { platform, gate, record } = found;
  return [
    found.detail,
    "",
    `Platform: ${platform.words}${platform.answered ? "" : " (NO FULL ANSWER)"}`,
    ...(gate.shutMs > 0
      ? [
          `Gate:     ${look.paint("bad", "SHUT")} for ${inSeconds(gate.shutMs)}, nothing is published: ${gate.words}`,
        ]
      : []),
    `Record:   ${record ? tellRecord(record) : "nobody reported it"}`,
    `Known:    ${tellFacts(found.facts)}`,
    "",
    found.rulesVersion === null ? "Rules:    none" : `Rules (version ${found.rulesVersion}):`,
    ...(found.fleet.same ? [] : [`  note: ${found.fleet.words}`]),
    ...found.rules.map((rule) => tellRule(rule, look)),
    ...found.notes.map((note) => `  note: ${note}`),
    ...section(
      "Tasks",
      found.tasks.flatMap((task) => tellTask(task, platform.answered)),
    ),
    ...section(
      "Targets",
      found.targets.flatMap((target) => tellTarget(target, look)),
    ),
  ].join("\n");
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ["", `${title}:`, ...lines];

function tellRecord({ outcome, words, reportCount, summary }: NonNullable<Explanation["record"]>): string {
  const reports = `${reportCount} ${reportCount === 1 ? "report" : "reports"}`;
  return `${[outcome, reports, summary].join(", ")}${words === undefined ? "" : `. ${words}`}`;
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

function tellRule({ name, matches, failed }: Explanation["rules"][number], { paint }: Look): string {
  const why = failed && `: ${failed.field} is ${failed.found}, the rule asks for ${failed.wanted}`;
  switch (matches) {
    case true:
      return `  ${paint("good", "+")} ${name}: matches`;
    case false:
      return `  ${paint("dim", "-")} ${name}${why ?? ""}`;
    case "unknown":
      return `  ${paint("warn", "?")} ${name}: cannot be told${why ?? ""}`;
  }
}

function tellTask(task: Explanation["tasks"][number], answered: boolean): string[] {
  const { id, rule, state, inRules, words, request } = task;
  const why = answered
    ? "what the platform does not know yet may change it"
    : "the platform gave no full answer";
  return [
    `  ${id}: ${state} (rule ${rule}${inRules ? "" : ", which would not make it today"})${words ? `. ${words}` : ""}`,
    `    ${request.method} ${request.path} ${JSON.stringify(request.body)}${request.exact ? "" : ` (not exact: ${why})`}`,
    ...tellOrigin(task),
  ];
}

function tellOrigin({ rulesVersion, reports }: Explanation["tasks"][number]): string[] {
  if (!reports) return [];
  const { count, listed } = reports;
  const from = listed.map(({ source, delivery }) => [source, delivery].filter(Boolean).join(" ")).join(", ");
  return [`    made by rules ${rulesVersion} from ${count} ${count === 1 ? "report" : "reports"}: ${from}`];
}

function tellTarget(target: TargetStanding, { paint }: Look): string[] {
  const { name, paused, breaker, queue } = target;
  const line = [
    `  ${name}: ${target.connection === undefined ? "connection not known" : `connection ${target.connection}`}`,
    ...(target.inRules ? [] : ["not in the rules here any more"]),
    ...tellLimits(target),
    paused ? paint("warn", "PAUSED") : "not paused",
    breaker.open
      ? `breaker ${paint("bad", "OPEN")} for ${inSeconds(breaker.openMs)} more: ${breaker.words}`
      : "breaker closed",
    `queue: ${queue.waiting} waiting, ${queue.delayed} delayed, ${queue.active} active`,
  ].join(", ");
  return [line, `    limits ${target.limitsWords}`];
}

function tellLimits({ limits, pace, concurrency }: TargetStanding): string[] {
  if (limits === "not known") return ["rate limit and concurrency not known"];
  const next = pace && pace.nextStartInMs > 0 ? `, the next in ${inSeconds(pace.nextStartInMs)}` : "";
  const starts = pace
    ? `${pace.max} starts per ${formatDuration(pace.perMs)}${pace.burst ? " (burst)" : ""}${next}`
    : "no rate limit";
  return [starts, `${concurrency} at once`];
}

const inSeconds = (ms: number): string => `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
