import type { Config } from "./config.ts";

/** A shorter one would be cut out of ordinary words. */
const LEAST_CHARS = 8;

/** What no line of the log may hold, whatever went wrong: every secret of the settings, the longest first. */
export function secretsOf({ platform, redisUrl, webhook, apiTokens, notify, ...boards }: Config): string[] {
  const urls = [...(redisUrl ? [redisUrl] : []), ...notify.urls].map((url) => new URL(url));
  const parts = [
    platform.token,
    ...webhook.secrets,
    ...apiTokens,
    ...[...boards.boardOperators, ...boards.boardViewers].map(({ password }) => password),
    ...notify.secrets,
    ...urls.flatMap(({ password, searchParams }) => [
      password,
      decoded(password),
      searchParams.get("password"),
    ]),
    // The path of such an address is a secret as a whole.
    ...notify.urls.map((url) => new URL(url)).flatMap(({ pathname, search }) => [pathname, search]),
  ];
  const secrets = parts
    .filter((part) => typeof part === "string")
    .filter(({ length }) => length >= LEAST_CHARS);
  return [...new Set(secrets)].sort((a, b) => b.length - a.length);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
