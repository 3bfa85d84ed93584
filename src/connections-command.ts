import type { Config } from "./config.ts";
import type { Said } from "./explain-command.ts";
import { type Cell, type Look, PLAIN, table } from "./look.ts";
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
  const shown = found.filter(({ target }) => all || target !== "no");
  const ok = found.some(({ target }) => target !== "no");
  if (json) return { text: JSON.stringify({ connections: shown.map(toJson) }, undefined, 2), ok };
  const others = found.length - shown.length;
  const left = others > 0 ? [`${others} of other kinds are left out: --all shows them.`] : [];
  const head = ["id", "name", "kind", "may be a target", "status", "owner", "may write", "database"];
  const lines = [
    ...table("Connections", head, shown.map(rowOf), look).slice(1),
    ...(shown.length === 0
      ? [`There is no Redshift connection that the token's user sees: make one in Designer Cloud.`]
      : []),
    ...left,
    ...shown.flatMap(({ id, doubts }) =>
      doubts.map((words) => `${look.paint("warn", `Connection ${id}`)}: ${words}.`),
    ),
    "May write: the platform tells it only when something is published.",
  ];
  return { text: lines.join("\n"), ok };
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
    "not told",
    host === undefined ? "not told" : `${host}${database === undefined ? "" : `/${database}`}`,
  ];
}

function statusOf({ status, target }: SurveyedConnection): Cell {
  if (status === undefined) return target === "no" ? "not asked" : { text: "not told", style: "warn" };
  return { text: status, style: status === "SUCCESS" ? "good" : "bad" };
}
