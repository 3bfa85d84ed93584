import type { Logger } from "pino";
import { inTime } from "./queues/in-time.ts";

const MINUTE_MS = 60_000;
const CLOSE_MS = 2_000;

/**
 * Does something now and each minute, never twice at once; what fails is told in the log as `what`. The function it
 * returns ends that, and waits for the one that runs.
 */
export function everyMinute(what: string, work: () => Promise<void>, log: Logger): () => Promise<void> {
  let running = Promise.resolve();
  const run = (): void => {
    running = running
      .then(work)
      .catch((error: unknown) => log.warn({ err: error }, `${what} failed: the next is in a minute`));
  };
  run();
  const timer = setInterval(run, MINUTE_MS);
  return async () => {
    clearInterval(timer);
    // With Redis away it would never end.
    await inTime(running, CLOSE_MS);
  };
}
