import { type Config, isInTheClear, isLoopback, pollingOf } from "./config.ts";
import { ownStoreOf } from "./own-store.ts";
import { formatDuration } from "./rules/duration.ts";

/** What is set, for the log; secrets are counted or masked. */
export function summariseConfig(config: Config): Record<string, unknown> {
  const { platform, redisUrl, webhook } = config;
  const polls = pollingOf(config);
  return {
    platform: platform.url ?? "not set",
    token: platform.token ? "set" : platform.tokenFile ? `from ${platform.tokenFile}` : "not set",
    redis: redisUrl ? maskPassword(redisUrl) : `its own, under ${config.dataDir}`,
    namespace: config.namespace,
    rulesFile: config.rulesFile,
    listen: `${config.host}:${config.port}`,
    webhookAuth: webhook.scheme,
    webhookSecrets: webhook.secrets.length,
    apiTokens: config.apiTokens.length,
    boardOperators: config.boardOperators.length,
    boardViewers: config.boardViewers.length,
    boardDangerous: config.boardDangerous,
    trustProxy: config.trustProxy.join(",") || "none",
    authProxyHeader: config.authProxyHeader ?? "not set",
    roles: config.roles.join(","),
    poll: polls
      ? `every ${formatDuration(polls.everyMs)}, grace ${formatDuration(polls.graceMs)}`
      : "not by this process",
    environment: config.environment ?? "not named",
    // The host alone: a path may hold a token.
    notify: config.notify.urls.map((url) => new URL(url).host),
    logLevel: config.logLevel,
  };
}

/** What is missing, one line each with how to set it; the process starts all the same. */
export function missingSettings(config: Config): string[] {
  const { platform, webhook, host, roles, poll } = config;
  const accountsSet = [...config.boardOperators, ...config.boardViewers].length > 0;
  const web = roles.includes("web");
  const polls = roles.includes("poll") && poll.everyMs !== undefined;
  const works = polls || roles.includes("dispatch") || roles.includes("publish");
  return [
    works &&
      !platform.url &&
      "DESIGNER_CLOUD_URL is not set: tasks wait until it is, and nothing is polled (say https://us1.alteryxcloud.com)",
    works &&
      platform.url &&
      !platform.token &&
      !platform.tokenFile &&
      "DESIGNER_CLOUD_TOKEN is not set: tasks wait until it, or DESIGNER_CLOUD_TOKEN_FILE, is set",
    web &&
      webhook.scheme !== "none" &&
      webhook.secrets.length === 0 &&
      "WEBHOOK_SECRETS is not set: every webhook is refused (WEBHOOK_AUTH=none takes them unsigned)",
    web &&
      webhook.scheme === "none" &&
      "WEBHOOK_AUTH is none: whoever reaches this port can report completions",
    web && config.apiTokens.length === 0 && "API_TOKENS is not set: /v1 answers 401 to everybody",
    web &&
      !accountsSet &&
      !isLoopback(host) &&
      "BOARD_OPERATORS is not set, and HOST is not loopback: the board is not served",
  ].filter((line): line is string => typeof line === "string");
}

/** What lets others read the token on its way to the platform, one line each with what to do; without a token there is none. */
export function riskySettings({
  platform: { url, token, tokenFile },
  certificatesChecked,
}: Config): string[] {
  if (!url || (!token && !tokenFile)) return [];
  return [
    isInTheClear(url) &&
      `DESIGNER_CLOUD_URL is plain http, and ${new URL(url).host} is another machine: whoever is on the way can read the token. Use https`,
    new URL(url).protocol === "https:" && !certificatesChecked && `${UNCHECKED.words}. ${UNCHECKED.advice}`,
  ].filter((line) => line !== false);
}

/** What it means that no certificate is checked. */
export const UNCHECKED = {
  words:
    "certificates are not checked (NODE_TLS_REJECT_UNAUTHORIZED=0): whoever is on the way can read the token",
  advice: "Take it out, and trust the platform's CA by NODE_EXTRA_CA_CERTS",
} as const;

/** Redis as messages name it; the address may hold a password, so its host alone. */
export const whereRedisIs = ({ redisUrl, dataDir }: Pick<Config, "redisUrl" | "dataDir">): string =>
  redisUrl ? `Redis at ${new URL(redisUrl).host}` : `the relay's own Redis under ${ownStoreOf({ dataDir })}`;

function maskPassword(url: string): string {
  const parsed = new URL(url);
  if (parsed.password) parsed.password = "***";
  if (parsed.searchParams.has("password")) parsed.searchParams.set("password", "***");
  return parsed.toString();
}
