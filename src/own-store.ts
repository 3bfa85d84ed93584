import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Config } from "./config.ts";

type Where = Pick<Config, "redisUrl" | "dataDir">;

/** Where the relay's own redis-server keeps its data, as an absolute path. */
export const ownStoreOf = ({ dataDir }: Pick<Config, "dataDir">): string => resolve(join(dataDir, "redis"));

/** Says that nothing is there to look at: no `REDIS_URL`, and no relay ever ran with this data folder. Else undefined. */
export async function noStoreWords(config: Where): Promise<string | undefined> {
  if (config.redisUrl !== undefined) return undefined;
  const folder = ownStoreOf(config);
  if (await stat(folder).catch(() => undefined)) return undefined;
  return `There is no Redis of the relay under ${folder}: start the relay there, or set REDIS_URL or DATA_DIR`;
}

/** For a command that only looks, and so makes no store. Throws when there is none. */
export async function assertStore(config: Where): Promise<void> {
  const words = await noStoreWords(config);
  if (words !== undefined) throw new Error(words);
}
