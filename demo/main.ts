import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { parseRules } from "../src/rules/parse-rules.ts";
import { createFollow, type Follow } from "./follow.ts";
import { type Demo, openDemo } from "./open-demo.ts";
import { createLiveScreen, createPlainScreen, type Screen } from "./screen.ts";
import { allPublished, type GroupView } from "./views.ts";
import { banner, summary, toTryNext, USAGE } from "./words.ts";

const EXIT = { ok: 0, failed: 1, wrongUse: 2 } as const;

/** What the simulated jobs run: recipes of the simulator. The webhook of the last one never comes. */
const RECIPES = [
  { id: 27, name: "orders", webhook: true },
  { id: 29, name: "orders-returns", webhook: true },
  { id: 28, name: "customers", webhook: true },
  { id: 30, name: "ledger", webhook: false },
] as const;
const RUN_MS = 500;
const APART_MS = 1_500;
const NEXT_JOB_MS = 10_000;
/** With `--once` the whole command ends within 60 s: this leaves enough to start and to clean up. */
const ONCE_MS = 45_000;

interface Arguments {
  readonly once: boolean;
  readonly rulesFile: string;
}

async function main({ once, rulesFile }: Arguments): Promise<number> {
  const stopped = untilStopped();
  const { rules } = parseRules(await readFile(rulesFile, "utf8"), rulesFile);
  const screen = openScreen();
  let demo: Demo | undefined;
  let follow: Follow | undefined;
  try {
    demo = await openDemo(rulesFile);
    screen.say(banner(demo, rulesFile, once));
    const targets = rules.targets.map(({ name }) => name);
    follow = await createFollow({ ...demo, targets, onChange: screen.update, onEnded: screen.ended });
    return await play({ demo, follow, screen, once, stopped });
  } finally {
    if (demo) screen.say("Ending the relay, the simulator and Redis ...");
    await follow?.close();
    screen.close();
    await demo?.close();
  }
}

interface Play {
  readonly demo: Demo;
  readonly follow: Follow;
  readonly screen: Screen;
  readonly once: boolean;
  readonly stopped: Promise<undefined>;
}

/** Lets jobs finish on the simulated platform; what follows is the relay's doing. Answers the exit code. */
async function play({ demo, follow, screen, once, stopped }: Play): Promise<number> {
  const runJob = (n: number, inMs: number): Promise<GroupView> => {
    const recipe = RECIPES[n % RECIPES.length] ?? RECIPES[0];
    const { id: recipeId, name, webhook } = recipe;
    const id = demo.simulator.createJobGroup({ recipeId, webhook, finishInMs: inMs + RUN_MS });
    return follow.track(id, name);
  };

  const first = Promise.all(RECIPES.map((_, n) => runJob(n, n * APART_MS)));
  const groups = await Promise.race([first, stopped, ...(once ? [after(ONCE_MS)] : [])]);
  if (once) {
    screen.say(summary(groups));
    if (groups && allPublished(groups)) return EXIT.ok;
    screen.say((await demo.lastWarnings()).join("\n"));
    return EXIT.failed;
  }
  if (groups) {
    screen.say(toTryNext(demo));
    let n = 0;
    const nextJobs = setInterval(() => void runJob(n++, 0), NEXT_JOB_MS);
    await stopped;
    clearInterval(nextJobs);
  }
  return EXIT.ok;
}

function openScreen(): Screen {
  const { stdout, env } = process;
  if (!stdout.isTTY || env["TERM"] === "dumb") return createPlainScreen(stdout);
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return createLiveScreen(stdout, { colour: !env["NO_COLOR"], unicode: /utf-?8/i.test(locale) });
}

/** Resolves with the first signal, or when nobody reads the output any more; further signals change nothing. */
function untilStopped(): Promise<undefined> {
  return new Promise((resolve) => {
    const stop = (): void => resolve(undefined);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
    process.stdout.on("error", stop);
  });
}

function after(ms: number): Promise<undefined> {
  return new Promise((resolve) => void setTimeout(() => resolve(undefined), ms).unref());
}

function readArguments(): Arguments | "help" {
  const { values } = parseArgs({
    options: {
      once: { type: "boolean", default: false },
      rules: { type: "string", default: "examples/rules.yaml" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  return values.help ? "help" : { once: values.once, rulesFile: values.rules };
}

function fail(error: unknown, code: number, more = ""): void {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${more}`);
  process.exit(code);
}

try {
  const given = readArguments();
  if (given === "help") process.stdout.write(USAGE);
  else {
    main(given).then(
      (code) => process.exit(code),
      (error: unknown) => fail(error, EXIT.failed),
    );
  }
} catch (error) {
  fail(error, EXIT.wrongUse, USAGE);
}
