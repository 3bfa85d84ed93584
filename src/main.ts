#!/usr/bin/env node
import { EXIT, explainError, runCommandLine } from "./command-line.ts";
import type { ResolveArguments } from "./commands.ts";
import { readConfig } from "./config.ts";
import type { CheckArguments } from "./check-command.ts";
import type { ExplainArguments, Said } from "./explain-command.ts";
import { secretsOf } from "./config-secrets.ts";
import { createLog } from "./log.ts";
import type { ReplayArguments } from "./replay-command.ts";
import { runWebhookCreate, type WebhookCreateArguments } from "./webhook-command.ts";

/** After the first signal the relay has so long to hand over; then the process goes all the same. */
const STOP_MS = 14_000;

async function start(): Promise<void> {
  const config = readConfig(process.env);
  // Written beside the work, not in it; what is left at the end is written before the process goes.
  const log = createLog(config.logLevel, { sync: false }, secretsOf(config));
  // Loaded here: help and the other commands need nothing of it, and it takes a while.
  const { createRelay } = await import("./relay.ts");
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
  const { runResolve } = await import("./commands.ts");
  say(await runResolve(args, config, createLog("warn", { dest: 2 }, secretsOf(config))));
}

async function check(args: CheckArguments): Promise<void> {
  const { runCheck } = await import("./check-command.ts");
  end(await runCheck(args, readConfig(process.env)));
}

async function explain(args: ExplainArguments): Promise<void> {
  const config = readConfig(process.env);
  const { runExplain } = await import("./explain-command.ts");
  end(await runExplain(args, config, createLog("warn", { dest: 2 }, secretsOf(config))));
}

async function replay(args: ReplayArguments): Promise<void> {
  const config = readConfig(process.env);
  const { createProgressBar, runReplay } = await import("./replay-command.ts");
  const bar = createProgressBar(process.stderr);
  const said = await runReplay(args, config, createLog("warn", { dest: 2 }), bar.draw).finally(bar.end);
  end(said);
}

async function createWebhook(args: WebhookCreateArguments): Promise<void> {
  const { lines, warnings } = await runWebhookCreate(args, readConfig(process.env));
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  say(lines.join("\n"));
}

async function hashPassword(name: string): Promise<void> {
  const { runHashPassword } = await import("./hash-password.ts");
  say(await runHashPassword(name, process.stdin, (words) => void process.stderr.write(words)));
}

function end({ text, ok, wrongUse }: Said): void {
  say(text);
  if (!ok) process.exitCode = wrongUse ? EXIT.wrongUse : EXIT.failed;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

runCommandLine(process.argv.slice(2), {
  start,
  check,
  explain,
  resolve,
  replay,
  createWebhook,
  hashPassword,
}).catch((error: unknown) => {
  const { code, words } = explainError(error);
  if (words) process.stderr.write(`${words}\n`);
  process.exit(code);
});
