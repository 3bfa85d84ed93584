import type { IncomingMessage } from "node:http";
import type { Problem } from "../producers/problem.ts";
import { runKey } from "./run-schema.ts";

/** The key of a call, from its header or its body; undefined for none. A problem when they differ, or it is no key. */
export function keyOf(
  { headersDistinct }: IncomingMessage,
  inBody: string | undefined,
): string | Problem | undefined {
  const inHeader = readKeyHeader(headersDistinct["idempotency-key"]);
  if (typeof inHeader === "object") return inHeader;
  if (inHeader !== undefined && inBody !== undefined && inBody !== inHeader) {
    return {
      status: 400,
      detail: "idempotencyKey and the header Idempotency-Key differ: send one of them.",
    };
  }
  return inHeader ?? inBody;
}

/**
 * The key of the header: a string in quotes, as draft-ietf-httpapi-idempotency-key-header has it, or bare, as most
 * send it; both are the same key.
 */
function readKeyHeader(values: readonly string[] | undefined): string | Problem | undefined {
  if (values === undefined) return undefined;
  const [text = "", ...more] = values;
  if (more.length > 0)
    return { status: 400, detail: "The header Idempotency-Key stands there more than once: send one key." };
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(text)?.[1];
  const parsed = runKey.safeParse(quoted?.replaceAll(/\\(.)/g, "$1") ?? text);
  if (parsed.success && (quoted !== undefined || !text.startsWith('"'))) return parsed.data;
  const detail =
    "The header Idempotency-Key must have 1 to 200 characters of ASCII, bare or as a string in quotes.";
  return { status: 400, detail };
}
