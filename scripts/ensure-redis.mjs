// Runs before the tests and the demo: both need a real redis-server (or valkey-server), and npm ships none.
// Plain JavaScript without dependencies, so that it works before anything else does.
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

function onPath(program) {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return folder !== "";
    } catch {
      return false;
    }
  });
}

const hasRedis = () => onPath("redis-server") || onPath("valkey-server");

function run(command, { quiet = false } = {}) {
  if (!quiet) console.log(`  ${command.join(" ")}`);
  const [program, ...args] = command;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const { status, stdout, stderr } = spawnSync(program, args, { env, encoding: "utf8" });
  if (status !== 0 && !quiet) console.log(`${stdout ?? ""}${stderr ?? ""}`.trimEnd());
  return status === 0;
}

/** What to put in front of a command that needs root; undefined when there is no way without a password. */
function asRoot() {
  if (process.getuid?.() === 0) return [];
  return onPath("sudo") && run(["sudo", "-n", "true"], { quiet: true }) ? ["sudo", "-n"] : undefined;
}

/** @returns {string | undefined} what the user has to do, when it could not be done here */
function install() {
  if (process.platform === "darwin" && onPath("brew")) {
    console.log(
      "Neither redis-server nor valkey-server is on PATH: installing redis with Homebrew (no service is started).",
    );
    return run(["brew", "install", "redis"])
      ? undefined
      : "`brew install redis` failed (see above): put that right, then run this again.";
  }
  if (onPath("apt-get")) {
    const root = asRoot();
    if (!root)
      return "Neither redis-server nor valkey-server is on PATH. Run: sudo apt-get install -y redis-server";
    console.log(
      "Neither redis-server nor valkey-server is on PATH: installing the redis-server package with apt-get.",
    );
    const installPackage = [...root, "apt-get", "install", "-y", "--no-install-recommends", "redis-server"];
    // The package lists may be missing (a fresh container) or old: only then is the slow update worth it.
    const done =
      run(installPackage, { quiet: true }) ||
      (run([...root, "apt-get", "update", "-q"]) && run(installPackage));
    return done
      ? undefined
      : "apt-get could not install redis-server (see above): put that right, then run this again.";
  }
  return "Neither redis-server nor valkey-server is on PATH. Install Redis 6.2 or newer, or Valkey, so that one of them is.";
}

if (!hasRedis()) {
  let problem = install();
  if (!problem && !hasRedis())
    problem = "redis was installed, but redis-server is not on PATH: add its folder to PATH.";
  if (problem) {
    console.error(problem);
    process.exitCode = 1;
  }
}
