import { hostname, userInfo } from "node:os";
import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { type Look, PLAIN } from "./look.ts";
import type { Resolved } from "./processors/resolve-parked.ts";
import { createAudit } from "./queues/audit-store.ts";
import { reachRedis } from "./reach-redis.ts";
import { resolveAudited } from "./relay-audit.ts";
import { withCore } from "./with-core.ts";

/** A decision, as the command line gives it. */
export interface ResolveArguments {
  readonly taskId: string;
  readonly outcome: "published" | "again";
  readonly reason: string;
  /** Default: the user of this machine. */
  readonly by?: string;
  readonly json?: boolean;
}

/** Decides a parked task from the command line. Resolves to what to print; throws when it cannot be decided. */
export async function runResolve(
  args: ResolveArguments,
  config: Config,
  log: Logger,
  look: Look = PLAIN,
): Promise<string> {
  const user = userInfo().username;
  const { taskId, by = user, json = false, ...rest } = args;
  const decision = { ...rest, by };
  const who = by === user ? user : `${by} (user ${user})`;
  return withCore(config, log, async (core) => {
    await reachRedis(core.connections, config, "nothing was decided");
    const audit = createAudit(core.connections.ingest, core.keys, config.ledgerRetentionMs, log);
    const asker = { who, role: "command line", from: hostname() } as const;
    const result = await resolveAudited(core, { audit, log }, taskId, decision, asker);
    return tell(taskId, result, json, look);
  });
}

function tell(taskId: string, result: Resolved, json: boolean, { paint }: Look): string {
  switch (result.kind) {
    case "resolved":
      return json
        ? JSON.stringify(result.task, undefined, 2)
        : `${taskId}: ${paint("good", result.task.state)}. ${result.task.words}`;
    case "unknown":
      throw new Error(`There is no task ${taskId}: its id stands on the board, in the queue "parked"`);
    case "refused":
      throw new Error(result.detail);
  }
}
