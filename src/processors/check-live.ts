import { PlatformError } from "../errors.ts";
import type { Target } from "../rules/model.ts";
import { isUnknown } from "./job-group-facts.ts";

/** What the platform is asked about the targets of the rules. */
export interface LivePlatform {
  getCurrentPerson(signal?: AbortSignal): Promise<{ readonly id: number }>;
  getConnection(
    id: number,
    signal?: AbortSignal,
  ): Promise<{ readonly id: number; readonly name?: string; readonly vendor?: string }>;
  getConnectionStatus(id: number, signal?: AbortSignal): Promise<string>;
}

/** What one live check found. */
export interface Finding {
  readonly check: "token" | "exists" | "redshift" | "answers" | "may write";
  /** The targets that have the connection; absent for the token. */
  readonly targets?: readonly string[];
  readonly connection?: number;
  readonly verdict: "good" | "wrong" | "not tested";
  /** What was found, and what to change when it is wrong. */
  readonly words: string;
}

/**
 * Asks the platform whether the token is good and each connection of the targets exists, is a Redshift one and
 * answers. Sends nothing that changes anything; never rejects for what the platform does, but rejects when `signal`
 * aborts.
 */
export async function checkLive(
  targets: readonly Target[],
  platform: LivePlatform,
  signal: AbortSignal,
): Promise<Finding[]> {
  const token = await checkToken(platform, signal);
  const findings = [token];
  const byConnection = new Map<number, string[]>();
  for (const { name, connection } of targets)
    byConnection.set(connection, [...(byConnection.get(connection) ?? []), name]);
  for (const [connection, names] of byConnection) {
    const found =
      token.verdict === "wrong"
        ? [untested("exists", "the platform was not asked: see the token")]
        : await checkConnection(connection, platform, signal);
    findings.push(...found.map((finding) => ({ ...finding, targets: names, connection })));
  }
  return findings;
}

async function checkToken(platform: LivePlatform, signal: AbortSignal): Promise<Finding> {
  try {
    await platform.getCurrentPerson(signal);
    return good("token", "the platform takes the token");
  } catch (error) {
    const { failure, message } = failureOf(error, signal);
    // Refused after the token was let in: the question is not for everybody, or not for this tenant.
    if (failure.next === "refused" && failure.status !== 401)
      return untested("token", `whether it is good was not told: ${message}`);
    if (failure.gate === "unauthorized")
      return wrong("token", `the platform refuses the token: set a good DESIGNER_CLOUD_TOKEN. ${message}`);
    return wrong("token", `the platform gave no answer: ${message}`);
  }
}

async function checkConnection(
  connection: number,
  platform: LivePlatform,
  signal: AbortSignal,
): Promise<Finding[]> {
  let vendor: string | undefined;
  const findings: Finding[] = [];
  try {
    const found = await platform.getConnection(connection, signal);
    vendor = found.vendor;
    const name = found.name === undefined ? "" : ` ${JSON.stringify(found.name)}`;
    findings.push(good("exists", `connection ${connection}${name} is there`));
  } catch (error) {
    const failed = failureOf(error, signal);
    if (isUnknown(failed) && failed.failure.code !== "RouteNotFoundException") {
      const words = `the platform knows no connection ${connection}: correct \`connection\`, or share it with the token's user`;
      return [wrong("exists", words)];
    }
    findings.push(untested("exists", failed.message));
  }
  return [
    ...findings,
    checkVendor(connection, vendor),
    await checkStatus(connection, platform, signal),
    untested("may write", "the platform tells it only when something is published"),
  ];
}

function checkVendor(connection: number, vendor: string | undefined): Finding {
  if (vendor === undefined)
    return untested("redshift", `the platform does not tell of what kind connection ${connection} is`);
  return /redshift/i.test(vendor)
    ? good("redshift", `connection ${connection} is a Redshift one`)
    : wrong("redshift", `connection ${connection} is of kind ${JSON.stringify(vendor)}, not Redshift`);
}

async function checkStatus(
  connection: number,
  platform: LivePlatform,
  signal: AbortSignal,
): Promise<Finding> {
  try {
    const status = await platform.getConnectionStatus(connection, signal);
    return status === "SUCCESS"
      ? good("answers", `connection ${connection} answers`)
      : wrong(
          "answers",
          `the platform does not reach connection ${connection}: its status is ${JSON.stringify(status)}`,
        );
  } catch (error) {
    return untested("answers", failureOf(error, signal).message);
  }
}

/** The failure of a call; whoever was told to stop, stops. */
function failureOf(error: unknown, signal: AbortSignal): PlatformError {
  signal.throwIfAborted();
  if (error instanceof PlatformError) return error;
  throw error;
}

const good = (check: Finding["check"], words: string): Finding => ({ check, verdict: "good", words });
const wrong = (check: Finding["check"], words: string): Finding => ({ check, verdict: "wrong", words });
const untested = (check: Finding["check"], words: string): Finding => ({
  check,
  verdict: "not tested",
  words,
});
