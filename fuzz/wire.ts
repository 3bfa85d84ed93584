import { sign } from "../src/producers/signatures.ts";
import type { Random } from "./random.ts";

export const SECRET = "fuzz-secret";
export const PATH = "/webhooks/designer-cloud";

/** A header line: name and value as they are written. */
export type Header = readonly [name: string, value: string];

/** The header of a right signature over these bytes. */
export function signed(body: Buffer, secret = SECRET, timeMs = Date.now()): Header {
  return [
    "x-webhook-signature",
    sign("designer-cloud", secret, body, { timeMs })["x-webhook-signature"] ?? "",
  ];
}

export interface Frame {
  readonly method?: string;
  readonly path?: string;
  readonly version?: string;
  readonly headers: readonly Header[];
  readonly body: Buffer;
  readonly chunked?: boolean;
}

/** A whole request; latin1, so that a header can hold any byte. */
export function frame(
  { method = "POST", path = PATH, version = "HTTP/1.1", headers, body, chunked = false }: Frame,
  random: Random,
): Buffer {
  const length: Header = chunked
    ? ["transfer-encoding", random.pick(["chunked", "Chunked"])]
    : ["content-length", String(body.length)];
  const head = headText(`${method} ${path} ${version}`, [
    ["host", "relay"],
    ["connection", "close"],
    ...headers,
    length,
  ]);
  return Buffer.concat([head, chunked ? chunkedBody(body, random) : body]);
}

export function headText(line: string, headers: readonly Header[]): Buffer {
  return Buffer.from(
    `${line}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
    "latin1",
  );
}

/** In pieces of any size, with extensions and trailers now and then. */
export function chunkedBody(body: Buffer, random: Random): Buffer {
  const parts: Buffer[] = [];
  const largest = random.pick([1, 7, 100, 5_000]);
  for (let at = 0; at < body.length; ) {
    const size = Math.min(
      random.between(Math.ceil(largest / 2), largest) * Math.ceil(body.length / 20_000),
      body.length - at,
    );
    // All of them together may have 16 KB.
    const extension = parts.length < 300 && random.chance(0.1) ? `;${random.word(3)}=${random.word(5)}` : "";
    const digits = random.chance(0.5) ? size.toString(16).toUpperCase() : size.toString(16);
    parts.push(Buffer.from(`${digits}${extension}\r\n`), body.subarray(at, at + size), Buffer.from("\r\n"));
    at += size;
  }
  const trailer = random.chance(0.1) ? "x-webhook-signature: t=1,sha256=00\r\n" : "";
  return Buffer.concat([...parts, Buffer.from(`0\r\n${trailer}\r\n`)]);
}

/** Cuts a request into pieces that are written apart. */
export function cut(request: Buffer, random: Random): Buffer[] {
  if (random.chance(0.6)) return [request];
  const pieces: Buffer[] = [];
  const count = random.between(2, 8);
  const size = Math.ceil(request.length / count);
  for (let at = 0; at < request.length; at += size) pieces.push(request.subarray(at, at + size));
  return pieces;
}
