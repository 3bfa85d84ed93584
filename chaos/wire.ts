import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** One connection of a relay process, on its way through a wire. */
export interface Link {
  /** Set by a tap that lets no more answers through. */
  held: boolean;
  /** The last HTTP request that went out, `PUT /v4/...`. */
  request: string;
}

/** Looks at what passes; false: it goes no further. */
export interface Tap {
  out(bytes: Buffer, link: Link): boolean;
  back(bytes: Buffer, link: Link): boolean;
}

/** A way of one relay process to a server: its bytes pass unchanged, and can be seen, held back and cut off. */
export interface Wire {
  readonly port: number;
  /** Closes every connection at once; what was under way is lost. New ones are taken. */
  cut(): void;
  close(): Promise<void>;
}

export async function openWire(serverPort: number, tap: Tap): Promise<Wire> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.once("close", () => sockets.delete(socket));
    return socket;
  };

  const server = createServer((relay) => {
    keep(relay);
    const upstream = keep(connect(serverPort, "127.0.0.1"));
    const link: Link = { held: false, request: "" };
    relay.on("data", (bytes: Buffer) => void (tap.out(bytes, link) && upstream.write(bytes)));
    upstream.on("data", (bytes: Buffer) => {
      if (!link.held && tap.back(bytes, link)) relay.write(bytes);
    });
    relay.on("error", () => upstream.destroy());
    upstream.on("error", () => relay.resetAndDestroy());
    relay.on("close", () => upstream.destroy());
    upstream.on("close", () => relay.end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    close: async () => {
      server.close();
      cut();
      await once(server, "close");
    },
  };
}
