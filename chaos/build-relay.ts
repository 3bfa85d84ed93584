import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));

/** Loads what the program needs, and lets it begin when a line comes. */
const STANDBY = `await import("./dist/config.js");
await import("./dist/relay.js");
await new Promise((resolve) => process.stdin.once("data", resolve));
process.stdin.destroy();
`;

/** A relay that can be started often. */
export interface Program {
  readonly main: string;
  /** To be imported before `main`: so long the process stands by, with all its modules loaded. */
  readonly standby: string;
}

/** Compiles the relay as it stands now into `folder`: an edit while the run goes on must not change what runs. */
export async function buildRelay(folder: string): Promise<Program> {
  await copyFile(join(REPOSITORY, "package.json"), join(folder, "package.json"));
  await symlink(join(REPOSITORY, "node_modules"), join(folder, "node_modules"));
  const compiler = join(REPOSITORY, "node_modules/typescript/bin/tsc");
  const project = join(REPOSITORY, "tsconfig.build.json");
  const options = ["-p", project, "--outDir", join(folder, "dist"), "--noCheck", "--sourceMap", "false"];
  const child = spawn(process.execPath, [compiler, ...options], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`the relay does not compile:\n${said}`);
  const standby = join(folder, "standby.mjs");
  await writeFile(standby, STANDBY);
  return { main: join(folder, "dist/main.js"), standby };
}
