import type { Socket } from "node:net";
import { buildConnector, Pool } from "undici";

/** An idle connection older than this is not used again: below the shortest idle time of common servers (5 s). */
const IDLE_MAX_MS = 2_000;
/** How long one address of several is tried before the next; Node's 250 ms is too short for a far platform. */
const ADDRESS_ATTEMPT_MS = 1_000;

/** No connection could be made, so nothing was sent on it. `reason` is the network's code. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
  /** undici keeps calls queued for ever on some codes of its own; this one is none of them. */
  readonly code = "CONNECT_FAILED";
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/**
 * The pool of connections to the platform: HTTP/1.1, one call at a time on each.
 *
 * With `pipelining: 1` undici never puts a call that it has started on another connection (client-h1.js: when a socket
 * closes, its running call fails; only calls that were not started are queued again). No interceptor, no RetryAgent:
 * they repeat a PUT, and follow redirects with the token.
 */
export function openConnections(origin: string, options: { connections: number; connectMs: number }): Pool {
  const connect = buildConnector({
    timeout: options.connectMs,
    allowH2: false,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: Math.min(ADDRESS_ATTEMPT_MS, options.connectMs),
  });
  return new Pool(origin, {
    connections: options.connections,
    pipelining: 1,
    allowH2: false,
    // A PUT on a connection that the server just closed has an unknown outcome: hardly ever use a stale one.
    keepAliveTimeout: IDLE_MAX_MS,
    keepAliveMaxTimeout: IDLE_MAX_MS,
    // Time limits are the exchange's own: undici's count silence, not the whole, and only to the second.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: (target, done) =>
      connect(target, (error: Error | null, socket: Socket | null) => {
        if (error) done(connectError(error), null);
        else if (!socket || socket.destroyed)
          done(new ConnectError("ECONNRESET", "closed while connecting"), null);
        else done(null, socket);
      }),
  });
}

function connectError(error: Error): ConnectError {
  const reason = "code" in error && typeof error.code === "string" ? error.code : error.name;
  // Of several addresses that were tried, the words stand in the single errors.
  const words = error instanceof AggregateError ? error.errors.map(String).join("; ") : error.message;
  return new ConnectError(reason, words);
}
