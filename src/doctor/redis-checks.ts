import { livingProcesses } from "../queues/living-processes.ts";
import { otherNamespaces, readRedisFacts, type RedisFacts } from "../queues/redis-facts.ts";
import type { RedisTrouble } from "../reach-redis.ts";
import type { Reach } from "../with-core.ts";
import { type DoctorFinding, findingsOf } from "./finding.ts";

const { ok, warning, error, notTested } = findingsOf("redis");

/** BullMQ asks for 6.2, and does not start below 5. */
const LEAST = [6, 2] as const;
const NEVER_BELOW = 5;
const FULL = { warning: 0.8, error: 0.95 };
/** Times in records are of Redis' clock, so a difference shows in what is told and in signatures alone. */
const SKEW = { warningMs: 2_000, errorMs: 60_000 };

/** The names of what is asked of Redis, in their order. */
const ASKED = [
  "takes writes",
  "version",
  "eviction",
  "append-only file",
  "memory",
  "clock",
  "namespace",
] as const;

/** Redis was not reached, or does not let itself be asked. */
export function redisAway({ words, advice }: RedisTrouble): DoctorFinding[] {
  return [
    error("answers", words, sentence(advice)),
    ...ASKED.map((check) => notTested(check, "Redis was not asked: see answers")),
  ];
}

/** Asks Redis how it is set up. Writes one key that goes by itself after a minute. */
export async function checkRedis(
  { connections, keys }: Reach,
  where: string,
  now: () => number,
): Promise<DoctorFinding[]> {
  const redis = connections.ingest;
  const askedAt = now();
  await redis.ping();
  const findings = [ok("answers", `${where} answers within ${Math.max(1, now() - askedAt)} ms`)];
  const writes = redis.set(`${keys.prefix}:doctor`, "1", "PX", 60_000);
  findings.push(
    await writes.then(
      () => ok("takes writes", "a key was written"),
      (cause: unknown) => error("takes writes", wordsOf(cause), writeAdvice(wordsOf(cause))),
    ),
  );
  const facts = await readRedisFacts(redis, now).catch(wordsOf);
  if (typeof facts === "string") {
    const asked = ["version", "eviction", "append-only file", "memory", "clock"];
    findings.push(...asked.map((check) => notTested(check, `Redis does not tell it: ${facts}`)));
  } else {
    findings.push(versionOf(facts), evictionOf(facts), appendOnlyOf(facts), memoryOf(facts), clockOf(facts));
  }
  findings.push(
    await namespaceOf({ connections, keys }).catch((cause: unknown) =>
      notTested("namespace", wordsOf(cause)),
    ),
  );
  return findings;
}

function versionOf({ name, version }: RedisFacts): DoctorFinding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const words = `${name} ${version}`;
  const advice = `Use ${name === "Valkey" ? "Valkey 7.2" : "Redis 6.2"} or newer.`;
  if (version === "") return notTested("version", "it is not told");
  if (major < NEVER_BELOW) return error("version", words, advice);
  const isOld = major < LEAST[0] || (major === LEAST[0] && minor < LEAST[1]);
  return isOld ? warning("version", words, advice) : ok("version", words);
}

function evictionOf({ policy }: RedisFacts): DoctorFinding {
  if (policy === "") return notTested("eviction", "the policy is not told");
  return policy === "noeviction"
    ? ok("eviction", "maxmemory-policy is noeviction")
    : error(
        "eviction",
        `maxmemory-policy is ${policy}: a Redis that is full throws away tasks and records`,
        "Set maxmemory-policy noeviction.",
      );
}

function appendOnlyOf({ appendOnly, appendOnlyGood }: RedisFacts): DoctorFinding {
  if (appendOnly === undefined)
    return notTested("append-only file", "Redis does not tell whether it keeps one");
  if (!appendOnly) {
    const words = "appendonly is off: a Redis that restarts has lost what came since its last snapshot";
    return warning("append-only file", words, "Set appendonly yes.");
  }
  if (appendOnlyGood === undefined)
    return notTested("append-only file", "appendonly is on; whether its last write was good is not told");
  return appendOnlyGood
    ? ok("append-only file", "appendonly is on, its last write was good")
    : error(
        "append-only file",
        "the last write of the append-only file failed",
        "See whether its disk is full or broken; the log of Redis tells.",
      );
}

function memoryOf({ usedBytes, maxBytes }: RedisFacts): DoctorFinding {
  if (usedBytes === undefined || maxBytes === undefined)
    return notTested("memory", "Redis does not tell how much it uses, or may");
  const used = megabytes(usedBytes);
  if (maxBytes === 0)
    return notTested(
      "memory",
      `${used} used, and no maxmemory is set: how much the machine has is not looked at`,
    );
  const share = usedBytes / maxBytes;
  const words = `${used} of ${megabytes(maxBytes)} used (${Math.round(share * 100)} %)`;
  const advice = "Give it more memory (maxmemory): when it is full, reports are answered 503 and tasks wait.";
  if (share >= FULL.error) return error("memory", words, advice);
  return share >= FULL.warning ? warning("memory", words, advice) : ok("memory", words);
}

const megabytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MB`;

function clockOf({ aheadMs, roundTripMs }: RedisFacts): DoctorFinding {
  const off = Math.max(0, Math.abs(aheadMs) - roundTripMs / 2);
  const words = `Redis' clock is ${aheadMs > 0 ? "ahead of" : "behind"} ours by ${(off / 1_000).toFixed(1)} s`;
  const advice = "Set the clocks of both machines by NTP.";
  if (roundTripMs / 2 >= SKEW.warningMs)
    return notTested("clock", "Redis' answer took too long to tell by it");
  if (off >= SKEW.errorMs) return error("clock", words, advice);
  return off >= SKEW.warningMs ? warning("clock", words, advice) : ok("clock", "the same as ours, to 2 s");
}

async function namespaceOf({ connections, keys }: Reach): Promise<DoctorFinding> {
  const redis = connections.ingest;
  const [processes, used, others] = await Promise.all([
    livingProcesses(redis, keys),
    redis.exists(keys.rules),
    otherNamespaces(redis, keys.prefix),
  ]);
  const also = others.length > 0 ? `; also on this Redis: ${others.join(", ")}` : "";
  const own = keys.prefix.slice(1, -1);
  if (used === 0 && others.length > 0) {
    const words = `no relay has run as ${own} yet${also}`;
    return warning("namespace", words, "See that NAMESPACE is the one of the relay.");
  }
  const lives = `${processes.length} ${processes.length === 1 ? "process lives" : "processes live"}`;
  return ok("namespace", `${own}, ${used === 0 ? "new" : lives}${also}`);
}

function writeAdvice(words: string): string {
  if (words.startsWith("NOPERM")) return "Let this user write (ACL).";
  if (words.startsWith("READONLY")) return "Name the server that takes writes in REDIS_URL.";
  if (words.startsWith("OOM")) return "Give it memory (maxmemory).";
  return "See why it takes none: its log tells.";
}

const sentence = (words: string): string => `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;

const wordsOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
