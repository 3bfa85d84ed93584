import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { type Connections, openConnections } from "./queues/connections.ts";
import { type Keys, keysOf } from "./queues/names.ts";
import { type Core, openCore, type Releasers, redisUrlOf } from "./relay-core.ts";
import { openQueues, type RelayQueues } from "./relay-queues.ts";
import { explainRedisError } from "./reach-redis.ts";
import { createTroubleLog } from "./trouble-log.ts";

/** Opens the core for one command, which asks the platform beside the fleet's gate, and closes it again. */
export function withCore<T>(config: Config, log: Logger, use: (core: Core) => Promise<T>): Promise<T> {
  return releasing(config, async (opened) => use(await openCore(config, log, opened, "alone")));
}

/** What a command looks at Redis with. */
export interface Reach {
  readonly connections: Connections;
  readonly keys: Keys;
}

/** The same with the queues. BullMQ marks each queue that it opens. */
export interface Stores extends Reach {
  readonly queues: RelayQueues;
}

/** Opens the connections to Redis alone for one command, and closes them again. Redis may be away. */
export function withReach<T>(config: Config, log: Logger, use: (reach: Reach) => Promise<T>): Promise<T> {
  return releasing(config, async (opened) => {
    const url = await redisUrlOf(config, log, opened);
    const connections = opened(openConnections(url, createTroubleLog(log)), ({ close }) => close());
    return use({ connections, keys: keysOf(config.namespace) });
  });
}

/** Opens Redis alone for one command, whatever the rules file says, and closes it again. Redis may be away. */
export function withStores<T>(config: Config, log: Logger, use: (stores: Stores) => Promise<T>): Promise<T> {
  return releasing(config, async (opened) => {
    const onError = createTroubleLog(log);
    const url = await redisUrlOf(config, log, opened);
    const connections = opened(openConnections(url, onError), ({ close }) => close());
    const keys = keysOf(config.namespace);
    const queues = opened(openQueues(connections, keys.prefix, onError), ({ close }) => close());
    return use({ connections, keys, queues });
  });
}

async function releasing<T>(config: Config, use: (opened: Releasers) => Promise<T>): Promise<T> {
  const releasers: (() => Promise<unknown>)[] = [];
  const opened: Releasers = (resource, release) => {
    releasers.push(() => release(resource));
    return resource;
  };
  try {
    return await use(opened);
  } catch (error) {
    throw explained(error, config);
  } finally {
    for (const release of releasers.reverse()) await release();
  }
}

/** What Redis refuses is told with what to do. */
function explained(error: unknown, config: Config): unknown {
  if (
    !(error instanceof Error && error.name === "ReplyError") ||
    !/^(?:NOPERM|READONLY|NOAUTH)\b/.test(error.message)
  )
    return error;
  const { words, advice } = explainRedisError(error, config);
  return new Error(`${words}: ${advice}`);
}
