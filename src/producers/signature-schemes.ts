import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { createSecretCheck } from "./secrets.ts";

/** How a webhook shows that it comes from whom it should. */
export type SignatureScheme = "designer-cloud" | "standard-webhooks" | "github" | "header" | "none";

/** `undefined` lets the request in; a string refuses it, in words for its sender that hold no secret. */
export type Verify = (headers: IncomingHttpHeaders, rawBody: Buffer) => string | undefined;

/** How far a signature's time may be from ours, before and after. */
const TOLERANCE_MS = 5 * 60_000;

/** Below it a time is in seconds (until the year 5138), above in milliseconds (since 1973). */
const SECONDS_BELOW = 100_000_000_000;

/** `t=<time>,sha256=<hex>` over `<time>.<raw body>`. */
export function verifyDesignerCloud(header: string, keys: readonly KeyObject[], now: () => number): Verify {
  return (headers, rawBody) => {
    const value = single(headers[header]);
    if (value === undefined)
      return missing(header, "set the secret in the webhook task so that it signs its requests");
    let time = "";
    const macs: Buffer[] = [];
    for (const part of value.split(",")) {
      const at = part.indexOf("=");
      const name = part.slice(0, at).trim();
      if (name === "t") time = part.slice(at + 1).trim();
      else if (name === "sha256") macs.push(Buffer.from(part.slice(at + 1).trim(), "hex"));
    }
    if (!TIME.test(time) || macs.length === 0) return `The header ${header} must read t=<time>,sha256=<hex>.`;
    if (!matches(keys, `${time}.`, rawBody, macs)) return MISMATCH;
    return refuseStale(Number(time), now());
  };
}

/** The scheme of standardwebhooks.com: `v1,<base64>` over `<id>.<seconds>.<raw body>`, several in a row. */
export function verifyStandardWebhooks(
  header: string,
  keys: readonly KeyObject[],
  now: () => number,
): Verify {
  return (headers, rawBody) => {
    const value = single(headers[header]);
    const id = single(headers["webhook-id"]);
    const time = single(headers["webhook-timestamp"]);
    if (value === undefined) return missing(header, "sign the request");
    if (id === undefined) return missing("webhook-id", "it is part of what is signed");
    if (time === undefined || !TIME.test(time))
      return "The header webhook-timestamp must hold the time in seconds.";
    const macs = value
      .split(" ")
      .filter((part) => part.startsWith("v1,"))
      .map((part) => Buffer.from(part.slice(3), "base64"));
    if (macs.length === 0) return `The header ${header} must read v1,<base64>.`;
    if (!matches(keys, `${id}.${time}.`, rawBody, macs)) return MISMATCH;
    return refuseStale(Number(time), now());
  };
}

/** `sha256=<hex>` over the raw body. It carries no time, so it cannot tell a replay. */
export function verifyGithub(header: string, keys: readonly KeyObject[]): Verify {
  return (headers, rawBody) => {
    const value = single(headers[header]);
    if (value === undefined) return missing(header, "sign the request");
    if (!value.startsWith("sha256=")) return `The header ${header} must read sha256=<hex>.`;
    return matches(keys, "", rawBody, [Buffer.from(value.slice(7), "hex")]) ? undefined : MISMATCH;
  };
}

/** The secret itself, in a header that the sender's user has set. */
export function verifyHeader(header: string, secrets: readonly string[]): Verify {
  const check = createSecretCheck(secrets);
  return (headers) => {
    const value = single(headers[header]);
    if (value === undefined)
      return missing(header, "add it to the webhook task's headers, with the shared secret");
    if (check(value) >= 0) return undefined;
    return `The header ${header} does not hold a secret that this relay knows: it must be one of WEBHOOK_SECRETS.`;
  };
}

const TIME = /^\d{1,15}$/;

const MISMATCH =
  "The signature does not match: the secret must be one of WEBHOOK_SECRETS, and the body must arrive byte for byte as it was signed.";

function matches(
  keys: readonly KeyObject[],
  prefix: string,
  rawBody: Buffer,
  macs: readonly Buffer[],
): boolean {
  for (const key of keys) {
    const expected = hmac(key, prefix, rawBody);
    for (const mac of macs) {
      if (mac.length === expected.length && timingSafeEqual(mac, expected)) return true;
    }
  }
  return false;
}

/** Asked only once the signature is known to be good: a stranger learns nothing of our clock. */
function refuseStale(time: number, nowMs: number): string | undefined {
  const aheadMs = (time < SECONDS_BELOW ? time * 1_000 : time) - nowMs;
  if (Math.abs(aheadMs) <= TOLERANCE_MS) return undefined;
  const seconds = Math.round(Math.abs(aheadMs) / 1_000);
  return (
    `The signature's time is ${seconds} s ${aheadMs < 0 ? "behind" : "ahead of"} this relay's clock, ` +
    `${TOLERANCE_MS / 1_000} s are allowed: sign each delivery anew, and check the clocks of both sides.`
  );
}

/** Shorter, and it was hardly meant as base64: 24 bytes are usual. */
const MIN_KEY_BYTES = 8;

/** Standard Webhooks hands secrets out in base64, marked by a prefix; the others use the text's bytes. */
export function keyOf(scheme: SignatureScheme, secret: string): KeyObject {
  if (scheme !== "standard-webhooks") return createSecretKey(Buffer.from(secret));
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  if (key.length < MIN_KEY_BYTES) {
    throw new Error(
      `A secret of the standard-webhooks scheme must be base64 of at least ${MIN_KEY_BYTES} bytes, with or without whsec_ in front.`,
    );
  }
  return createSecretKey(key);
}

export function hmac(key: KeyObject, prefix: string, body: string | Buffer): Buffer {
  return createHmac("sha256", key).update(prefix).update(body).digest();
}

function missing(header: string, what: string): string {
  return `The header ${header} is missing: ${what}.`;
}

function single(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
