import { connect, type Socket } from "node:net";
import { sign } from "../src/producers/signatures.ts";
import { SECRET } from "./site.ts";

/** Signed webhooks of job groups `from` to `from + count`, ready to be written to a socket. */
export function webhooks(from: number, count: number): Buffer[] {
  return Array.from({ length: count }, (_, i) => {
    const body = JSON.stringify({ jobId: String(from + i), jobStatus: "Complete", env: "prod" });
    const [[name, value] = ["", ""]] = Object.entries(sign("designer-cloud", SECRET, body));
    return Buffer.from(
      `POST /webhooks/designer-cloud HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n` +
        `${name}: ${value}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  });
}

/** A connection that sends one request at a time, and resolves with the time its answer took. */
export interface Caller {
  call(request: Buffer): Promise<number>;
  close(): void;
}

export async function openCaller(port: number): Promise<Caller> {
  const socket = await connected(port);
  let answered: ((status: string) => void) | undefined;
  let text = "";
  socket.setNoDelay(true).on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    const head = text.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = /content-length: (\d+)/i.exec(text)?.[1] ?? "0";
    if (text.length < head + 4 + Number(length)) return;
    const status = text.slice(9, 12);
    text = "";
    answered?.(status);
  });
  return {
    call: (request) =>
      new Promise((resolve, reject) => {
        const sentAt = performance.now();
        answered = (status) => {
          if (status === "202") resolve(performance.now() - sentAt);
          else reject(new Error(`A webhook was answered ${status} in place of 202`));
        };
        socket.write(request);
      }),
    close: () => socket.destroy(),
  };
}

function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket));
    socket.once("error", reject);
  });
}
