import type { Redis } from "ioredis";

type Reply = string | number | null | Reply[];

/** A script by its keys and arguments; Redis runs it as one step. */
export type Script = (keys: readonly string[], args: readonly (string | number)[]) => Promise<Reply>;

/** Registers a Lua script on a connection; it is sent by its hash, and its text only when Redis does not know it. */
export function registerScript(redis: Redis, name: string, lua: string, numberOfKeys: number): Script {
  redis.defineCommand(name, { lua, numberOfKeys });
  const command = Reflect.get(redis, name) as (...args: (string | number)[]) => Promise<Reply>;
  return (keys, args) => command.call(redis, ...keys, ...args);
}

/** A script's answer that is a list of words. */
export function words(reply: Reply): string[] {
  if (!Array.isArray(reply)) throw new Error(`A script answered ${JSON.stringify(reply)} in place of a list`);
  return reply.map((part) => String(part));
}
