import type { IncomingMessage } from "node:http";
import type { Problem } from "../producers/problem.ts";
import { type Account, ANYBODY, type Person } from "./accounts.ts";
import { createBasicLogin } from "./basic-login.ts";
import { createTrustedProxies, type TrustedProxies } from "./trusted-proxies.ts";

export interface Access {
  readonly operators: readonly Account[];
  readonly viewers: readonly Account[];
  /** Whether the server listens on a loopback address alone. */
  readonly loopback: boolean;
  /** Addresses and ranges of the proxies that are believed; default: none. */
  readonly trustProxy?: readonly string[];
  /** The header in which such a proxy names whom it signed in, in small letters. */
  readonly proxyHeader?: string | undefined;
}

/** What stands in front of the pages and the board. */
export interface Guard {
  /** Who asks, or why the pages are not for them. */
  identify(req: IncomingMessage): Promise<Person | Problem>;
  /**
   * Why this request may not change anything; undefined when it may. For every request but GET and HEAD, with the
   * type of body that its route takes: pages post forms, the board sends JSON.
   */
  mayChange(req: IncomingMessage, who: Person, body: "json" | "form"): Problem | undefined;
  /** The asker's address, also for routes that sign in otherwise. */
  addressOf(req: IncomingMessage): string;
}

/** Decides who may look and who may act, on the board and on every page. */
export function createGuard(access: Access): Guard {
  const proxies = createTrustedProxies(access.trustProxy ?? []);
  const identify = createIdentify(access, proxies);
  return {
    identify,
    mayChange: (req, who, body) => {
      if (who.role === "viewer") return VIEWERS_LOOK;
      return refuseForeign(req, proxies, body) ?? refuseType(req, body);
    },
    addressOf: proxies.addressOf,
  };
}

function createIdentify(access: Access, proxies: TrustedProxies): Guard["identify"] {
  const { operators, viewers, proxyHeader } = access;
  const login = createBasicLogin(operators, viewers);
  const isKnown = [...operators, ...viewers].length > 0;
  const takesPasswords = [...operators, ...viewers].some(({ password }) => password !== undefined);
  return async (req) => {
    const from = proxies.addressOf(req);
    if (!isKnown) return withoutLogin(req, access.loopback, from);
    const passed = proxyHeader !== undefined && proxies.sent(req) ? req.headers[proxyHeader] : undefined;
    if (passed !== undefined && passed !== "") return byProxy(String(passed), access, from);
    if (!takesPasswords) return SIGN_IN_AT_PROXY;
    const who = await login(req, from);
    return "status" in who ? who : { ...who, from };
  };
}

/** Node reads headers as Latin-1; proxies write names as UTF-8. */
function byProxy(header: string, { operators, viewers }: Access, from: string): Person | Problem {
  const name = Buffer.from(header, "latin1").toString("utf8").trim();
  // Two headers come joined by a comma: one of them may be the asker's own.
  if (name === "" || name.length > 200 || /[,\p{Cc}]/u.test(name)) return NOT_ONE_NAME;
  const isAmong = (accounts: readonly Account[], wanted: string): boolean =>
    accounts.some((account) => account.name === wanted && account.password === undefined);
  if (isAmong(operators, name)) return { name, role: "operator", from };
  if (isAmong(viewers, name) || isAmong(viewers, ANYBODY)) return { name, role: "viewer", from };
  return {
    status: 403,
    detail: `${JSON.stringify(name)} signed in, and is not named here: add the name to BOARD_OPERATORS or BOARD_VIEWERS.`,
  };
}

/** Without a login, a page of the internet could reach us under its own name by pointing that name at this machine. */
function withoutLogin(req: IncomingMessage, loopback: boolean, from: string): Person | Problem {
  if (!loopback) return NO_ACCOUNTS;
  if (!LOOPBACK_HOST.test(req.headers.host ?? "")) return WRONG_HOST;
  return { name: "local", role: "operator", from };
}

const LOOPBACK_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;

const VIEWERS_LOOK: Problem = {
  status: 403,
  detail: "Viewers may look, not change: sign in as one of BOARD_OPERATORS.",
};
const SIGN_IN_AT_PROXY: Problem = {
  status: 401,
  detail:
    "Sign in at the proxy: the name comes in the header AUTH_PROXY_HEADER, from an address of TRUST_PROXY.",
};
const NOT_ONE_NAME: Problem = {
  status: 403,
  detail: "The proxy's header must hold one name: have the proxy put its own in place of whatever was sent.",
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

/** Browsers send a signed-in operator's password along with requests of any page: only our own may change things. */
function refuseForeign(
  req: IncomingMessage,
  proxies: TrustedProxies,
  body: "json" | "form",
): Problem | undefined {
  const { origin, host, "sec-fetch-site": site, "x-forwarded-host": forwarded } = req.headers;
  // A plain form needs no leave of ours to be sent, so it must say where it is from; every browser of today does.
  const told = body === "json" || origin !== undefined || site !== undefined;
  const ours = told && (site === undefined || site === "same-origin" || site === "none");
  // Behind a proxy that renames the host the browser's own name comes in X-Forwarded-Host. No foreign page can set it:
  // that takes a script, and the browser asks us first. So it is believed from anybody, unless the proxies are named.
  const renamed = !proxies.named || proxies.sent(req) ? forwarded : undefined;
  if (ours && (origin === undefined || isHost(origin, host) || isHost(origin, renamed))) return undefined;
  return {
    status: 403,
    detail:
      "This change was asked for by another site: use the relay's own page. Behind a proxy, have it pass on Host or X-Forwarded-Host " +
      "(with TRUST_PROXY set, from an address of TRUST_PROXY).",
  };
}

function isHost(origin: string, host: string | string[] | undefined): boolean {
  const at = origin.indexOf("://");
  return typeof host === "string" && at !== -1 && origin.slice(at + 3).toLowerCase() === host.toLowerCase();
}

const TYPES = {
  json: {
    pattern: /^\s*application\/json\s*(?:;|$)/i,
    words: "as JSON, with Content-Type: application/json",
  },
  form: {
    pattern: /^\s*application\/x-www-form-urlencoded\s*(?:;|$)/i,
    words: "as the page's form does, with Content-Type: application/x-www-form-urlencoded",
  },
} as const;

/** JSON is none of the types that a plain form can send without the browser asking first. */
function refuseType(req: IncomingMessage, body: "json" | "form"): Problem | undefined {
  const type = req.headers["content-type"];
  const hasBody =
    req.headers["transfer-encoding"] !== undefined || Number(req.headers["content-length"] ?? 0) > 0;
  const { pattern, words } = TYPES[body];
  if (type === undefined ? !hasBody : pattern.test(type)) return undefined;
  return { status: 415, detail: `Send changes ${words}.` };
}
