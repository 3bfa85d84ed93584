import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A process that the bench measures, or measures with. */
export interface Child {
  readonly pid: number;
  readonly port: number;
  /** Resolves with the next message of its IPC channel; `say` is sent first. */
  ask<T>(say: object): Promise<T>;
  tell(say: object): void;
  stop(): Promise<void>;
}

export type Environment = Readonly<Record<string, string>>;

const DIST = new URL("./dist/", import.meta.url);
const running = new Set<ChildProcess>();
const TICK_MS = 10;
/** Longer than any part takes: past it something is stuck, and the bench says so instead of waiting for ever. */
const ANSWERS_WITHIN_MS = 300_000;

/** Starts one of bench/children, compiled; resolves once it told its port. */
export async function startChild(name: string, env: Environment): Promise<Child> {
  const child = launch(`bench/children/${name}.js`, [], env, "ignore");
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  return handle(child, port);
}

/** Starts the relay as it is shipped: `node main.js start`, with its log as it is by default, read by nobody. */
export async function startRelay(env: Environment): Promise<Child> {
  const child = launch("src/main.js", ["start"], { HOST: "127.0.0.1", PORT: "0", ...env }, "pipe");
  let text = "";
  const port = await new Promise<number>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`The relay ended with ${code}. It wrote:\n${text}`)));
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const found = /"port":(\d+)[^\n]*"msg":"ready"/.exec(text);
      if (!found) return;
      child.stdout?.removeAllListeners("data").resume();
      resolve(Number(found[1]));
    });
  });
  return handle(child, port);
}

/** Kills what is still there: for an end in the middle. */
export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** Processor time that a process has used so far, in ms; undefined where /proc does not tell. */
export function cpuMs(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return undefined;
  }
}

function launch(file: string, args: string[], env: Environment, stdout: "ignore" | "pipe"): ChildProcess {
  // For a profile: --cpu-prof --cpu-prof-dir=...
  const more = process.env["BENCH_NODE_ARGS"]?.split(" ") ?? [];
  const child = spawn(process.execPath, [...more, fileURLToPath(new URL(file, DIST)), ...args], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", stdout, "inherit", ...(stdout === "ignore" ? (["ipc"] as const) : [])],
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

function handle(child: ChildProcess, port: number): Child {
  const next = async <T>(): Promise<T> => {
    const signal = AbortSignal.timeout(ANSWERS_WITHIN_MS);
    return ((await once(child, "message", { signal })) as [T])[0];
  };
  return {
    pid: child.pid ?? 0,
    port,
    tell: (say) => void child.send(say),
    ask: (say) => {
      const answer = next<never>();
      child.send(say);
      return answer;
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      await gone;
    },
  };
}
