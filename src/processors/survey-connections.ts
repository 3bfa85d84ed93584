import { PlatformError } from "../errors.ts";

/** A connection as the platform lists it. */
export interface ListedConnection {
  readonly id: number;
  readonly name?: string;
  readonly vendor?: string;
  readonly type?: string;
  /** Everybody in the workspace may use it. */
  readonly shared?: boolean;
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
}

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
    found.push({ ...connection, target, ...status });
  }
  return found;
}

function couldBeTarget({ vendor }: ListedConnection): SurveyedConnection["target"] {
  if (vendor === undefined) return "unknown";
  return /redshift/i.test(vendor) ? "yes" : "no";
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
