import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { isProcessAlive, withFileLock } from "./folder-lock.ts";
import { freePort, hear } from "./redis-probe.ts";

/** A redis-server that belongs to one data folder. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends it and waits until it is gone, its append-only file written. One that another live process started is left alone. */
  stop(): Promise<void>;
}

export interface RedisServerOptions {
  /** Where the append-only file lives; made if missing. One server per folder. */
  readonly dataDir: string;
  /** Default: a free port. */
  readonly port?: number;
  /** Is told when the server ends without having been asked to. */
  readonly logger?: { error(fields: object, message: string): void };
}

/** What the folder remembers of its server. `owner` is the process that has to stop it. */
interface Recorded {
  readonly pid: number;
  readonly port: number;
  readonly owner: number;
}

const BINARIES = ["redis-server", "valkey-server"];
const STOP_MS = 10_000;
const POLL_MS = 20;

/**
 * Starts a redis-server (or valkey-server) from PATH on loopback, with an append-only file in `dataDir`, and returns once it answers.
 * A server of that folder that still runs (its process was killed, say) is taken over: two of them on one append-only file ruin it.
 * It ends with this process, except when that is killed with -9.
 *
 * @throws when no binary is on PATH, or when it does not come up; the message says what to do.
 */
export async function startRedisServer(options: RedisServerOptions): Promise<RedisServer> {
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 });
  const dataDir = await realpath(options.dataDir);
  return withFileLock(join(dataDir, "redis-server.lock"), async () => {
    const found = await findRunning(dataDir);
    if (!found) return launch(dataDir, options);
    if (isProcessAlive(found.owner)) return { ...address(found), stop: async () => {} };
    await record(dataDir, { ...found, owner: process.pid });
    return own(dataDir, found, () => !isProcessAlive(found.pid));
  });
}

async function launch(
  dataDir: string,
  { port: fixedPort, logger }: RedisServerOptions,
): Promise<RedisServer> {
  for (let attempt = 1; ; attempt++) {
    const port = fixedPort ?? (await freePort());
    const child = await spawnFirst(BINARIES, serverArguments(dataDir, port));
    const server = { pid: child.pid as number, port };
    const ended = () => child.exitCode !== null || child.signalCode !== null;
    await record(dataDir, { ...server, owner: process.pid });
    if ((await hear(server, ended)) === "ready") {
      return own(dataDir, server, ended, (stopped) =>
        child.once("exit", (code, signal) => {
          const facts = { ...server, code, signal, dataDir };
          if (!stopped()) logger?.error(facts, "the relay's own redis-server has ended; restart the relay");
        }),
      );
    }
    // A server that found its port taken ends by itself, with its reason in the log.
    await until(ended, 1_000);
    child.kill("SIGKILL");
    // Between finding a free port and using it, somebody else may have taken it.
    if (fixedPort !== undefined || attempt === 3) {
      throw new Error(
        `redis-server did not come up on port ${port}. Its last words: ${await lastWords(dataDir)}`,
      );
    }
  }
}

function serverArguments(dataDir: string, port: number): string[] {
  const settings = {
    port: String(port),
    bind: "127.0.0.1",
    dir: dataDir,
    appendonly: "yes",
    appendfsync: "everysec",
    save: "",
    "maxmemory-policy": "noeviction",
    logfile: "redis-server.log",
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

/** Runs the first of the programs that is on PATH. */
async function spawnFirst(names: readonly string[], args: readonly string[]): Promise<ChildProcess> {
  for (const name of names) {
    // A session of its own: Ctrl-C reaches a whole process group, and Redis has to outlive the relay's last writes.
    const child = spawn(name, args, { stdio: "ignore", detached: true });
    const failure = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      child.once("spawn", () => resolve(undefined));
      child.once("error", resolve);
    });
    if (!failure) {
      child.unref();
      return child;
    }
    if (failure.code !== "ENOENT")
      throw new Error(`${name} cannot be run: ${failure.message}`, { cause: failure });
  }
  throw new Error(
    `Neither ${names.join(" nor ")} is on PATH. Install one (Debian, Ubuntu: apt-get install -y redis-server; ` +
      "macOS: brew install redis), or set REDIS_URL to a Redis that runs.",
  );
}

function address({ port, pid }: { port: number; pid: number }) {
  return { url: `redis://127.0.0.1:${port}`, port, pid };
}

function own(
  dataDir: string,
  server: { port: number; pid: number },
  ended: () => boolean,
  watch?: (stopped: () => boolean) => void,
): RedisServer {
  let stopped = false;
  const onExit = () => signal(server.pid, "SIGTERM");
  process.on("exit", onExit);
  watch?.(() => stopped);
  return {
    ...address(server),
    async stop() {
      stopped = true;
      process.off("exit", onExit);
      // SIGTERM makes Redis write and sync its append-only file before it goes; a kill would leave that to the kernel.
      for (const name of ["SIGTERM", "SIGKILL"] as const) {
        if (!ended()) signal(server.pid, name);
        await until(ended, STOP_MS);
      }
      await rm(recordPath(dataDir), { force: true });
    },
  };
}

/** The server that this folder remembers, if it still runs and works on this folder. */
async function findRunning(dataDir: string): Promise<Recorded | undefined> {
  const recorded = await readRecord(dataDir);
  if (!recorded || !isProcessAlive(recorded.pid)) return undefined;
  switch (await hear(recorded, () => !isProcessAlive(recorded.pid))) {
    case "ready":
      return recorded;
    case "silent":
      throw new Error(
        `A redis-server (pid ${recorded.pid}, port ${recorded.port}) holds ${dataDir} and does not answer. End it, then start again.`,
      );
    case "gone":
      return undefined;
  }
}

function recordPath(dataDir: string): string {
  return join(dataDir, "redis-server.json");
}

async function record(dataDir: string, { pid, port, owner }: Recorded): Promise<void> {
  await writeFile(recordPath(dataDir), JSON.stringify({ pid, port, owner } satisfies Recorded));
}

async function readRecord(dataDir: string): Promise<Recorded | undefined> {
  try {
    const { pid, port, owner } = JSON.parse(await readFile(recordPath(dataDir), "utf8")) as Partial<Recorded>;
    return pid && port && owner ? { pid, port, owner } : undefined;
  } catch {
    return undefined;
  }
}

async function lastWords(dataDir: string): Promise<string> {
  const text = await readFile(join(dataDir, "redis-server.log"), "utf8").catch(() => "(no log)");
  return text.trim().split("\n").slice(-3).join(" | ");
}

async function until(holds: () => boolean, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!holds() && Date.now() < deadline) await wait(POLL_MS);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone already, which is what was wanted.
  }
}
