import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Problem } from "../producers/problem.ts";
import type { Account, Role } from "./accounts.ts";
import { createLoginThrottle, type LoginThrottle, networkOf } from "./login-throttle.ts";
import { fitsHash, readPasswordHash, unknownHash } from "./password-hash.ts";
import { createRankedLine, type RankedLine } from "./ranked-line.ts";

/** Signs in by HTTP Basic: the account, or why not. */
export type BasicLogin = (req: IncomingMessage, from: string) => Promise<SignedIn | Problem>;

interface SignedIn {
  readonly name: string;
  readonly role: Role;
}

interface Known extends SignedIn {
  readonly password: string;
}

/** Threads for passwords: libuv has 4, and files and name look-ups need some. */
const AT_ONCE = 2;
const PLACES = 100;
const PROVED_KEPT = 2_000;

/**
 * A password that is a hash costs 50 ms once: later requests are known by a keyed digest, held in memory alone.
 * Credentials that were right from an address go on working there while somebody else tries passwords from it.
 */
export function createBasicLogin(
  operators: readonly Account[],
  viewers: readonly Account[],
  throttle: LoginThrottle = createLoginThrottle(),
): BasicLogin {
  const accounts = [...withPassword(operators, "operator"), ...withPassword(viewers, "viewer")];
  const line = createRankedLine(AT_ONCE, PLACES);
  const key = randomBytes(32);
  const digest = (text: string): Buffer => createHmac("sha256", key).update(text).digest();
  const right = new Map<string, SignedIn>();
  // The same, by address; what was used least lately goes first.
  const proved = new Set<string>();
  const underWay = new Map<string, Promise<SignedIn | Problem>>();
  const verify = createVerify(accounts, line, digest);

  async function check(given: Given, id: string, from: string, place: string): Promise<SignedIn | Problem> {
    const name = accounts.some((account) => account.name === given.name) ? given.name : "";
    // Whoever failed least goes first: an attack holds up itself.
    const rank = throttle.failuresFrom(from);
    const waitMs = throttle.begin(from, name);
    if (waitMs > 0) return tooMany(waitMs);
    const found = right.get(id) ?? (await verify(given, rank));
    if (found === "pushed out") {
      throttle.undo(from, name);
      return BUSY;
    }
    if (found === undefined) return SIGN_IN;
    throttle.succeeded(from, name);
    right.set(id, found);
    proved.add(place);
    for (const oldest of proved) {
      if (proved.size <= PROVED_KEPT) break;
      proved.delete(oldest);
    }
    return found;
  }

  return async (req, from) => {
    const given = credentialsOf(req);
    if (given === undefined || accounts.length === 0) return SIGN_IN;
    const id = digest(`${given.name}:${given.password}`).toString("base64");
    const place = `${id} ${networkOf(from)}`;
    const known = right.get(id);
    if (known !== undefined && proved.has(place)) {
      proved.delete(place);
      proved.add(place);
      return known;
    }
    // A page asks for many things at once with one password: that is one try.
    const same = underWay.get(place);
    if (same !== undefined) return same;
    const checked = check(given, id, from, place).finally(() => underWay.delete(place));
    underWay.set(place, checked);
    return checked;
  };
}

interface Given {
  readonly name: string;
  readonly password: string;
}

function createVerify(accounts: readonly Known[], line: RankedLine, digest: (text: string) => Buffer) {
  const known = accounts.map(({ name, role, password }) => {
    const hash = readPasswordHash(password);
    return { who: { name, role }, hash, plain: hash ? undefined : digest(password) };
  });
  const nobody = known.some(({ hash }) => hash !== undefined) ? unknownHash() : undefined;

  return async (given: Given, rank: number): Promise<SignedIn | "pushed out" | undefined> => {
    const mine = digest(given.password);
    let found: SignedIn | undefined;
    let derived = false;
    for (const { who, hash, plain } of known) {
      if (who.name !== given.name || found !== undefined) continue;
      if (plain !== undefined && timingSafeEqual(plain, mine)) found = who;
      if (hash === undefined) continue;
      derived = true;
      const fits = await line(rank, () => fitsHash(given.password, hash));
      if (fits === undefined) return "pushed out";
      if (fits) found = who;
    }
    // A name that is not known takes as long as one that is.
    if (!derived && found === undefined && nobody !== undefined) {
      if ((await line(rank, () => fitsHash(given.password, nobody))) === undefined) return "pushed out";
    }
    return found;
  };
}

function withPassword(accounts: readonly Account[], role: Role): Known[] {
  return accounts.flatMap(({ name, password }) => (password === undefined ? [] : [{ name, role, password }]));
}

function credentialsOf(req: IncomingMessage): Given | undefined {
  const encoded = /^basic +([A-Za-z0-9+/=]+)\s*$/i.exec(req.headers.authorization ?? "")?.[1];
  if (encoded === undefined) return undefined;
  const [, name = "", password = ""] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, "base64").toString("utf8")) ?? [];
  return { name, password };
}

const SIGN_IN: Problem = {
  status: 401,
  detail: "Sign in with a name and password of BOARD_OPERATORS or BOARD_VIEWERS.",
  headers: { "www-authenticate": 'Basic realm="publish-relay", charset="UTF-8"' },
};

const BUSY: Problem = {
  status: 429,
  detail: "Too many passwords are being looked at just now, and yours was not: try again in 1 s.",
  headers: { "retry-after": "1" },
};

function tooMany(waitMs: number): Problem {
  const seconds = Math.ceil(waitMs / 1_000);
  return {
    status: 429,
    detail: `Too many wrong passwords from here: try again in ${seconds} s. Until then none is looked at.`,
    headers: { "retry-after": String(seconds) },
  };
}
