#!/usr/bin/env node
import { pino } from "pino";
import { RESOLVE_USAGE, runResolve, UsageError } from "./commands.ts";
import { ConfigError, readConfig } from "./config.ts";
import { createRelay } from "./relay.ts";

const USAGE = `Usage:
  publish-relay start
  ${RESOLVE_USAGE}
Settings come from the environment; the README lists them.`;
const EXIT = { ok: 0, failed: 1, wrongSetting: 2 } as const;

/** After the first signal the relay has so long to hand over; then the process goes all the same. */
const STOP_MS = 14_000;

async function start(): Promise<void> {
  const config = readConfig(process.env);
  // Written beside the work, not in it; what is left at the end is written before the process goes.
  const log = pino({ level: config.logLevel }, pino.destination({ sync: false }));
  const relay = createRelay(config, log);

  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, "stopping: no new work is taken, what runs is handed over");
    setTimeout(() => process.exit(EXIT.failed), STOP_MS).unref();
    void relay.stop().then(() => {
      log.info("stopped");
      process.exit(EXIT.ok);
    });
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);

  try {
    const { port } = await relay.start();
    log.info({ port, board: `http://${config.host}:${port}/board` }, "ready");
  } catch (error) {
    // A start that was stopped fails; whoever stopped it ends the process.
    if (stopping) return;
    await relay.stop();
    throw error;
  }
}

async function resolve(args: readonly string[]): Promise<void> {
  const config = readConfig(process.env);
  const log = pino({ level: "warn" }, pino.destination(2));
  process.stdout.write(`${await runResolve(args, config, log)}\n`);
}

function explain(error: unknown): number {
  if (error instanceof ConfigError || error instanceof UsageError) {
    process.stderr.write(`${error.message}\n`);
    return EXIT.wrongSetting;
  }
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return EXIT.failed;
}

const [command, ...args] = process.argv.slice(2);
switch (command) {
  case "start":
    start().catch((error: unknown) => process.exit(explain(error)));
    break;
  case "resolve":
    resolve(args).catch((error: unknown) => process.exit(explain(error)));
    break;
  case "help":
  case "--help":
  case "-h":
    process.stdout.write(`${USAGE}\n`);
    break;
  default:
    process.stderr.write(`${USAGE}\n`);
    process.exitCode = EXIT.wrongSetting;
}
