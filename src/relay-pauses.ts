import type { Logger } from "pino";
import { inTime } from "./queues/in-time.ts";
import { createHolds } from "./queues/holds.ts";
import type { Core } from "./relay-core.ts";

const LOOK_EVERY_MS = 2_000;
const CLOSE_MS = 1_000;

/** Notes which targets are paused, whoever paused them: the waits of their tasks are shared out by it. */
export function watchPauses(
  { connections, keys, targets }: Pick<Core, "connections" | "keys" | "targets">,
  log: Logger,
): () => Promise<void> {
  const holds = createHolds(connections.work, keys);
  let running = Promise.resolve();
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    running = holds
      .notePauses(targets.list().map(({ name }) => name))
      .catch((error: unknown) => log.debug({ err: error }, "paused targets could not be noted: again in 2 s"))
      .then(() => {
        if (!stopped) timer = setTimeout(look, LOOK_EVERY_MS);
      });
  };
  look();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await inTime(running, CLOSE_MS);
  };
}
