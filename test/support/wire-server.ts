import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { releaseLater } from "./release.ts";

/** Bytes on a socket, so that a test decides what goes over the wire, and when. */
export interface WireServer {
  readonly port: number;
  readonly url: string;
  /** Every request that arrived as a whole, as it was written. */
  readonly requests: readonly string[];
  /** Connections that were made. */
  readonly connections: () => number;
}

/** What the server does with a request; `n` counts from 1. */
export type Reply = (socket: Socket, request: string, n: number) => void;

/** Starts a server on a free port; it is closed at the end of the test. */
export async function startWireServer(
  reply: Reply,
  onConnection: (socket: Socket) => void = () => {},
): Promise<WireServer> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const bodyAt = text.indexOf("\r\n\r\n") + 4;
      if (bodyAt < 4) return;
      const length = Number(/content-length: (\d+)/i.exec(text.slice(0, bodyAt))?.[1] ?? 0);
      if (text.length < bodyAt + length) return;
      const request = text.slice(0, bodyAt + length);
      text = text.slice(bodyAt + length);
      requests.push(request);
      reply(socket, request, requests.length);
    });
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  releaseLater(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}`, requests, connections: () => connections };
}

/** A whole answer, with a request id as the platform's have one; `STRANGER` leaves it out. */
export function httpAnswer(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): string {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const lines = Object.entries({
    "content-length": String(Buffer.byteLength(text)),
    "x-trifacta-request-id": "request-7",
    ...headers,
  })
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} x\r\n${lines.join("")}\r\n${text}`;
}

/** Headers of an answer that is not the platform's. */
export const STRANGER = { "x-trifacta-request-id": "" };

/** A port on which nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
