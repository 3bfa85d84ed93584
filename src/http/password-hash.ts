import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";

/** A password as `publish-relay hash-password` writes it down. */
export interface PasswordHash {
  /** The cost, as a power of two. */
  readonly logN: number;
  readonly blockSize: number;
  readonly parallel: number;
  readonly salt: Buffer;
  readonly key: Buffer;
}

/** What a hash begins with. */
export const HASH_MARK = "scrypt.";
const COST = { logN: 15, blockSize: 8, parallel: 1 } as const;
const SALT_BYTES = 16;
const KEY_BYTES = 32;
/** 2^17 x 8 takes 128 MiB and half a second: nobody is to be kept out by a hash that costs more. */
const LOG_N = { least: 14, most: 17 } as const;

/**
 * Hashes a password with scrypt: `scrypt.15.8.1.<salt>.<key>`, base64url.
 *
 * It has no comma and no colon, which separate the settings, and no `$`, which shells and Compose replace.
 */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const key = await derive(password, { ...COST, salt }, KEY_BYTES);
  const { logN, blockSize, parallel } = COST;
  return `${HASH_MARK}${logN}.${blockSize}.${parallel}.${salt.toString("base64url")}.${key.toString("base64url")}`;
}

/** Reads a hash; undefined when it is none, is cut off, or costs too little or too much. */
export function readPasswordHash(text: string): PasswordHash | undefined {
  const [, logN, salt = "", key = ""] =
    /^scrypt\.(\d\d)\.8\.1\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/.exec(text) ?? [];
  const cost = Number(logN);
  if (!(cost >= LOG_N.least && cost <= LOG_N.most)) return undefined;
  return {
    logN: cost,
    blockSize: COST.blockSize,
    parallel: COST.parallel,
    salt: Buffer.from(salt, "base64url"),
    key: Buffer.from(key, "base64url"),
  };
}

/** Is it the password? Takes some 50 ms of a thread, and compares in a time that tells nothing. */
export async function fitsHash(password: string, hash: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derive(password, hash, hash.key.length), hash.key);
}

/** A hash that no password fits, to spend as long on a name that is not known. */
export function unknownHash(): PasswordHash {
  return { ...COST, salt: randomBytes(SALT_BYTES), key: randomBytes(KEY_BYTES) };
}

function derive(password: string, cost: Omit<PasswordHash, "key">, bytes: number): Promise<Buffer> {
  const N = 2 ** cost.logN;
  const maxmem = 256 * N * cost.blockSize;
  return new Promise((resolve, reject) => {
    const options = { N, r: cost.blockSize, p: cost.parallel, maxmem };
    scrypt(password, cost.salt, bytes, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}
