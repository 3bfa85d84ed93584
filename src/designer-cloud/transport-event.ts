import { ConnectError } from "./connections.ts";
import type { TransportEvent } from "./retry-table.ts";

const CLOSED_BY_US: ReadonlySet<string> = new Set(["UND_ERR_CLOSED", "UND_ERR_DESTROYED"]);
const TLS_CODE =
  /^(ERR_(SSL|TLS|OSSL)_|EPROTO$|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_CA)/;

/** The event, and the code of the network or of undici. */
interface Happened {
  readonly event: TransportEvent;
  readonly code: string;
}

/** What an error means that came before the request was started: nothing was sent. */
export function beforeSending(error: Error): Happened {
  if (!(error instanceof ConnectError)) {
    const code = codeOf(error);
    return { event: CLOSED_BY_US.has(code) ? "stopped-before-sending" : "no-connection", code };
  }
  const code = error.reason;
  if (code === "ENOTFOUND" || code.startsWith("EAI_")) return { event: "dns-failure", code };
  if (code === "ECONNREFUSED") return { event: "connection-refused", code };
  if (code === "UND_ERR_CONNECT_TIMEOUT" || code === "ETIMEDOUT") return { event: "connect-timeout", code };
  return { event: TLS_CODE.test(code) ? "tls-failure" : "no-connection", code };
}

/** What an error means that came after the request may have been sent. */
export function afterSending(error: Error): Happened {
  const code = codeOf(error);
  if (CLOSED_BY_US.has(code)) return { event: "stopped-after-sending", code };
  const notHttp = error.name === "HTTPParserError" || code === "UND_ERR_HEADERS_OVERFLOW";
  return { event: notHttp ? "not-http" : "connection-lost", code };
}

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
