import type { Config } from "./config.ts";
import { whereRedisIs } from "./config-summary.ts";
import { readableReason } from "./designer-cloud/readable-reason.ts";
import type { Connections } from "./queues/connections.ts";
import { inTime } from "./queues/in-time.ts";

/** A person does not wait for a Redis that is away. */
const WITHIN_MS = 5_000;

/** Why Redis cannot be used: `words` say where and what, `advice` what to do. Neither holds the password. */
export interface RedisTrouble {
  readonly words: string;
  readonly advice: string;
}

/** Waits until Redis answers, 5 s at most. Throws with what is wrong, what to do, and `tail`: what that means for the command. */
export async function reachRedis(connections: Connections, config: Config, tail: string): Promise<void> {
  const trouble = await findRedisTrouble(connections, config);
  if (trouble) throw new Error(`${trouble.words}: ${trouble.advice}; ${tail}`);
}

/** The same, without a throw: undefined once Redis answers. What does not mend itself is told at once. */
export async function findRedisTrouble(
  connections: Connections,
  config: Config,
): Promise<RedisTrouble | undefined> {
  const { work, ingest } = connections;
  let isOver = (): void => undefined;
  const hopeless = new Promise<void>((resolve) => {
    isOver = () => resolve();
  });
  const listen = (error: Error): void => {
    if (!MENDS_ITSELF.has(judge(error).kind)) isOver();
  };
  for (const redis of [work, ingest]) redis.on("error", listen);
  const before = connections.trouble();
  if (before) listen(before);
  let reached = false;
  const done = connections.reached().then(
    () => {
      reached = true;
    },
    () => undefined,
  );
  await inTime(Promise.race([done, hopeless]), WITHIN_MS);
  for (const redis of [work, ingest]) redis.off("error", listen);
  if (reached) return undefined;
  const last = connections.trouble();
  return last && !SILENT.test(last.message)
    ? explainRedisError(last, config)
    : explainSilence(last !== undefined || work.status === "connect", config);
}

/** What ioredis says of a Redis that took the connection, and answers nothing on it. */
const SILENT = /Command timed out/;

/** What an error that Redis, or the way to it, has told means. */
export function explainRedisError(error: unknown, config: Config): RedisTrouble {
  const where = whereRedisIs(config);
  const { kind, reason } = judge(error);
  const told = (what: string, advice: string): RedisTrouble => ({ words: `${where} ${what}`, advice });
  switch (kind) {
    case "login":
      return told(`refuses the login (${reason})`, "correct user and password in REDIS_URL");
    case "no login":
      return told("wants a login (NOAUTH)", "put user and password into REDIS_URL");
    case "rights":
      return told(`does not let this user do that (${reason})`, "give the user its rights (ACL)");
    case "read-only":
      return told("takes no writes (READONLY)", "name the server that takes writes in REDIS_URL");
    case "no host":
      return told("is not found (no such host)", "correct REDIS_URL");
    case "nobody":
      return told("is not there (nobody listens at that port)", "start it, or correct REDIS_URL");
    case "no tls":
      return told(`makes no TLS connection (${reason})`, "say redis:// in REDIS_URL if it speaks none");
    case "tls":
      return told("speaks TLS", "say rediss:// in REDIS_URL");
    case "certificate":
      return told(
        `has a certificate that this machine does not trust (${reason})`,
        "trust its CA by NODE_EXTRA_CA_CERTS, or name the host that it is for",
      );
    case "stranger":
      return told("is no Redis, by what it answers", "correct host and port in REDIS_URL");
    case "other":
      return told(`cannot be used: ${reason}`, "start it, or correct REDIS_URL");
  }
}

/** Nothing was heard of it at all. */
function explainSilence(isConnected: boolean, config: Config): RedisTrouble {
  const where = whereRedisIs(config);
  if (config.redisUrl?.startsWith("rediss:") && !isConnected)
    return {
      words: `${where} does not answer by TLS within 5 s`,
      advice: "say redis:// in REDIS_URL if it speaks none, or start it",
    };
  return isConnected
    ? {
        words: `${where} takes connections and does not answer within 5 s`,
        advice: "it may still load its data: try again, or correct REDIS_URL",
      }
    : { words: `${where} does not answer within 5 s`, advice: "start it, or correct REDIS_URL" };
}

type Kind =
  | "login"
  | "no login"
  | "rights"
  | "read-only"
  | "no host"
  | "nobody"
  | "no tls"
  | "tls"
  | "certificate"
  | "stranger"
  | "other";

/** One that starts just now is waited for. */
const MENDS_ITSELF: ReadonlySet<Kind> = new Set(["nobody", "other"]);

/** The first that matches the error's code and words. */
const KINDS: readonly (readonly [RegExp, Kind])[] = [
  [/WRONGPASS|invalid password/, "login"],
  [/NOAUTH/, "no login"],
  [/NOPERM/, "rights"],
  [/READONLY/, "read-only"],
  [/ENOTFOUND|EAI_/, "no host"],
  [/ECONNREFUSED/, "nobody"],
  [/before secure TLS connection|ERR_SSL_|EPROTO/, "no tls"],
  [/CERT|UNABLE_TO_|SELF_SIGNED|ERR_TLS_/, "certificate"],
  // The first byte of a TLS alert.
  [/Unknown RESP type 21 /, "tls"],
  [/Unknown RESP type/, "stranger"],
];

function judge(error: unknown): { kind: Kind; reason: string } {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const kind = KINDS.find(([pattern]) => pattern.test(`${code} ${message}`))?.[1] ?? "other";
  const reason = kind === "login" ? (/^[A-Z]+/.exec(message)?.[0] ?? message) : readableReason(message);
  return { kind, reason };
}
