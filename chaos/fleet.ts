import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Program } from "./build-relay.ts";
import { openWire, type Tap, type Wire } from "./wire.ts";

/** One of the relay's processes; it is started again whenever it has ended. */
export interface Slot {
  readonly index: number;
  readonly logFile: string;
  /** Ids of the BullMQ workers of the process that runs now, as its bytes tell them: its locks begin with one. */
  readonly workers: Set<string>;
  state: "starting" | "ready" | "frozen" | "gone";
  /** Not to be killed now. */
  spared: boolean;
}

export interface FleetOptions {
  readonly program: Program;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly redisPort: number;
  readonly platformPort: number;
  /** One process each. */
  readonly members: readonly { readonly roles: string; readonly port: number }[];
  readonly taps: (slot: Slot) => { readonly redis: Tap; readonly platform: Tap };
  readonly onKilled: (slot: Slot, workers: ReadonlySet<string>) => void;
}

/** Real processes of the relay, each with ways of its own to Redis and to the platform. */
export interface Fleet {
  readonly slots: readonly Slot[];
  /** Those that may be killed now: while two are at work, so that one is left. On a slow machine the others may still be starting. */
  killable(): readonly Slot[];
  /** kill -9, with everything that it had under way; it is started again soon. */
  kill(slot: Slot): void;
  freeze(slot: Slot): void;
  thaw(slot: Slot): void;
  /** Processes that ended without having been killed. */
  readonly ended: readonly string[];
  /** Asks all to stop, and waits; answers their exit codes. */
  stop(): Promise<(number | null)[]>;
}

const START_AGAIN_MS = 100;
/** A process has 15 s to stop. */
const STOP_MS = 20_000;

export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const ended: string[] = [];
  let stopping = false;
  const members = await Promise.all(options.members.map(openMember));

  async function openMember({ roles, port }: FleetOptions["members"][number], index: number) {
    const logFile = join(options.folder, `relay-${index + 1}.log`);
    const slot: Slot = { index, logFile, workers: new Set(), state: "gone", spared: false };
    const taps = options.taps(slot);
    const redis = await openWire(options.redisPort, taps.redis);
    const platform = await openWire(options.platformPort, taps.platform);
    return {
      slot,
      roles,
      port,
      redis,
      platform,
      standby: undefined as ChildProcess | undefined,
      child: undefined as ChildProcess | undefined,
    };
  }
  type Member = Awaited<ReturnType<typeof openMember>>;

  /** To load its modules takes a process longer than it is left alive: the next one has done that before it is needed. */
  function standBy({ slot, roles, port, redis, platform }: Member): ChildProcess {
    const log = openSync(slot.logFile, "a");
    const { standby, main } = options.program;
    const child = spawn(process.execPath, ["--import", standby, main, "start"], {
      stdio: ["pipe", log, log],
      env: {
        ...process.env,
        ...options.env,
        ROLES: roles,
        PORT: String(port),
        REDIS_URL: `redis://127.0.0.1:${redis.port}`,
        DESIGNER_CLOUD_URL: `http://127.0.0.1:${platform.port}`,
      },
    });
    child.stdin?.on("error", () => undefined);
    closeSync(log);
    return child;
  }

  function start(member: Member): void {
    const { slot } = member;
    const child = member.standby ?? standBy(member);
    member.child = child;
    slot.workers.clear();
    slot.state = "starting";
    child.stdin?.end("start\n");
    child.once("exit", (code, signal) => {
      if (stopping) return;
      if (slot.state !== "gone") {
        ended.push(`process ${slot.index + 1} ended by itself: code ${code}, signal ${signal}`);
        slot.state = "gone";
      }
      setTimeout(() => !stopping && start(member), START_AGAIN_MS);
    });
    member.standby = standBy(member);
  }

  const memberOf = (slot: Slot): Member => {
    const member = members[slot.index];
    if (!member) throw new Error(`there is no process ${slot.index + 1}`);
    return member;
  };
  const killAll = (): void => {
    for (const { child, standby } of members) for (const one of [child, standby]) one?.kill("SIGKILL");
  };
  process.on("exit", killAll);
  for (const member of members) start(member);

  return {
    slots: members.map(({ slot }) => slot),
    killable: () => {
      const atWork = members.map(({ slot }) => slot).filter(({ state }) => state === "ready");
      return atWork.length < 2 ? [] : atWork.filter(({ spared }) => !spared);
    },
    ended,
    kill: (slot) => {
      const { child, redis, platform } = memberOf(slot);
      if (slot.state === "gone") return;
      const workers = new Set(slot.workers);
      slot.state = "gone";
      child?.kill("SIGKILL");
      // From this moment on nothing of it arrives anywhere.
      for (const wire of [redis, platform]) wire.cut();
      options.onKilled(slot, workers);
    },
    freeze: (slot) => {
      slot.state = "frozen";
      memberOf(slot).child?.kill("SIGSTOP");
    },
    thaw: (slot) => {
      slot.state = "ready";
      memberOf(slot).child?.kill("SIGCONT");
    },
    stop: async () => {
      stopping = true;
      const codes = await Promise.all(members.map(({ child }) => stopChild(child, "SIGTERM")));
      await Promise.all(members.map(({ standby }) => stopChild(standby, "SIGKILL")));
      await Promise.all(
        members.flatMap(({ redis, platform }: { redis: Wire; platform: Wire }) => [
          redis.close(),
          platform.close(),
        ]),
      );
      process.off("exit", killAll);
      return codes;
    },
  };
}

async function stopChild(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<number | null> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
  const gone = new Promise<void>((resolve) => void child.once("exit", () => resolve()));
  child.kill("SIGCONT");
  child.kill(signal);
  const late = new AbortController();
  await Promise.race([gone, wait(STOP_MS, undefined, { signal: late.signal }).catch(() => undefined)]);
  late.abort();
  child.kill("SIGKILL");
  await gone;
  return child.exitCode;
}
