import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { redisUrl } from "./redis.ts";
import { releaseLater } from "./release.ts";

export interface RedisProxy {
  readonly url: string;
  /** Connections by the order in which they came: from now on nothing goes through these, and nobody is told. */
  freeze(which: (index: number) => boolean): void;
}

/** Stands in front of the Redis that tests share. Gone at the end of the test. */
export async function startRedisProxy(): Promise<RedisProxy> {
  const target = new URL(redisUrl());
  const pairs: [Socket, Socket][] = [];
  const server = createServer((client) => {
    const redis = connect(Number(target.port), target.hostname);
    pairs.push([client, redis]);
    for (const [from, to] of [
      [client, redis],
      [redis, client],
    ] as const) {
      from.on("error", () => undefined).on("close", () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  releaseLater(async () => {
    for (const socket of pairs.flat()) socket.destroy();
    server.close();
  });
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    freeze: (which) => {
      for (const [client, redis] of pairs.filter((_, i) => which(i))) {
        for (const socket of [client, redis]) socket.unpipe().pause();
      }
    },
  };
}
