import { isIPv6 } from "node:net";

/** Slows down whoever tries passwords. */
export interface LoginThrottle {
  /**
   * Milliseconds until this asker may try a password for the name; 0: now, and it counts as a failure until
   * `succeeded` says otherwise. `name` is empty for one that is not known.
   */
  begin(from: string, name: string): number;
  succeeded(from: string, name: string): void;
  /** The password was not looked at after all: as if it had not begun. */
  undo(from: string, name: string): void;
  /** How often the address failed, as far as that is remembered. */
  failuresFrom(from: string): number;
}

/** Failures without a wait: for one name from one address, and for one address in all. */
const FREE = { name: 5, underAttack: 1, address: 20 } as const;
/** So many failures for a name, from wherever they come, leave each address one try. */
const ATTACK = 50;
const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 30_000;
/** So long after its last failure an entry is forgotten. */
const FORGET_MS = 10 * 60_000;
const MAX_ENTRIES = 10_000;

interface Failures {
  count: number;
  lastMs: number;
  untilMs: number;
}

/**
 * Counts failed sign-ins by address and name. Whoever failed too often waits 1 s, then twice as long each time, up to
 * 30 s. A name is never shut for everybody: from an address that did not fail, one try is always free.
 *
 * Holds at most 10,000 entries; those that were used least lately go first.
 */
export function createLoginThrottle(now: () => number = Date.now): LoginThrottle {
  const entries = new Map<string, Failures>();

  const look = (key: string): Failures | undefined => {
    const found = entries.get(key);
    return found && now() - found.lastMs <= FORGET_MS ? found : undefined;
  };
  const count = (key: string, free: number): void => {
    const before = look(key)?.count ?? 0;
    const entry = { count: before + 1, lastMs: now(), untilMs: 0 };
    const over = entry.count - free;
    if (over >= 0) entry.untilMs = now() + Math.min(FIRST_WAIT_MS * 2 ** Math.min(over, 20), MAX_WAIT_MS);
    entries.delete(key);
    entries.set(key, entry);
    for (const oldest of entries.keys()) {
      if (entries.size <= MAX_ENTRIES) break;
      entries.delete(oldest);
    }
  };
  const takeBack = (key: string): void => {
    const entry = look(key);
    if (entry === undefined) return;
    entry.count--;
    entry.untilMs = 0;
  };

  return {
    begin: (from, name) => {
      const keys = keysOf(from, name);
      const until = Math.max(look(keys.pair)?.untilMs ?? 0, look(keys.address)?.untilMs ?? 0);
      const waitMs = until - now();
      if (waitMs > 0) return waitMs;
      const attacked = (look(keys.name)?.count ?? 0) >= ATTACK;
      count(keys.pair, attacked ? FREE.underAttack : FREE.name);
      count(keys.address, FREE.address);
      if (name !== "") count(keys.name, Number.POSITIVE_INFINITY);
      return 0;
    },
    succeeded: (from, name) => {
      const keys = keysOf(from, name);
      entries.delete(keys.pair);
      takeBack(keys.address);
      takeBack(keys.name);
    },
    undo: (from, name) => {
      for (const key of Object.values(keysOf(from, name))) takeBack(key);
    },
    failuresFrom: (from) => look(keysOf(from, "").address)?.count ?? 0,
  };
}

function keysOf(from: string, name: string) {
  const address = networkOf(from);
  return { pair: `pair ${address} ${name}`, address: `address ${address}`, name: `name ${name}` };
}

/** Whoever has one IPv6 address has 2^64 of them. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = "", tail] = address.split("%")[0]?.split("::") ?? [];
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array.from({ length: zeros }, () => "0"), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}
