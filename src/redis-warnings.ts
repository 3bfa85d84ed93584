import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { readRedisFacts } from "./queues/redis-facts.ts";

const SAFE = "noeviction";

/** What is at stake with a Redis that evicts, and what to do. */
const evictionWords = (policy: string): string =>
  `Redis has maxmemory-policy ${policy}: when it is full it throws away jobs and records, and publishes are lost. Set maxmemory-policy ${SAFE}`;
const NO_INFO =
  "this user of Redis may not ask INFO, which the queues need: allow it (ACL SETUSER <user> +info)";

/** Looks once whether Redis keeps what it is given, and warns in the log when it does not, or does not tell. */
export async function warnOfRedis(redis: Redis, log: Logger): Promise<void> {
  try {
    const { policy } = await readRedisFacts(redis, Date.now);
    if (policy !== SAFE) log.warn({ policy }, evictionWords(policy));
  } catch (error) {
    log.warn({ err: error }, `Redis does not tell its maxmemory-policy: it must be ${SAFE}`);
  }
}

/**
 * Takes over the warnings that libraries write to the console, one for each of their connections: `say` hears each once.
 * `looks`: the process looks at Redis' policy itself, and needs no other's word.
 */
export function hearLibraries(
  console: Pick<Console, "warn">,
  say: (words: string) => void,
  { looks }: { readonly looks: boolean } = { looks: false },
): void {
  const said = new Set<string>();
  console.warn = (...line: unknown[]) => {
    const words = line.map(String).join(" ").trim();
    const policy = /^IMPORTANT! Eviction policy is ([\w-]+)/.exec(words)?.[1];
    if (policy !== undefined && looks) return;
    const ours =
      policy === undefined ? (words.includes("INFO command fails") ? NO_INFO : words) : evictionWords(policy);
    if (said.has(ours)) return;
    said.add(ours);
    say(ours);
  };
}
