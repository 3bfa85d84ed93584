import { createHash } from "node:crypto";

/** Where notifications go. The address itself is a secret: a path may hold a token. */
export interface Address {
  /** Names it in Redis and on the board, and tells nothing of it. */
  readonly id: string;
  /** All that is ever shown of it. */
  readonly host: string;
  readonly origin: string;
  readonly path: string;
  /** Of a login in the address. */
  readonly authorization?: string;
}

/** The addresses of the settings, each once. */
export function readAddresses(urls: readonly string[]): Address[] {
  const byId = new Map(urls.map((url) => [idOf(url), readAddress(url)]));
  return [...byId.values()];
}

function readAddress(url: string): Address {
  const { host, origin, pathname, search, username, password } = new URL(url);
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = `Basic ${Buffer.from(login).toString("base64")}`;
  return { id: idOf(url), host, origin, path: pathname + search, ...(login !== ":" && { authorization }) };
}

const idOf = (url: string): string => createHash("sha256").update(url).digest("hex").slice(0, 12);
