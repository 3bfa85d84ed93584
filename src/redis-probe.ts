import { createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { Redis } from "ioredis";

const SILENCE_MS = 10_000;
const POLL_MS = 20;

/**
 * Waits until this very server answers (a long append-only file may take its time to load).
 * `gone`: it ended, or nobody or another one listens there; `silent`: somebody listens and says nothing.
 */
export async function hear(
  server: { pid: number; port: number },
  ended: () => boolean,
): Promise<"ready" | "silent" | "gone"> {
  let deadline = Date.now() + SILENCE_MS;
  let listens = false;
  while (!ended() && Date.now() < deadline) {
    const seen = await ask(server.port);
    listens = seen !== "refused";
    if (typeof seen === "object") {
      if (seen.pid !== server.pid) return "gone";
      if (!seen.loading) return "ready";
      deadline = Date.now() + SILENCE_MS;
    }
    await wait(POLL_MS);
  }
  return listens && !ended() ? "silent" : "gone";
}

/** Asks whoever listens on the port which process it is. */
async function ask(port: number): Promise<{ pid: number; loading: boolean } | "refused" | "silent"> {
  const client = new Redis({
    host: "127.0.0.1",
    port,
    lazyConnect: true,
    enableReadyCheck: false,
    connectTimeout: 1_000,
    commandTimeout: 1_000,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let refused = false;
  client.on("error", (error: NodeJS.ErrnoException) => {
    refused ||= error.code === "ECONNREFUSED";
  });
  try {
    await client.connect();
    const info = await client.info();
    return { pid: Number(/^process_id:(\d+)/m.exec(info)?.[1]), loading: /^loading:1/m.test(info) };
  } catch {
    return refused ? "refused" : "silent";
  } finally {
    client.disconnect();
  }
}

/** A loopback port that nobody listens on right now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const listening = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (listening === null || typeof listening === "string") throw new Error("no free port on 127.0.0.1");
  return listening.port;
}
