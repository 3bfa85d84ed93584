import { Writable } from "node:stream";
import { type Logger, pino } from "pino";

export type LogLine = Readonly<Record<string, unknown>>;

/** A log of level debug, and its lines so far. */
export function createKeptLog(): { readonly log: Logger; readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(JSON.parse(chunk.toString()) as LogLine);
      done();
    },
  });
  return { log: pino({ level: "debug" }, stream), lines };
}
