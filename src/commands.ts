import { userInfo } from "node:os";
import type { Logger } from "pino";
import type { Config } from "./config.ts";
import type { Resolved } from "./processors/resolve-parked.ts";
import { inTime } from "./queues/in-time.ts";
import { resolveTask } from "./relay-core.ts";
import { withCore } from "./with-core.ts";

/** A person does not wait for a Redis that is away. */
const REDIS_WITHIN_MS = 5_000;

/** A decision, as the command line gives it. */
export interface ResolveArguments {
  readonly taskId: string;
  readonly outcome: "published" | "again";
  readonly reason: string;
  /** Default: the user of this machine. */
  readonly by?: string;
}

/** Decides a parked task from the command line. Resolves to the line to print; throws when it cannot be decided. */
export async function runResolve(args: ResolveArguments, config: Config, log: Logger): Promise<string> {
  const { taskId, by = userInfo().username, ...rest } = args;
  const decision = { ...rest, by };
  return withCore(config, log, async (core) => {
    if (!(await inTime(core.reached(), REDIS_WITHIN_MS)))
      throw new Error("Redis does not answer: nothing was decided");
    return tell(taskId, await resolveTask(core, taskId, decision));
  });
}

function tell(taskId: string, result: Resolved): string {
  switch (result.kind) {
    case "resolved":
      return `${taskId}: ${result.task.state}. ${result.task.words}`;
    case "unknown":
      throw new Error(`There is no task ${taskId}: its id stands on the board, in the queue "parked"`);
    case "refused":
      throw new Error(result.detail);
  }
}
