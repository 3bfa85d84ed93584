import type { Logger } from "pino";
import type { Outcome } from "./queues/outcome.ts";

/** One wide line for each job that was handled; the level says whether somebody must act. */
export function logHandled(
  log: Logger,
  stage: string,
  facts: object,
  startedAt: number,
  outcome: Outcome,
): void {
  const fields = { stage, ...facts, durationMs: Date.now() - startedAt, ...outcome };
  switch (outcome.next) {
    case "done":
      log.info(fields, `${stage} ended`);
      break;
    case "fail":
      log.error(fields, `${stage} failed`);
      break;
    case "retry":
      log.warn(fields, `${stage} is tried again`);
      break;
    case "later":
    case "hold":
    case "hand-over":
    case "lost":
      log.debug(fields, `${stage} waits`);
  }
}
