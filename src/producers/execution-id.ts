import { createHash, randomUUID } from "node:crypto";

/** A key for whoever gives none; it names the run in the answer, so that asking again is safe. */
export const newRunKey = (): string => randomUUID();

/**
 * What the platform is to know a run by: the same for the same key, and another one for each namespace, since two relays
 * may meet on one tenant. In the form of a UUID (version 8: made of a hash), as no other form is known to be taken.
 */
export function executionIdOf(namespace: string, key: string): string {
  const hex = createHash("sha256").update(`${namespace}\n${key}`).digest("hex");
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}
