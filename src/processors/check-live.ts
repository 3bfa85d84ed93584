import { type AddressTrouble, PlatformError } from "../errors.ts";
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
  readonly check: "address" | "token" | "exists" | "redshift" | "answers" | "may write";
  /** The targets that have the connection; absent for address and token. */
  readonly targets?: readonly string[];
  readonly connection?: number;
  /** `doubtful`: it could not be tested for a reason that somebody has to look into. */
  readonly verdict: "good" | "wrong" | "doubtful" | "not tested";
  /** What was found, and what to change when it is wrong. */
  readonly words: string;
}

/**
 * Asks the platform whether the address is its own, the token is good and each connection of the targets exists, is a
 * Redshift one and answers. Sends nothing that changes anything; never rejects for what the platform does, but rejects
 * when `signal` aborts.
 */
export async function checkLive(
  targets: readonly Target[],
  platform: LivePlatform,
  signal: AbortSignal,
): Promise<Finding[]> {
  const findings: Finding[] = await checkAccess(platform, signal);
  const shut = shutBy(findings);
  const byConnection = new Map<number, string[]>();
  for (const { name, connection } of targets)
    byConnection.set(connection, [...(byConnection.get(connection) ?? []), name]);
  for (const [connection, names] of byConnection) {
    const found =
      shut === undefined
        ? await checkConnection(connection, platform, signal)
        : [untested("exists", `the platform was not asked: see the ${shut}`)];
    findings.push(...found.map((finding) => ({ ...finding, targets: names, connection })));
  }
  return findings;
}

/** What keeps everything else from being asked. */
export function shutBy(findings: readonly Finding[]): "address" | "token" | undefined {
  const isWrong = (check: Finding["check"]): boolean =>
    findings.some((finding) => finding.check === check && finding.verdict === "wrong");
  if (isWrong("address")) return "address";
  return isWrong("token") ? "token" : undefined;
}

/** Whose token it is: one question that tells of the address and of the token. */
async function checkAccess(platform: LivePlatform, signal: AbortSignal): Promise<Finding[]> {
  const isThere = good("address", "Designer Cloud answers");
  try {
    await platform.getCurrentPerson(signal);
    return [isThere, good("token", "the platform takes the token")];
  } catch (error) {
    const { failure, message } = failureOf(error, signal);
    const { address, code, gate, next, requestId, status } = failure;
    if (code === "NO_TOKEN")
      return [
        untested("address", "nothing is asked without a token"),
        wrong("token", `there is none to send. ${message}`),
      ];
    if (address !== undefined) return addressWrong(explainAddress(address, message));
    if (gate === "unauthorized") {
      const refused = `the platform refuses the token. ${message}`;
      if (requestId !== undefined || code !== `HTTP_${status}`) return [isThere, wrong("token", refused)];
      const untold = untested("address", "the answer does not show that it is Designer Cloud's");
      return [untold, wrong("token", `${refused}. Is DESIGNER_CLOUD_URL right?`)];
    }
    // Refused after the token was let in: the question is not for everybody, or not for this tenant.
    if (next === "refused")
      return [
        isThere,
        doubtful("token", `whether it is good was not told: see that its user may use the API. ${message}`),
      ];
    if (gate === "throttled")
      return [
        untested("address", message),
        untested("token", "the platform takes no more questions for now: try again later"),
      ];
    return addressWrong(
      `the platform is away: try again later and, if that stays so, correct DESIGNER_CLOUD_URL (host, port, http or https). ${message}`,
    );
  }
}

const addressWrong = (words: string): Finding[] => [
  wrong("address", words),
  untested("token", "the platform was not asked: see the address"),
];

/** What to do about the platform's address, before the words of the call that failed. */
export function explainAddress(trouble: AddressTrouble, message: string): string {
  return `${ADDRESS_WORDS[trouble]} ${message}`;
}

const STRANGER =
  "this does not look like Designer Cloud: correct DESIGNER_CLOUD_URL (an address like https://us1.alteryxcloud.com, without a path).";

const ADDRESS_WORDS: Readonly<Record<AddressTrouble, string>> = {
  stranger: STRANGER,
  redirect: STRANGER,
  path: "the path of DESIGNER_CLOUD_URL leads to no API of Designer Cloud: take it out.",
  "no host": "there is no such host: correct DESIGNER_CLOUD_URL.",
  nobody: "nobody listens there: correct host and port of DESIGNER_CLOUD_URL, or start what should answer.",
  // What to do stands in the words of the call.
  "no tls": "no secure connection can be made.",
};

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
    if (failed.failure.next === "refused" && failed.failure.status === 403) {
      const words = `the token's user may not see connection ${connection}: share it with that user`;
      return [wrong("exists", `${words}. ${failed.message}`)];
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
    : wrong(
        "redshift",
        `connection ${connection} is of kind ${JSON.stringify(vendor)}, not Redshift: name one that publish-relay connections lists`,
      );
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
          `the platform does not reach connection ${connection}: its status is ${JSON.stringify(status)}. Test it in Designer Cloud, and mend its host, login or network`,
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
const doubtful = (check: Finding["check"], words: string): Finding => ({ check, verdict: "doubtful", words });
const untested = (check: Finding["check"], words: string): Finding => ({
  check,
  verdict: "not tested",
  words,
});
