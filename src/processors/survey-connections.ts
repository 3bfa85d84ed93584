import { PlatformError } from "../errors.ts";

/** A connection as the platform lists it. */
export interface ListedConnection {
  readonly id: number;
  readonly name?: string;
  readonly vendor?: string;
  readonly type?: string;
  /** Everybody in the workspace may use it. */
  readonly shared?: boolean;
  /** Whoever uses it uses its creator's login; false: each has to bring one. */
  readonly credentialsShared?: boolean;
  /** How it logs in, in the platform's words. */
  readonly credentialType?: string;
  readonly creatorId?: number;
  readonly host?: string;
  readonly database?: string;
}

/** What is asked of the platform. */
export interface ConnectionsPlatform {
  listConnections(signal?: AbortSignal): Promise<readonly ListedConnection[]>;
  getConnectionStatus(id: number, signal?: AbortSignal): Promise<string>;
}

/** A connection with what can be told about it. */
export interface SurveyedConnection extends ListedConnection {
  /** Could it be a target? `unknown`: the platform does not tell its kind. */
  readonly target: "yes" | "no" | "unknown";
  /** Its status in the platform's words; absent: it was not asked, or not told. */
  readonly status?: string;
  /** Why the status is not told. */
  readonly statusWords?: string;
  /** What speaks against it as a target, and what to do. */
  readonly doubts: readonly string[];
}

/** May rules publish to it from the first start on? The platform told that it reaches its database. */
export const isSound = ({ target, status }: SurveyedConnection): boolean =>
  target === "yes" && status === "SUCCESS";

/** Lists the connections, and asks those that could be targets how they stand. Changes nothing. */
export async function surveyConnections(
  platform: ConnectionsPlatform,
  signal: AbortSignal,
): Promise<SurveyedConnection[]> {
  const found: SurveyedConnection[] = [];
  // One after the other: it is no hurry, and the quota is everybody's.
  for (const connection of await platform.listConnections(signal)) {
    const target = couldBeTarget(connection);
    const status = target === "no" ? {} : await askStatus(connection.id, platform, signal);
    found.push({ ...connection, target, ...status, doubts: doubtsOf(connection, target, status) });
  }
  return found;
}

function couldBeTarget({ vendor }: ListedConnection): SurveyedConnection["target"] {
  if (vendor === undefined) return "unknown";
  return /redshift/i.test(vendor) ? "yes" : "no";
}

const SAYS_READ_ONLY = /(?:^|[^a-z])(?:read[^a-z]?only)(?:$|[^a-z])/i;

function doubtsOf(
  { name, vendor, type, host, database, credentialsShared }: ListedConnection,
  target: SurveyedConnection["target"],
  { status, statusWords }: Pick<SurveyedConnection, "status" | "statusWords">,
): string[] {
  if (target === "no") return [`it is of kind ${vendor ?? type ?? "unknown"}, not Redshift`];
  return [
    target === "unknown" && "the platform does not tell its kind: look there whether it is a Redshift one",
    status !== undefined &&
      status !== "SUCCESS" &&
      `the platform does not reach its database (${status}): test it in Designer Cloud, and mend host, login or network`,
    status === undefined && `whether the platform reaches its database was not told: ${statusWords ?? ""}`,
    host !== undefined && database === undefined && "no database is told: see that it has one",
    credentialsShared === false &&
      "its login is not shared: the token's user has to bring one, unless the connection is their own",
    name !== undefined &&
      SAYS_READ_ONLY.test(name) &&
      "its name says that it is for reading: ask its owner before you publish to it",
  ].filter((words): words is string => typeof words === "string");
}

async function askStatus(
  id: number,
  platform: ConnectionsPlatform,
  signal: AbortSignal,
): Promise<Pick<SurveyedConnection, "status" | "statusWords">> {
  try {
    return { status: await platform.getConnectionStatus(id, signal) };
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    return { statusWords: error.message };
  }
}
