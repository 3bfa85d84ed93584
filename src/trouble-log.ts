import type { Logger } from "pino";

const QUIET_MS = 5_000;
const CONNECTION =
  /ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|Connection is closed|max retries|WRONGPASS|NOAUTH/;

/**
 * Logs what goes wrong between the process and Redis. While Redis is away each connection fails many times a second:
 * of that one line in five seconds tells enough.
 */
export function createTroubleLog(log: Logger): (error: Error) => void {
  let quietUntil = 0;
  return (error) => {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!CONNECTION.test(`${code} ${error.message}`)) {
      log.warn({ err: error }, "an error that no job is to blame for");
      return;
    }
    if (Date.now() < quietUntil) return;
    quietUntil = Date.now() + QUIET_MS;
    log.warn({ err: error }, "Redis cannot be reached: trying again");
  };
}
