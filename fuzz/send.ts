import { connect } from "node:net";
import type { Hostile } from "./hostile.ts";

/** What came back, in the order it came. */
export interface Answers {
  readonly statuses: readonly number[];
  /** Not everything that came is HTTP. */
  readonly garbage: boolean;
  readonly timedOut: boolean;
}

const ANSWER_MS = 12_000;
/** A connection that stays open after an answer: what is still to come has so long. */
const QUIET_MS = 40;
/** Somebody who goes away leaves the server this much time to look at what came. */
const LINGER_MS = 20;

/** Writes the pieces one after the other, and reads answers until the connection ends or nothing more comes. */
export function send(port: number, { chunks, abandoned = false }: Hostile): Promise<Answers> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const got: Buffer[] = [];
    let quiet: NodeJS.Timeout | undefined;
    const end = (timedOut: boolean): void => {
      clearTimeout(deadline);
      clearTimeout(quiet);
      socket.destroy();
      resolve({ ...readAnswers(Buffer.concat(got)), timedOut });
    };
    const deadline = setTimeout(() => end(true), ANSWER_MS);
    socket.on("data", (chunk: Buffer) => {
      got.push(chunk);
      clearTimeout(quiet);
      // "100 Continue" alone is no answer.
      if (readAnswers(Buffer.concat(got)).statuses.length > 0) quiet = setTimeout(() => end(false), QUIET_MS);
    });
    // A server that refuses early resets what is still being sent.
    socket.on("error", () => end(false));
    socket.on("close", () => end(false));
    const writeNext = (at: number): void => {
      const chunk = chunks[at];
      if (socket.destroyed) return;
      if (chunk === undefined) {
        if (abandoned) quiet ??= setTimeout(() => end(false), LINGER_MS);
        return;
      }
      socket.write(chunk, () => setImmediate(writeNext, at + 1));
    };
    socket.on("connect", () => writeNext(0));
  });
}

function readAnswers(bytes: Buffer): { statuses: number[]; garbage: boolean } {
  const statuses: number[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const headEnd = rest.indexOf("\r\n\r\n");
    const head = rest.subarray(0, headEnd).toString("latin1");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
    if (headEnd === -1 || Number.isNaN(status)) return { statuses, garbage: true };
    const length = status < 200 ? 0 : Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
    if (status >= 200) statuses.push(status);
    rest = rest.subarray(headEnd + 4 + length);
  }
  return { statuses, garbage: false };
}
