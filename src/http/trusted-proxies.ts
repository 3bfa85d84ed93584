import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";

/** The proxies whose headers are believed. */
export interface TrustedProxies {
  /** Were any named? */
  readonly named: boolean;
  /** Does the request come straight from one of them? */
  sent(req: IncomingMessage): boolean;
  /** The asker's address: the connection's, or what the proxies in front say of it in X-Forwarded-For. */
  addressOf(req: IncomingMessage): string;
}

/** Wider ranges are no proxies of anybody's: they take in strangers. */
const WIDEST = { ipv4: 8, mapped: 96 + 8, private: 8, ipv6: 16 } as const;

/** An address, or a range like 10.0.0.0/8; undefined when it is none, or wider than /8 (IPv6: /16, or fd00::/8). */
export function readRange(text: string): { address: string; bits: number; family: Family } | undefined {
  const [, address = "", bits] = /^([^/]+?)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0 || address.includes("%")) return undefined;
  const family = version === 4 ? "ipv4" : "ipv6";
  const most = version === 4 ? 32 : 128;
  const wide = bits === undefined ? most : Number(bits);
  const widest = WIDEST[kindOf(address, wide)];
  return wide < widest || wide > most ? undefined : { address, bits: wide, family };
}

/** `mapped`: of `::ffff:0:0/96`, which is all of IPv4 in IPv6's clothes, or a range that takes that in. */
function kindOf(address: string, bits: number): keyof typeof WIDEST {
  if (isIP(address) === 4) return "ipv4";
  const range = new BlockList();
  range.addSubnet(address, Math.min(bits, 96), "ipv6");
  if (range.check("::ffff:0:0", "ipv6")) return "mapped";
  return /^f[cd][0-9a-f]{2}:/i.test(address) ? "private" : "ipv6";
}

type Family = "ipv4" | "ipv6";

/** `ranges` are those that `readRange` can read; the others are passed over. */
export function createTrustedProxies(ranges: readonly string[]): TrustedProxies {
  const list = new BlockList();
  for (const range of ranges.map(readRange)) {
    if (range) list.addSubnet(range.address, range.bits, range.family);
  }
  const trusts = (address: string): boolean =>
    isIP(address) === 4
      ? list.check(address, "ipv4") || list.check(`::ffff:${address}`, "ipv6")
      : isIP(address) === 6 && list.check(address, "ipv6");
  const sent = (req: IncomingMessage): boolean => trusts(connectionOf(req));

  return {
    named: ranges.length > 0,
    sent,
    addressOf: (req) => {
      let address = connectionOf(req);
      // From the right: each proxy adds whom it heard, and the asker may have begun the list with anything.
      const heard = String(req.headers["x-forwarded-for"] ?? "").split(",");
      while (trusts(address)) {
        const before = readAddress(heard.pop() ?? "");
        if (before === undefined) break;
        address = before;
      }
      return address;
    },
  };
}

function connectionOf(req: IncomingMessage): string {
  return readAddress(req.socket?.remoteAddress ?? "") ?? "unknown";
}

/** Some proxies write a port behind the address; an IPv4 address may come in IPv6's clothes. */
function readAddress(text: string): string | undefined {
  const given = text.trim();
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(given)?.[1] ?? /^([\d.]+):\d+$/.exec(given)?.[1] ?? given;
  const address = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1] ?? bare;
  return isIP(address) === 0 ? undefined : address;
}
