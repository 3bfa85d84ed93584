import { isUtf8 } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import { sendProblem, type Problem } from "./problem.ts";

/** How large a report may be, in bytes. */
export const MAX_BODY_BYTES = 65_536;

/** How long the rest of a refused body is taken and thrown away, so that the sender can read why. */
const DRAIN_MS = 2_000;

/**
 * Reads a request's raw body: the signature is over its bytes. Calls `done` once.
 *
 * `too-large` comes as soon as the limit is known to be passed (by Content-Length before a byte is read), `aborted`
 * when the sender went away. A callback, as a promise a request shows in the webhook's throughput.
 */
export function readBody(
  req: IncomingMessage,
  maxBytes: number,
  done: (body: Buffer | "too-large" | "aborted") => void,
): void {
  const announced = req.headers["content-length"];
  if (announced !== undefined && Number(announced) > maxBytes) return done("too-large");
  let chunks: Buffer[] = [];
  let size = 0;
  let ended = false;
  const end = (body: Buffer | "too-large" | "aborted") => {
    if (ended) return;
    ended = true;
    chunks = [];
    done(body);
  };
  req.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > maxBytes) end("too-large");
    else if (!ended) chunks.push(chunk);
  });
  req.on("end", () => {
    const [only] = chunks;
    end(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, size));
  });
  // Comes after "end", or instead of it. Node emits no "error" for an abort that nobody listens for.
  req.on("close", () => end("aborted"));
}

/** Why the body's type cannot be taken; a missing type is read as JSON, as some senders set none. */
export function refuseType(req: IncomingMessage): Problem | undefined {
  const encoding = req.headers["content-encoding"];
  if (encoding !== undefined && encoding.trim().toLowerCase() !== "identity") {
    return { status: 415, detail: "Send the body uncompressed, without Content-Encoding." };
  }
  const type = req.headers["content-type"];
  if (type === undefined || type === "application/json") return undefined;
  if (!JSON_TYPE.test(type)) return { status: 415, detail: "Send JSON with Content-Type: application/json." };
  const foreign = Array.from(type.matchAll(CHARSET), ([, charset = ""]) => charset).find(
    (charset) => !/^utf-?8$/i.test(charset),
  );
  if (foreign === undefined) return undefined;
  return {
    status: 415,
    detail: `Send JSON in UTF-8, not in the charset ${JSON.stringify(foreign.slice(0, 40))}: Content-Type: application/json; charset=utf-8.`,
  };
}

const JSON_TYPE = /^\s*application\/(?:[\w.!#$&^-]+\+)?json\s*(?:;|$)/i;
const CHARSET = /;\s*charset\s*=\s*"?([^";]*?)\s*(?="|;|$)/gi;

/** Answers 413 and gives up on the rest of the body after a while; `detail` says what to send in its place. */
export function sendTooLarge(
  req: IncomingMessage,
  res: ServerResponse,
  maxBytes: number,
  detail = `The body is larger than ${maxBytes} bytes: send only the job's id, its status and the labels that rules look at.`,
): void {
  sendProblem(res, { status: 413, detail });
  // Cut at once, many senders would see a reset instead of the answer. Node reads on and discards until this ends it.
  const cut = setTimeout(() => {
    if (!req.complete) req.destroy();
  }, DRAIN_MS);
  cut.unref();
  req.once("close", () => clearTimeout(cut));
}

const NO_REPORT = 'The body is empty: send JSON like {"jobId":"$jobId","jobStatus":"$jobStatus"}.';

/**
 * Parses JSON text; the parser's own words name the place of the mistake. `empty` says what is wrong with a body that is
 * empty; default: as a report.
 */
export function parseJson(body: Buffer, empty = NO_REPORT): { readonly value: unknown } | Problem {
  if (body.length === 0) return { status: 400, detail: empty };
  // Read as it is, every wrong byte would become the same replacement character: another label than was signed.
  if (!isUtf8(body)) return { status: 400, detail: "The body is not UTF-8: send JSON in UTF-8." };
  try {
    return { value: JSON.parse(body.toString("utf8")) as unknown };
  } catch (error) {
    const why = error instanceof Error ? error.message : "it does not parse";
    return { status: 400, detail: `The body is not JSON: ${why}` };
  }
}
