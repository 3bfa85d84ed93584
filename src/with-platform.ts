import { type Config, ConfigError } from "./config.ts";
import { createDesignerCloud, type DesignerCloud } from "./designer-cloud/client.ts";
import { PlatformError, type PlatformFailure } from "./errors.ts";
import { explainAddress } from "./processors/check-live.ts";
import { tokenOf } from "./relay-platform.ts";

/** What failed, with what to do. An address that is not the platform's is told as that: what came of the call alone misleads. */
function explained(error: unknown, baseUrl: string, tokenFrom: string): unknown {
  if (!(error instanceof PlatformError)) return error;
  const { failure, message } = error;
  if (failure.address !== undefined)
    return new PlatformError(`${baseUrl}: ${explainAddress(failure.address, message)}`, failure);
  const advice = adviceOn(failure, tokenFrom);
  return advice === undefined
    ? error
    : new PlatformError(`${message.replace(/\.$/, "")}. ${advice}`, failure);
}

/** Undefined where the message says it, or where it may have been done. */
function adviceOn(
  { gate, next, retryAfterMs, status }: PlatformFailure,
  tokenFrom: string,
): string | undefined {
  if (gate === "throttled") {
    const when = retryAfterMs === undefined ? "later" : `in ${Math.ceil(retryAfterMs / 1_000)} s`;
    return `The platform takes no more questions for now: try again ${when}`;
  }
  if (gate === "away")
    return "The platform is away: try again later and, if that stays so, correct DESIGNER_CLOUD_URL (host, port, http or https)";
  if (next === "refused" && status === 403)
    return `The token's user may not do this: have the right given to them, or put a token that has it into ${tokenFrom}`;
  return undefined;
}

/** For all questions of one command together. */
const WITHIN_MS = 120_000;

const LATE = `The platform did not answer all questions within ${WITHIN_MS / 60_000} minutes: try again later and, if that stays so, correct DESIGNER_CLOUD_URL`;

/**
 * Opens the platform for one command, which asks it past the gate. Throws `ConfigError` when a setting is missing, and a
 * `TimeoutError` when all questions together take too long.
 */
export async function withPlatform<T>(
  config: Config,
  what: string,
  use: (platform: DesignerCloud, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { url: baseUrl, token, tokenFile } = config.platform;
  if (!baseUrl) throw new ConfigError([`DESIGNER_CLOUD_URL is not set: ${what} asks the platform`]);
  if (!token && !tokenFile)
    throw new ConfigError([`DESIGNER_CLOUD_TOKEN is not set: ${what} asks the platform with it`]);
  const source = tokenOf(config);
  const client = createDesignerCloud({ baseUrl, token: () => source.current(), tokenFrom: source.from });
  const signal = AbortSignal.timeout(WITHIN_MS);
  try {
    return await use(client, signal);
  } catch (error) {
    const isLate =
      error instanceof PlatformError ? error.failure.code === "STOPPED" : error === signal.reason;
    if (signal.aborted && isLate) throw new DOMException(LATE, "TimeoutError");
    throw explained(error, baseUrl, source.from);
  } finally {
    await client.close();
  }
}
