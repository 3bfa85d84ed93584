import type { IncomingMessage } from "node:http";
import type { Problem } from "../producers/problem.ts";
import { createSecretCheck } from "../producers/secrets.ts";

/** `operator` may change things, `viewer` may look. */
type Role = "operator" | "viewer";

export interface BoardAccess {
  /** Name -> password. */
  readonly operators: Readonly<Record<string, string>>;
  readonly viewers: Readonly<Record<string, string>>;
  /** Whether the server listens on a loopback address alone. */
  readonly loopback: boolean;
}

/** The asker's role, or why the board is not for them. */
export type Admit = (req: IncomingMessage) => { readonly role: Role } | Problem;

/**
 * Decides who may do what on the board. Bull Board has neither a login nor a guard against foreign pages, so
 * this stands in front of all of it.
 */
export function createAdmit(access: BoardAccess): Admit {
  const identify = createIdentify(access);
  return (req) => {
    const who = identify(req);
    if ("status" in who || !changes(req)) return who;
    if (who.role === "viewer") {
      return { status: 403, detail: "Viewers may look, not change: sign in as one of BOARD_OPERATORS." };
    }
    return refuseForeign(req) ?? refuseFormTypes(req) ?? who;
  };
}

function createIdentify(access: BoardAccess): Admit {
  const operators = Object.entries(access.operators);
  const accounts = [...operators, ...Object.entries(access.viewers)];
  const whichAccount = createSecretCheck(accounts.map(([name, password]) => `${name}:${password}`));
  if (accounts.length > 0) {
    return (req) => {
      const place = whichAccount(basicCredentials(req) ?? "");
      if (place < 0) return SIGN_IN;
      return { role: place < operators.length ? "operator" : "viewer" };
    };
  }
  if (!access.loopback) return () => NO_ACCOUNTS;
  // Without a login, a page of the internet could reach us under its own name by pointing that name at this machine.
  return (req) => (LOOPBACK_HOST.test(req.headers.host ?? "") ? { role: "operator" } : WRONG_HOST);
}

const LOOPBACK_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;

const SIGN_IN: Problem = {
  status: 401,
  detail: "Sign in with a name and password of BOARD_OPERATORS or BOARD_VIEWERS.",
  headers: { "www-authenticate": 'Basic realm="publish-relay", charset="UTF-8"' },
};
const NO_ACCOUNTS: Problem = {
  status: 403,
  detail:
    "The board has no login, so it is served on a loopback HOST alone: set BOARD_OPERATORS=name:password " +
    "(and BOARD_VIEWERS) to serve it here.",
};
const WRONG_HOST: Problem = {
  status: 403,
  detail:
    "Without a login the board answers to localhost, 127.0.0.1 and [::1] alone: use one of them, or set BOARD_OPERATORS=name:password.",
};

function basicCredentials(req: IncomingMessage): string | undefined {
  const encoded = /^basic +([A-Za-z0-9+/=]+)\s*$/i.exec(req.headers.authorization ?? "")?.[1];
  return encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString("utf8");
}

function changes(req: IncomingMessage): boolean {
  return req.method !== "GET" && req.method !== "HEAD";
}

/** Browsers send a signed-in operator's password along with requests of any page: only our own may change things. */
function refuseForeign(req: IncomingMessage): Problem | undefined {
  const { origin, host, "sec-fetch-site": site, "x-forwarded-host": forwarded } = req.headers;
  const ours = site === undefined || site === "same-origin" || site === "none";
  // Behind a proxy that renames the host the browser's own name comes in X-Forwarded-Host, which no foreign page can set.
  if (ours && (origin === undefined || isHost(origin, host) || isHost(origin, forwarded))) return undefined;
  return {
    status: 403,
    detail:
      "This change was asked for by another site: use the board's own page. Behind a proxy, have it pass on Host or X-Forwarded-Host.",
  };
}

function isHost(origin: string, host: string | string[] | undefined): boolean {
  const at = origin.indexOf("://");
  return typeof host === "string" && at !== -1 && origin.slice(at + 3).toLowerCase() === host.toLowerCase();
}

/** The types that a plain form can send without the browser asking first; JSON is none of them. */
function refuseFormTypes(req: IncomingMessage): Problem | undefined {
  const type = req.headers["content-type"];
  const hasBody =
    req.headers["transfer-encoding"] !== undefined || Number(req.headers["content-length"] ?? 0) > 0;
  if (type === undefined ? !hasBody : /^\s*application\/json\s*(?:;|$)/i.test(type)) return undefined;
  return { status: 415, detail: "Send changes as JSON, with Content-Type: application/json." };
}
