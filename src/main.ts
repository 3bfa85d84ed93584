#!/usr/bin/env node
import { pino } from "pino";
import { EXIT, runCommandLine, UsageError } from "./command-line.ts";
import { type ResolveArguments, runResolve } from "./commands.ts";
import { ConfigError, readConfig } from "./config.ts";
import { createRelay } from "./relay.ts";
import { runWebhookCreate, type WebhookCreateArguments } from "./webhook-command.ts";

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

async function resolve(args: ResolveArguments): Promise<void> {
  const config = readConfig(process.env);
  say(await runResolve(args, config, pino({ level: "warn" }, pino.destination(2))));
}

async function createWebhook(args: WebhookCreateArguments): Promise<void> {
  const { lines, warnings } = await runWebhookCreate(args, readConfig(process.env));
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  say(lines.join("\n"));
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function explain(error: unknown): number {
  if (error instanceof ConfigError || error instanceof UsageError) {
    if (error.message) process.stderr.write(`${error.message}\n`);
    return EXIT.wrongUse;
  }
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return EXIT.failed;
}

runCommandLine(process.argv.slice(2), { start, resolve, createWebhook }).catch((error: unknown) => {
  process.exit(explain(error));
});
