import { UsageError } from "./command-line.ts";
import { type Config, isLoopback } from "./config.ts";

const ROUTE = "/webhooks/designer-cloud";

/**
 * The address of the webhook route, and what is odd about it; a path before the route is kept, for relays behind a
 * proxy. Throws `UsageError` when it cannot be one.
 */
export function completeUrl(
  text: string,
  { webhook: { scheme } }: Config,
): { url: string; warnings: string[] } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`--url must be an address like https://relay.example.com${ROUTE}, not "${text}"`);
  }
  if (url.username || url.password)
    throw new UsageError("--url must not hold a login: the platform shows it to everybody");
  if (url.search || url.hash) throw new UsageError(`--url must end in ${ROUTE}, without ? or #`);
  const path = url.pathname.replace(/\/+$/, "");
  if (path.endsWith(`${ROUTE}/check`)) {
    throw new UsageError("--url must not end in /check: that route only tells what would happen");
  }
  if (path.endsWith(ROUTE)) url.pathname = path;
  else url.pathname = `${path.replace(/\/webhooks$/, "")}${ROUTE}`;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isLocal = isLoopback(host) || host === "0.0.0.0" || host === "::";
  const inTheClear = url.protocol === "http:" && !isLocal;
  const warnings = [
    isLocal && `${url.hostname} is this machine: the platform cannot reach it unless it runs here too`,
    inTheClear &&
      (scheme === "header"
        ? "http sends the secret in the clear: use https"
        : "http sends the report in the clear: use https"),
  ].filter((line): line is string => typeof line === "string");
  return { url: url.toString(), warnings };
}
