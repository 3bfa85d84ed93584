import { z } from "zod";
import { accessProblems, accessSettings, list } from "./access-settings.ts";
import { hasReadableLogin, isPlain, withoutLastSlash } from "./notify-settings.ts";
import { moment } from "./producers/moment.ts";
import { NAMESPACE } from "./queues/names.ts";
import { parseDuration } from "./rules/duration.ts";

const ROLES = ["web", "poll", "dispatch", "publish"] as const;

/** The settings of one process, read once from its environment. */
export type Config = Readonly<z.output<typeof environment>>;

const text = z.string().trim().min(1);
const duration = z.string().transform((value, context) => {
  const ms = parseDuration(value);
  if (ms === undefined)
    context.addIssue({ code: "custom", message: "must be a duration like 500ms, 20s, 1m, 2h or 90d" });
  return ms ?? 0;
});
const atLeast = (leastMs: number, words: string) =>
  duration.refine((ms) => ms >= leastMs, `must be at least ${words}`);
const address = (protocols: readonly string[], example: string) =>
  text.refine(
    (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol),
    `must be an address like ${example}`,
  );

/** None of the words holds the address: it may be a secret. */
const notifyUrls = list
  .refine(
    (urls) => urls.every((url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)),
    "must be addresses that begin with http:// or https://, separated by commas (a comma inside one is written %2C)",
  )
  .refine(
    (urls) => urls.every(hasReadableLogin),
    "has a login with a % that is no escape: write %25 for a % itself",
  );
/** Standard Webhooks: 24 bytes or more. */
const notifySecrets = list.refine(
  (secrets) => secrets.every((secret) => /^whsec_[A-Za-z0-9+/]{32,}={0,2}$/.test(secret)),
  "must be whsec_ and base64 of at least 24 bytes; make one with: echo whsec_$(openssl rand -base64 24)",
);

const publicUrl = address(["http:", "https:"], "https://publish-relay.example.com")
  .refine(isPlain, "must hold no login, query or fragment: it begins the links that people are told")
  .transform(withoutLastSlash);

const environment = z
  .object({
    DESIGNER_CLOUD_URL: address(["http:", "https:"], "https://us1.alteryxcloud.com").optional(),
    DESIGNER_CLOUD_TOKEN: text.optional(),
    DESIGNER_CLOUD_TOKEN_FILE: text.optional(),
    /** Node's own: with 0 it checks no certificate. */
    NODE_TLS_REJECT_UNAUTHORIZED: z.string().optional(),
    REDIS_URL: address(["redis:", "rediss:"], "redis://127.0.0.1:6379").optional(),
    DATA_DIR: text.default("data"),
    NAMESPACE: z.string().regex(NAMESPACE.pattern, NAMESPACE.words).default(NAMESPACE.byDefault),
    RULES_FILE: text.optional(),
    HOST: text.default("127.0.0.1"),
    PORT: z
      .string()
      .regex(/^\d+$/, "must be a port, 0 to 65535")
      .transform(Number)
      .refine((port) => port <= 65_535, "must be a port, 0 to 65535")
      .default(3000),
    WEBHOOK_SECRETS: list,
    WEBHOOK_AUTH: z
      .enum(["designer-cloud", "standard-webhooks", "github", "header", "none"], {
        error: "must be designer-cloud, standard-webhooks, github, header or none",
      })
      .default("designer-cloud"),
    WEBHOOK_HEADER: z
      .string()
      .regex(/^[A-Za-z0-9-]+$/, "must be the name of a header")
      .optional(),
    API_TOKENS: list,
    ...accessSettings,
    ROLES: z
      .string()
      .default(ROLES.join(","))
      .transform((value) => value.split(",").map((role) => role.trim()))
      .pipe(
        z.array(z.enum(ROLES, { error: `must be any of ${ROLES.join(", ")}, separated by commas` })).min(1),
      ),
    FOLLOW_MAX: atLeast(100, "100ms").default(5_000),
    POLL_INTERVAL: z
      .string()
      .trim()
      .toLowerCase()
      .pipe(
        z.union([z.literal("off"), atLeast(1_000, "1s")], {
          error: "must be a duration of at least 1s, like 1m, or off",
        }),
      )
      .default(60_000),
    POLL_GRACE: z
      .string()
      .trim()
      .toLowerCase()
      .transform((value) => (value === "0" ? "0s" : value))
      .pipe(duration)
      .optional(),
    POLL_SINCE: moment.optional(),
    POLL_MAX_PAGES: z
      .string()
      .regex(/^[1-9]\d{0,3}$/, "must be a whole number from 1 to 9999")
      .transform(Number)
      .default(20),
    LEDGER_RETENTION: atLeast(60_000, "1m").default(90 * 86_400_000),
    ENVIRONMENT: text.max(30, "must have 30 characters at most").optional(),
    NOTIFY_URLS: notifyUrls,
    NOTIFY_SECRET: notifySecrets,
    PUBLIC_URL: publicUrl.optional(),
    LOG_LEVEL: z
      .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"], {
        error: "must be fatal, error, warn, info, debug, trace or silent",
      })
      .default("info"),
  })
  .transform((env) => ({
    platform: {
      url: env.DESIGNER_CLOUD_URL,
      token: env.DESIGNER_CLOUD_TOKEN,
      tokenFile: env.DESIGNER_CLOUD_TOKEN_FILE,
    },
    certificatesChecked: env.NODE_TLS_REJECT_UNAUTHORIZED !== "0",
    redisUrl: env.REDIS_URL,
    dataDir: env.DATA_DIR,
    namespace: env.NAMESPACE,
    rulesFile: env.RULES_FILE ?? "rules.yaml",
    /** A rules file that was named must be there; the default one may be missing. */
    rulesFileNamed: env.RULES_FILE !== undefined,
    host: env.HOST,
    port: env.PORT,
    webhook: { secrets: env.WEBHOOK_SECRETS, scheme: env.WEBHOOK_AUTH, header: env.WEBHOOK_HEADER },
    apiTokens: env.API_TOKENS,
    boardOperators: env.BOARD_OPERATORS,
    boardViewers: env.BOARD_VIEWERS,
    boardDangerous: env.BOARD_DANGEROUS,
    authProxyHeader: env.AUTH_PROXY_HEADER,
    trustProxy: env.TRUST_PROXY,
    roles: env.ROLES,
    followMaxMs: env.FOLLOW_MAX,
    poll: pollSettings(env),
    ledgerRetentionMs: env.LEDGER_RETENTION,
    environment: env.ENVIRONMENT,
    notify: { urls: env.NOTIFY_URLS, secrets: env.NOTIFY_SECRET, publicUrl: env.PUBLIC_URL },
    logLevel: env.LOG_LEVEL,
  }));

/** With the poller the record of a job group must outlive the time for which the platform lists it to the poller. */
const LEDGER_LEAST_MS = 3_600_000;
const GRACE_MS = 120_000;

function pollSettings(env: {
  readonly WEBHOOK_AUTH: string;
  readonly WEBHOOK_SECRETS: readonly string[];
  readonly POLL_INTERVAL: number | "off";
  readonly POLL_GRACE?: number | undefined;
  readonly POLL_SINCE?: { at: number } | { backMs: number } | undefined;
  readonly POLL_MAX_PAGES: number;
}) {
  const webhooks = env.WEBHOOK_AUTH === "none" || env.WEBHOOK_SECRETS.length > 0;
  return {
    /** Absent: it is switched off. */
    everyMs: env.POLL_INTERVAL === "off" ? undefined : env.POLL_INTERVAL,
    graceMs: env.POLL_GRACE ?? (webhooks ? GRACE_MS : 0),
    since: env.POLL_SINCE,
    maxPages: env.POLL_MAX_PAGES,
    /** Can webhooks come at all? */
    webhooks,
  };
}

/** A setting is wrong; `problems` has one line each, with the variable's name and what to change. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** Reads the environment; an empty variable counts as unset. Throws `ConfigError` with all problems at once. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ""),
  );
  const parsed = environment.safeParse(given);
  const problems = parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${String(path[0] ?? "")} ${message}`);
  const url = given["DESIGNER_CLOUD_URL"];
  if (url && URL.canParse(url) && (new URL(url).username || new URL(url).password)) {
    problems.push("DESIGNER_CLOUD_URL must not hold a login: set DESIGNER_CLOUD_TOKEN in its place");
  }
  if (given["DESIGNER_CLOUD_TOKEN"] && given["DESIGNER_CLOUD_TOKEN_FILE"]) {
    problems.push("DESIGNER_CLOUD_TOKEN_FILE is set beside DESIGNER_CLOUD_TOKEN: set one of them");
  }
  problems.push(...accessProblems(given));
  const { poll, notify, ledgerRetentionMs = Infinity } = parsed.data ?? {};
  if (notify && notify.urls.length > 0 && notify.secrets.length === 0) {
    problems.push(
      "NOTIFY_SECRET is not set, and NOTIFY_URLS is: notifications are signed. Make one with: echo whsec_$(openssl rand -base64 24)",
    );
  }
  if (poll?.everyMs && ledgerRetentionMs < LEDGER_LEAST_MS + poll.graceMs + poll.everyMs) {
    problems.push(
      "LEDGER_RETENTION must be at least 1h longer than POLL_GRACE and POLL_INTERVAL, or POLL_INTERVAL be off: a job group whose record is gone is new to the poller",
    );
  }
  if (!parsed.success || problems.length > 0) throw new ConfigError([...new Set(problems)]);
  return deepFreeze(parsed.data);
}

/** How this process looks for finished job groups, if it does: without a platform there is nothing to look at. */
export function pollingOf({
  roles,
  poll,
  platform,
}: Config): (Config["poll"] & { everyMs: number }) | undefined {
  const { everyMs } = poll;
  return roles.includes("poll") && everyMs !== undefined && platform.url ? { ...poll, everyMs } : undefined;
}

export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || host.startsWith("127.");

/** Is it an address whose host is another machine, without TLS? */
export function isInTheClear(address: string): boolean {
  const url = new URL(address);
  return url.protocol === "http:" && !isLoopback(url.hostname.replace(/^\[|\]$/g, ""));
}

function deepFreeze<T extends object>(value: T): Readonly<T> {
  for (const part of Object.values(value)) {
    if (typeof part === "object" && part !== null) deepFreeze(part);
  }
  return Object.freeze(value);
}
