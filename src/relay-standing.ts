import type { Limits, TargetStanding } from "./processors/explain-job-group.ts";
import { createBreakerStore } from "./queues/breaker-store.ts";
import { publishQueue } from "./queues/names.ts";
import { createTargetLook } from "./queues/target-look.ts";
import { NO_VERSION, type RegisteredTarget } from "./queues/target-definition.ts";
import { createTargetStore } from "./queues/target-store.ts";
import type { Core } from "./relay-core.ts";
import { formatDuration } from "./rules/duration.ts";
import type { Target } from "./rules/model.ts";

type Parts = Pick<Core, "connections" | "keys" | "queues" | "rules">;

/**
 * How targets stand: their limits as the fleet goes by them, which need not be those of this process' rules file; writes
 * nothing. Reads on the connection that gives up soon.
 */
export function createStandings({
  connections,
  keys,
  queues,
  rules,
}: Parts): (names: readonly string[]) => Promise<TargetStanding[]> {
  const redis = connections.ingest;
  const store = createTargetStore(redis, keys);
  const look = createTargetLook({
    redis,
    keys,
    breakers: createBreakerStore(redis, keys),
    queueOf: (target) => queues.of(publishQueue(target)),
  });
  return async (names) => {
    if (names.length === 0) return [];
    const { targets, unreadable } = await store.read();
    const registered = new Map(targets.map((one) => [one.target.name, one]));
    const own = new Map(rules.current()?.targets.map((target) => [target.name, target]));
    return Promise.all(
      names.map(async (name) => {
        const { target, limits, words } = unreadable.has(name)
          ? UNREADABLE
          : limitsOf(own.get(name), registered.get(name));
        const { nextStartInMs, ...standing } = await look(name, target);
        return {
          name,
          inRules: own.has(name),
          limits,
          limitsWords: words,
          ...(target && { connection: target.connection }),
          pace: target?.rateLimit ? { ...target.rateLimit, nextStartInMs } : null,
          concurrency: target?.concurrency ?? null,
          ...standing,
        };
      }),
    );
  };
}

interface KnownLimits {
  readonly target?: Target;
  readonly limits: Limits;
  readonly words: string;
}

const UNREADABLE: KnownLimits = {
  limits: "not known",
  words: "not known: what the fleet has for this target cannot be read, it may be of a later release",
};

function limitsOf(own: Target | undefined, registered: RegisteredTarget | undefined): KnownLimits {
  if (registered) {
    const { target, version } = registered;
    const [here, there] = [own && tellLimits(own), tellLimits(target)];
    const other = here === undefined || here === there ? "" : `; the rules file here says ${here}`;
    const whose =
      version === NO_VERSION ? "made for tasks that no rules name" : `of rules version ${version}`;
    return { target, limits: "in force", words: `in force, ${whose}${other}` };
  }
  return own
    ? {
        target: own,
        limits: "not in force yet",
        words: "of the rules file here, not in force yet: no relay has taken it over",
      }
    : { limits: "not known", words: "not known: no rules name the target" };
}

function tellLimits({ connection, rateLimit, concurrency }: Target): string {
  const pace = rateLimit
    ? `${rateLimit.max} starts per ${formatDuration(rateLimit.perMs)}${rateLimit.burst ? " (burst)" : ""}`
    : "no rate limit";
  return `connection ${connection}, ${pace}, ${concurrency} at once`;
}
