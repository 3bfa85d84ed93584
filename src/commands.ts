import { userInfo } from "node:os";
import { parseArgs } from "node:util";
import type { Logger } from "pino";
import type { Config } from "./config.ts";
import type { Resolved } from "./processors/resolve-parked.ts";
import { inTime } from "./queues/in-time.ts";
import { openCore, type Releasers, resolveTask } from "./relay-core.ts";

/** The command line is wrong; the message says what it should be. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const RESOLVE_USAGE =
  'publish-relay resolve <taskId> --published | --again --reason "..." [--by name]';

/** A person does not wait for a Redis that is away. */
const REDIS_WITHIN_MS = 5_000;

interface ResolveArguments {
  readonly taskId: string;
  readonly outcome: "published" | "again";
  readonly reason: string;
  readonly by: string;
}

/** Decides a parked task from the command line. Resolves to the line to print; throws when it cannot be decided. */
export async function runResolve(args: readonly string[], config: Config, log: Logger): Promise<string> {
  const { taskId, ...decision } = readResolveArguments(args);
  const releasers: (() => Promise<unknown>)[] = [];
  const opened: Releasers = (resource, release) => {
    releasers.push(() => release(resource));
    return resource;
  };
  try {
    const core = await openCore(config, log, opened, "alone");
    if (!(await inTime(core.reached(), REDIS_WITHIN_MS)))
      throw new Error("Redis does not answer: nothing was decided");
    return tell(taskId, await resolveTask(core, taskId, decision));
  } finally {
    for (const release of releasers.reverse()) await release();
  }
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

function readResolveArguments(args: readonly string[]): ResolveArguments {
  const { values, positionals } = parse(args);
  const [taskId, ...more] = positionals;
  if (!taskId || more.length > 0) throw new UsageError(`Name one task: ${RESOLVE_USAGE}`);
  if (values.published === values.again) throw new UsageError(`Say --published or --again: ${RESOLVE_USAGE}`);
  const reason = values.reason?.trim();
  if (!reason) throw new UsageError(`Say why, it is kept with the task: ${RESOLVE_USAGE}`);
  return {
    taskId,
    reason,
    outcome: values.published ? "published" : "again",
    by: values.by ?? userInfo().username,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        published: { type: "boolean", default: false },
        again: { type: "boolean", default: false },
        reason: { type: "string" },
        by: { type: "string" },
      },
    });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}: ${RESOLVE_USAGE}`);
  }
}
