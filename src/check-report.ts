import type { CheckedRules } from "./check-rules.ts";
import type { Finding } from "./processors/check-live.ts";
import type { RecentMatch } from "./processors/match-recent.ts";
import { type Cell, type Look, shown, table, wrapped } from "./look.ts";
import { formatDuration } from "./rules/duration.ts";
import type { Action, Target } from "./rules/model.ts";
import { type ResolvedSettings, resolveSettings } from "./rules/publication-settings.ts";
import { type RulesProblem, showProblem } from "./rules/rules-error.ts";

/** What was asked of the platform. */
export interface LiveReport {
  readonly findings: readonly Finding[];
  /** The last job groups that could be published; absent when the platform did not list them. */
  readonly recent?: readonly RecentMatch[];
  /** Why they were not listed. */
  readonly recentWords?: string;
}

/** A check for people: `file:line:column: error: what to change` with the line under it, then tables. */
export function tellCheck(checked: CheckedRules, live: LiveReport | undefined, look: Look): string {
  const { file, rules, errors, warnings, notes } = checked;
  const lines = [
    ...errors.map((problem) => tellProblem(file, "error", problem, look)),
    ...warnings.map((problem) => tellProblem(file, "warning", problem, look)),
  ];
  if (rules === undefined)
    return [...lines, `${file}: ${look.paint("bad", count(errors.length, "error"))}`].join("\n");
  return [
    ...lines,
    ...wrapped(
      [
        `${file}: ${look.paint("good", "good")}, version ${rules.version}, ${count(rules.targets.length, "target")}, ${count(rules.rules.length, "rule")}, ${count(warnings.length, "warning")}`,
        ...notes.map((words) => `${look.paint("warn", "Note:")} ${words}`),
      ],
      look,
    ),
    ...table(
      "Targets",
      ["target", "connection", "schema", "pace", "at once", "freshness"],
      rules.targets.map(targetRow),
      look,
    ),
    ...tellPublications(checked, look),
    ...(live ? tellLive(live, look) : []),
  ].join("\n");
}

function tellProblem(file: string, kind: "error" | "warning", problem: RulesProblem, look: Look): string {
  const [words = "", ...excerpt] = showProblem(file, kind, problem).split("\n").map(shown);
  const painted = words.replace(
    `: ${kind}:`,
    `: ${look.paint(kind === "error" ? "bad" : "warn", `${kind}:`)}`,
  );
  return [...wrapped([painted], look), ...excerpt].join("\n");
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;

function targetRow({ name, connection, schema, rateLimit, concurrency, freshnessMs }: Target): string[] {
  const pace = rateLimit
    ? `${rateLimit.max} per ${formatDuration(rateLimit.perMs)}${rateLimit.burst ? ", burst" : ""}`
    : "no limit";
  const freshness = freshnessMs === undefined ? "" : formatDuration(freshnessMs);
  return [name, String(connection), schema, pace, String(concurrency), freshness];
}

function tellPublications({ publications }: CheckedRules, look: Look): string[] {
  const rows = publications.map(
    ({ rule, target, table: where, action, format, repeatable, enabled, settings }) => [
      enabled ? rule : `${rule} (off)`,
      target,
      where,
      repeatable ? action : `${action} *`,
      format,
      changedSettings(action, settings),
    ],
  );
  const notRepeatable = publications.some(({ repeatable }) => !repeatable)
    ? [
        "  * not repeatable: when its outcome is unknown it is parked for a person, never sent again on a guess",
      ]
    : [];
  const builtIn = `  settings that are not named are the built-in ones: ${settingWords(resolveSettings("load", [])).join(", ")} (15s for repeatable actions)`;
  return [
    ...table("Publications", ["rule", "target", "table", "action", "format", "settings"], rows, look),
    ...wrapped([...notRepeatable, ...(rows.length > 0 ? [builtIn] : [])], look),
  ];
}

/** Those that are not as built in. */
function changedSettings(action: Action, settings: ResolvedSettings): string {
  const builtIn = new Set(settingWords(resolveSettings(action, [])));
  return settingWords(settings)
    .filter((words) => !builtIn.has(words))
    .join(", ");
}

function settingWords(settings: ResolvedSettings): string[] {
  const { attempts, backoff, deadlineMs, settleAfterMs, priority, stale } = settings;
  return [
    `attempts ${attempts}`,
    `backoff ${formatDuration(backoff.floorMs)} to ${formatDuration(backoff.capMs)}`,
    `deadline ${formatDuration(deadlineMs)}`,
    `priority ${priority}`,
    `stale ${stale}`,
    `settleAfter ${settleAfterMs === "never" ? settleAfterMs : formatDuration(settleAfterMs)}`,
  ];
}

const STYLES = { good: "good", wrong: "bad", doubtful: "warn", "not tested": "warn" } as const;

function tellLive({ findings, recent, recentWords }: LiveReport, look: Look): string[] {
  const found = findings.map(({ check, targets = [], verdict, words }): Cell[] => [
    { text: verdict === "wrong" ? "WRONG" : verdict, style: STYLES[verdict] },
    check,
    targets.join(", "),
    words,
  ]);
  const rows = (recent ?? []).map(
    ({ jobGroupId, recipe, rules, withLabels, switchedOff, publications, notes }) => [
      String(jobGroupId),
      recipe ? `${recipe.id}${recipe.name === undefined ? "" : ` ${JSON.stringify(recipe.name)}`}` : "",
      [
        ...rules,
        ...withLabels.map((rule) => `${rule} (if its labels come)`),
        ...switchedOff.map((rule) => `${rule} (off)`),
      ].join(", ") || "no rule",
      [
        ...publications.map(({ target, table: where, action }) => `${target} ${where} ${action}`),
        ...notes,
      ].join("; "),
    ],
  );
  return [
    ...table("Live", ["found", "check", "targets", "words"], found, look),
    ...(recentWords === undefined
      ? []
      : ["", ...wrapped([`Last job groups: not told: ${recentWords}`], look)]),
    ...(recent?.length === 0 ? ["", "Last job groups: none"] : []),
    ...table("Last job groups", ["job group", "recipe", "matches", "would publish"], rows, look),
  ];
}
