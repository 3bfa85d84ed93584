import type { Config } from "./config.ts";
import type { Said } from "./explain-command.ts";
import { type Cell, type Look, PLAIN, shown, table, wrapped } from "./look.ts";
import { type SurveyedConnection, surveyConnections } from "./processors/survey-connections.ts";
import { withPlatform } from "./with-platform.ts";

/** What `connections` was asked for. */
export interface ConnectionsArguments {
  /** Also those that cannot be targets. */
  readonly all: boolean;
  readonly json: boolean;
}

/** Lists the connections that could be targets; needs no Redis. Not `ok` when there is none. Rejects when the platform does not answer. */
export async function runConnections(
  { all, json }: ConnectionsArguments,
  config: Config,
  look: Look = PLAIN,
): Promise<Said> {
  const found = await withPlatform(config, "connections", surveyConnections);
  const listed = found.filter(({ target }) => all || target !== "no");
  const ok = found.some(({ target }) => target !== "no");
  if (json) return { text: JSON.stringify({ connections: listed.map(toJson) }, undefined, 2), ok };
  const others = found.length - listed.length;
  const left =
    others > 0
      ? [
          others === 1
            ? "1 of another kind is left out: --all shows it."
            : `${others} of other kinds are left out: --all shows them.`,
        ]
      : [];
  const head = ["id", "name", "kind", "may be a target", "status", "owner", "database"];
  const lines = [
    ...(listed.length === 0
      ? [`There is no Redshift connection that the token's user sees: make one in Designer Cloud.`]
      : []),
    ...left,
    ...listed.flatMap(({ id, doubts }) =>
      doubts.map((words) => `${look.paint("warn", `Connection ${id}`)}: ${shown(words)}.`),
    ),
    "May write: the platform tells it only when something is published.",
  ];
  const rows = table("Connections", head, listed.map(rowOf), look).slice(1);
  return { text: [...rows, ...wrapped(lines, look)].join("\n"), ok };
}

/** The platform has no answer to it before a publish. */
const toJson = (connection: SurveyedConnection): object => ({ ...connection, mayWrite: null });

function rowOf(connection: SurveyedConnection): Cell[] {
  const {
    id,
    name = "not told",
    vendor = "not told",
    target,
    creatorId,
    shared,
    host,
    database,
  } = connection;
  const owner = creatorId === undefined ? "not told" : `person ${creatorId}`;
  return [
    String(id),
    name,
    vendor,
    target === "unknown" ? { text: "not told", style: "warn" } : target,
    statusOf(connection),
    `${owner}${shared ? ", shared with all" : ""}`,
    host === undefined ? "not told" : `${host}${database === undefined ? "" : `/${database}`}`,
  ];
}

function statusOf({ status, target }: SurveyedConnection): Cell {
  if (status === undefined) return target === "no" ? "not asked" : { text: "not told", style: "warn" };
  return { text: status, style: status === "SUCCESS" ? "good" : "bad" };
}
