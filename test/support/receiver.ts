import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { eventually } from "./eventually.ts";
import { releaseLater } from "./release.ts";

export const NOTIFY_SECRET = `whsec_${Buffer.from("twenty-four bytes or more").toString("base64")}`;

/** A notification as it arrived, its signature found good. */
export interface Received {
  readonly id: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly type: string;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>> & { readonly text: string };
}

export interface Receiver {
  readonly url: string;
  readonly host: string;
  /** Every request, also those that were answered with an error. */
  readonly requests: readonly Received[];
  /** What it answers from now on; 204 at first. `hang`: nothing. */
  answer(status: number | "hang", headers?: Readonly<Record<string, string>>): void;
  /** Resolves with the first of this type that came, or comes. */
  next(type: string, timeoutMs?: number): Promise<Received>;
}

/** A receiver of notifications on a free port; it is closed at the end of the test. */
export async function startReceiver(secret = NOTIFY_SECRET, path = "/hook"): Promise<Receiver> {
  const requests: Received[] = [];
  let status: number | "hang" = 204;
  let headers: Readonly<Record<string, string>> = {};
  const server = createServer((req, res) => {
    let text = "";
    req.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    req.on("end", () => {
      const body = new Webhook(secret).verify(text, req.headers as Record<string, string>) as Received;
      const id = String(req.headers["webhook-id"]);
      requests.push({ ...body, id, path: req.url ?? "", headers: req.headers });
      if (status !== "hang") res.writeHead(status, headers).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  releaseLater(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${path}`,
    host: `127.0.0.1:${port}`,
    requests,
    answer: (next, more = {}) => {
      status = next;
      headers = more;
    },
    next: (type, timeoutMs = 15_000) =>
      eventually(() => requests.find((one) => one.type === type), {
        timeoutMs,
        what: `the notification ${type}`,
      }),
  };
}
