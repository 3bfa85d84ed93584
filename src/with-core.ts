import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { type Core, openCore, type Releasers } from "./relay-core.ts";

/** Opens the core for one command, which asks the platform beside the fleet's gate, and closes it again. */
export async function withCore<T>(config: Config, log: Logger, use: (core: Core) => Promise<T>): Promise<T> {
  const releasers: (() => Promise<unknown>)[] = [];
  const opened: Releasers = (resource, release) => {
    releasers.push(() => release(resource));
    return resource;
  };
  try {
    return await use(await openCore(config, log, opened, "alone"));
  } finally {
    for (const release of releasers.reverse()) await release();
  }
}
