import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { releaseLater } from "./release.ts";

export interface StartOptions {
  readonly args?: readonly string[];
  /** Added to the environment of the test. A value of undefined takes a name out of it. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

export interface Running {
  readonly pid: number;
  /** All that it wrote so far, stdout and stderr as they came. */
  output(): string;
  /** The first line, written or to come, that matches. Throws with the output when it ends or `timeoutMs` (45 s) pass before. */
  line(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>;
  /** SIGSTOP freezes it, SIGCONT lets it go on, SIGKILL is kill -9. */
  signal(name: NodeJS.Signals): void;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** kill -9, and waits until it is gone. */
  kill(): Promise<void>;
}

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

/** Runs a TypeScript file in a process of its own. It is killed at the end of the test (or file) that started it. */
export function startScript(file: string | URL, options: StartOptions = {}): Running {
  const path = file instanceof URL ? fileURLToPath(file) : file;
  // Not the tsx command: it runs the script in a child of its own, and a signal would hit the wrong process.
  return startProgram(process.execPath, ["--import", "tsx", path, ...(options.args ?? [])], options);
}

/** Runs any program, watched and reaped as `startScript` does. */
export function startProgram(
  command: string,
  args: readonly string[],
  { env = {}, cwd = REPOSITORY }: Omit<StartOptions, "args"> = {},
): Running {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const running = watch(child, [command, ...args].join(" "));
  releaseLater(() => running.kill());
  return running;
}

function watch(child: ChildProcess, title: string): Running {
  let output = "";
  const changed = new Set<() => void>();
  const tell = () => {
    for (const listener of changed) listener();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      tell();
    });
  }
  let ended = false;
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once("error", reject);
    // "close" comes when the output has been read to its end, "exit" may come before.
    child.once("close", (code, signal) => {
      ended = true;
      resolve({ code, signal });
      tell();
    });
  });
  exited.catch(() => {});

  return {
    pid: child.pid ?? Number.NaN,
    output: () => output,
    exited,
    signal: (name) => void child.kill(name),
    async kill() {
      child.kill("SIGKILL");
      await exited.catch(() => {});
    },
    line: (pattern, timeoutMs = 45_000) =>
      new Promise((resolve, reject) => {
        const settle = (act: () => void) => {
          clearTimeout(timer);
          changed.delete(look);
          act();
        };
        const fail = (why: string) =>
          reject(new Error(`${title}: no line like ${pattern} ${why}. Output:\n${output}`));
        const look = () => {
          for (const line of output.split("\n")) {
            const match = line.match(pattern);
            if (match) return settle(() => resolve(match));
          }
          if (ended) settle(() => fail("before it ended"));
        };
        const timer = setTimeout(() => settle(() => fail(`within ${timeoutMs} ms`)), timeoutMs);
        changed.add(look);
        exited.catch((error: Error) => settle(() => fail(`(${error.message})`)));
        look();
      }),
  };
}
