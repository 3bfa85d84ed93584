import type { AddressTrouble } from "../errors.ts";
import type { CallName, Telling } from "./failure.ts";
import type { TransportEvent } from "./retry-table.ts";

/** A server in between says these too, before the platform or in its name. */
const SAID_BY_OTHERS: ReadonlySet<number> = new Set([304, 401, 407, 408, 425, 429]);

/**
 * What an answer says of the address. An exception's name or a request id is the platform's; a 5xx is what a proxy says
 * while the platform is away, so it speaks against nothing.
 */
export function troubleOfAnswer(
  status: number,
  exception: string | undefined,
  requestId: string | undefined,
  { call, hasPrefix }: Telling,
): AddressTrouble | undefined {
  if (call.kind !== "read" || SAID_BY_OTHERS.has(status) || status >= 500) return undefined;
  if (status < 400) return "redirect";
  if (exception === "RouteNotFoundException" && hasPrefix) return "path";
  return exception === undefined && requestId === undefined ? "stranger" : undefined;
}

/** What a call without an answer says of the address. */
export function troubleOfEvent(event: TransportEvent, { kind }: CallName): AddressTrouble | undefined {
  return kind === "read" ? TROUBLES[event] : undefined;
}

const TROUBLES: Partial<Record<TransportEvent, AddressTrouble>> = {
  "dns-failure": "no host",
  "connection-refused": "nobody",
  "tls-failure": "no tls",
  "not-http": "stranger",
};

/** What a 2xx that cannot be read says of the address. */
export function troubleOfReading(
  requestId: string | undefined,
  { kind }: CallName,
): AddressTrouble | undefined {
  return kind === "read" && requestId === undefined ? "stranger" : undefined;
}
