#!/usr/bin/env node
import type { Logger } from "pino";
import { type Actions, EXIT, explainError, runCommandLine } from "./command-line.ts";
import { type Config, readConfig } from "./config.ts";
import { riskySettings } from "./config-summary.ts";
import type { Said } from "./explain-command.ts";
import { secretsOf } from "./config-secrets.ts";
import { createLog } from "./log.ts";
import { createLook } from "./look.ts";
import { createPlainLog } from "./plain-log.ts";
import { hearLibraries } from "./redis-warnings.ts";
import { runWebhookCreate, tellWebhook, toWebhookJson } from "./webhook-command.ts";

/** After the first signal the relay has so long to hand over; then the process goes all the same. */
const STOP_MS = 14_000;

async function start(): Promise<void> {
  const config = readConfig(process.env);
  // Written beside the work, not in it; what is left at the end is written before the process goes.
  const log = createLog(config.logLevel, { sync: false }, secretsOf(config));
  hearLibraries(console, (words) => log.warn(words), { looks: true });
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

const look = createLook(process.stdout, process.env["NO_COLOR"], process.env["TERM"]);
const asideLook = createLook(process.stderr, process.env["NO_COLOR"], process.env["TERM"]);
const aside = (words: string): void => void process.stderr.write(`${words}\n`);
/** The settings of a command that sends the token; it says on stderr what lets others read it. */
const settingsToAsk = (): Config => {
  const config = readConfig(process.env);
  for (const words of riskySettings(config)) aside(`${asideLook.paint("warn", "warning:")} ${words}.`);
  return config;
};
/** A command that talks to Redis says on stderr what goes wrong meanwhile. */
function logOf(config: Config): Logger {
  const log = createPlainLog(process.stderr, asideLook, secretsOf(config));
  hearLibraries(console, (words) => log.warn(words));
  return log;
}

const resolve: Actions["resolve"] = async (args) => {
  const config = settingsToAsk();
  const { runResolve } = await import("./commands.ts");
  say(await runResolve(args, config, logOf(config), look));
};

const check: Actions["check"] = async (args) => {
  const { runCheck } = await import("./check-command.ts");
  end(await runCheck(args, args.live ? settingsToAsk() : readConfig(process.env), look));
};

const explain: Actions["explain"] = async (args) => {
  const config = settingsToAsk();
  const { runExplain } = await import("./explain-command.ts");
  end(await runExplain(args, config, logOf(config), look));
};

const status: Actions["status"] = async (args) => {
  const config = readConfig(process.env);
  const { runStatus } = await import("./status-command.ts");
  logOf(config);
  // That Redis is away it says itself, in words for people.
  const log = createLog("error", { dest: 2 }, secretsOf(config));
  end(await runStatus(args, config, log, look));
};

const replay: Actions["replay"] = async (args) => {
  const config = settingsToAsk();
  const { runReplay } = await import("./replay-command.ts");
  const { createProgressBar } = await import("./progress-bar.ts");
  const bar = createProgressBar(process.stderr);
  const told = { onProgress: bar.draw, onWait: bar.waits };
  end(await runReplay(args, config, logOf(config), look, told).finally(bar.end));
};

const doctor: Actions["doctor"] = async (args) => {
  const config = readConfig(process.env);
  const { runDoctor } = await import("./doctor-command.ts");
  // What goes wrong is among its findings.
  hearLibraries(console, () => {});
  end(await runDoctor(args, config, createLog("silent", { dest: 2 }), look));
};

const run: Actions["run"] = async (args) => {
  const config = settingsToAsk();
  const { runRun } = await import("./run-command.ts");
  const stopped = new AbortController();
  const stop = (signal: NodeJS.Signals): void => stopped.abort(signal);
  // Once: a second Ctrl-C ends it at once.
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const said = await runRun(args, config, logOf(config), aside, { look, interrupted: stopped.signal });
  end(said);
  if (said.cut === "timed out") process.exitCode = EXIT.timedOut;
  if (said.cut === "interrupted")
    process.exitCode = stopped.signal.reason === "SIGTERM" ? EXIT.terminated : EXIT.interrupted;
};

const connections: Actions["connections"] = async (args) => {
  const { runConnections } = await import("./connections-command.ts");
  end(await runConnections(args, settingsToAsk(), look));
};

const init: Actions["init"] = async (args) => {
  const { runInit } = await import("./init-command.ts");
  end(await runInit(args, settingsToAsk(), look));
};

const createWebhook: Actions["createWebhook"] = async (args) => {
  const created = await runWebhookCreate(args, args.print ? readConfig(process.env) : settingsToAsk());
  for (const warning of created.warnings) aside(`${asideLook.paint("warn", "warning:")} ${warning}`);
  say(args.json ? JSON.stringify(toWebhookJson(created), undefined, 2) : tellWebhook(created, look));
};

const hashPassword: Actions["hashPassword"] = async (name) => {
  const { runHashPassword } = await import("./hash-password.ts");
  say(await runHashPassword(name, process.stdin, (words) => void process.stderr.write(words)));
};

function end({ text, ok, wrongUse }: Said): void {
  say(text);
  if (!ok) process.exitCode = wrongUse ? EXIT.wrongUse : EXIT.failed;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

const actions: Actions = {
  start,
  check,
  explain,
  status,
  doctor,
  init,
  connections,
  run,
  resolve,
  replay,
  createWebhook,
  hashPassword,
};
const args = process.argv.slice(2);
runCommandLine(args, actions).catch((error: unknown) => {
  const { code, words, json } = explainError(error, args);
  if (json !== undefined) say(json);
  if (words) aside(words);
  process.exit(code);
});
