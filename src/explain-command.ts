import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { tellExplanation } from "./explain-report.ts";
import { type Look, PLAIN } from "./look.ts";
import { assertStore } from "./own-store.ts";
import { reachRedis } from "./reach-redis.ts";
import { createExplain } from "./relay-check.ts";
import { withCore } from "./with-core.ts";

/** What `explain` was asked for. */
export interface ExplainArguments {
  readonly jobGroupId: number;
  readonly json: boolean;
}

/** What a command has to say; `ok` is false when it ends with 1. */
export interface Said {
  readonly text: string;
  readonly ok: boolean;
  /** It is the arguments or the settings that have to change. */
  readonly wrongUse?: true;
  /** It ended before what it waited for did. */
  readonly cut?: "interrupted" | "timed out";
}

/**
 * Explains a job group, whether the relay runs or not; writes nothing. Not `ok` when the platform did not tell all
 * that was asked, or does not know the job group. Throws when Redis does not answer, or is none.
 */
export async function runExplain(
  args: ExplainArguments,
  config: Config,
  log: Logger,
  look: Look = PLAIN,
): Promise<Said> {
  const { jobGroupId, json } = args;
  await assertStore(config);
  return withCore(config, log, async (core) => {
    await reachRedis(core.connections, config, "nothing can be told");
    const explain = createExplain(core, core.completions, config.rulesFile, "past the gate");
    const found = await explain(jobGroupId);
    const { answered, known } = found.platform;
    return {
      text: json ? JSON.stringify(found, undefined, 2) : tellExplanation(found, look),
      ok: answered && known,
    };
  });
}
