import { Command, CommanderError, Option } from "commander";
import { accountName, EXIT_CODES, helpText, notEmpty, reason, wholeNumber } from "./command-words.ts";
import type { ResolveArguments } from "./commands.ts";
import { ConfigError } from "./config.ts";
import { addCheck, addExplain, type Questions } from "./question-commands.ts";
import { ownVersion } from "./own-version.ts";
import type { ReplayArguments } from "./replay-command.ts";
import { addReplay } from "./replay-options.ts";
import { addStanding, type StandingActions } from "./standing-commands.ts";
import { addTenant, type TenantActions } from "./tenant-commands.ts";
import type { WebhookCreateArguments } from "./webhook-command.ts";

/** The command line is wrong; the message says what it should be. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** Commander has told the person. */
  readonly isPrinted: boolean;
  constructor(message: string, isPrinted = false) {
    super(message);
    this.isPrinted = isPrinted;
  }
}

/** What a process ends with. Of a wait that is over as `timeout` and shells say it. */
export const EXIT = {
  ok: 0,
  failed: 1,
  wrongUse: 2,
  timedOut: 124,
  interrupted: 130,
  terminated: 143,
} as const;

/** What each command does; they reject with `UsageError` or `ConfigError` for what the user has to change. */
export interface Actions extends Questions, StandingActions, TenantActions {
  start(): Promise<void>;
  resolve(args: ResolveArguments): Promise<void>;
  replay(args: ReplayArguments): Promise<void>;
  createWebhook(args: WebhookCreateArguments): Promise<void>;
  hashPassword(name: string): Promise<void>;
}

/** What to end with after an error, what is left to print for people, and for scripts that said `--json`. */
export function explainError(
  error: unknown,
  args: readonly string[] = [],
): { code: number; words: string; json?: string } {
  const words = error instanceof Error ? error.message : String(error);
  const wrong = error instanceof ConfigError || error instanceof UsageError;
  const isPrinted = error instanceof UsageError && error.isPrinted;
  return {
    code: wrong ? EXIT.wrongUse : EXIT.failed,
    words: isPrinted ? "" : words,
    ...(args.includes("--json") && { json: JSON.stringify({ ok: false, error: words }) }),
  };
}

/**
 * Runs the command that the arguments name. Resolves once it is under way or done; help and wrong usage are printed
 * here, and only wrong usage rejects, with `UsageError` and nothing more to print.
 */
export async function runCommandLine(
  args: readonly string[],
  actions: Actions,
  print: Print = PRINT,
): Promise<void> {
  const program = createProgram(actions, print);
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help that was asked for ends with 0; commander has printed all of it.
    if (error.exitCode !== 0) throw new UsageError(inPlainWords(error.message).replace(/^error: /, ""), true);
  }
}

/** The library calls an argument a command-argument. */
const inPlainWords = (text: string): string => text.replace(WRONG_ARGUMENT, "'$1' is no $2. ");

/** Where help and the words of wrong usage go. */
export interface Print {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}
const PRINT: Print = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

function createProgram(actions: Actions, { out, err }: Print): Command {
  // Set before any command is added: they take it over.
  const program = new Command("publish-relay")
    .description("Publishes finished Designer Cloud jobs to Redshift: once, at each target's pace.")
    .exitOverride()
    .configureOutput({
      writeOut: out,
      writeErr: err,
      outputError: (text, write) => write(inPlainWords(text)),
    })
    .version(ownVersion(), "-V, --version", "tell the version of publish-relay")
    .showHelpAfterError("(add --help for how it is used)")
    .addHelpText("after", helpText(EXIT_CODES));
  program
    .command("start")
    .description("run the relay until SIGTERM or SIGINT")
    .addHelpText("after", helpText(`\nExample:\n  WEBHOOK_SECRETS=... publish-relay start\n${EXIT_CODES}`))
    .action(() => actions.start());
  addCheck(program, actions);
  addStanding(program, actions);
  addTenant(program, actions);
  addExplain(program, actions);
  addResolve(program, actions);
  addReplay(program, actions);
  addWebhook(program, actions);
  addHashPassword(program, actions);
  addHelp(program);
  return program;
}

/** The library's words for an argument that does not fit, which are not for people. */
const WRONG_ARGUMENT = /command-argument value '(.*)' is invalid for argument '(\w+)'\. /s;

/** In place of the library's own `help`, which shows the general one for a command that is not there. */
function addHelp(parent: Command): void {
  parent
    .helpCommand(false)
    .command("help")
    .description("display help for command")
    .argument("[command...]")
    .action((names: string[]) => {
      let found = parent;
      for (const name of names) {
        const next = found.commands.find((command) => command.name() === name);
        if (!next) return parent.error(`error: unknown command '${name}'`);
        found = next;
      }
      return found.help();
    });
}

function addResolve(program: Command, actions: Actions): void {
  program
    .command("resolve")
    .description("decide a parked publish task: a person says what became of it")
    .argument("<taskId>", "as it stands on the board, in the queue parked")
    .addOption(new Option("--published", "it arrived: publish no more").conflicts("again"))
    .addOption(new Option("--again", "it did not arrive: publish once more"))
    .requiredOption("--reason <text>", "why; it is kept with the task", reason)
    .option("--by <name>", "who decides (default: the user of this machine)")
    .option("--json", "for scripts", false)
    .addHelpText(
      "after",
      helpText(`
Examples:
  publish-relay resolve jobgroup-31-2-public-orders --published --reason "100 rows of run 31 are there"
  publish-relay resolve jobgroup-31-2-public-orders --again --reason "no row of run 31"
${EXIT_CODES}`),
    )
    .action((taskId: string, options: Given, command: Command) => {
      const { published = false, again = false, reason, by, json } = options;
      if (!published && !again) command.error("error: say --published or --again");
      return actions.resolve({
        taskId,
        outcome: published ? "published" : "again",
        reason,
        ...(json && { json }),
        ...(by !== undefined && { by }),
      });
    });
}

function addHashPassword(program: Command, actions: Actions): void {
  program
    .command("hash-password")
    .description("write a password for BOARD_OPERATORS or BOARD_VIEWERS down as a hash")
    .argument("<name>", "whom it is for", accountName)
    .addHelpText(
      "after",
      helpText(`
Asks for the password, hidden, or takes it from what is piped in; never from the command line, which
others can see. Prints name:hash, to be put into the setting as it is.

Examples:
  publish-relay hash-password ann
  publish-relay hash-password ann < password.txt
${EXIT_CODES}`),
    )
    .action((name: string) => actions.hashPassword(name));
}

interface Given {
  readonly published?: boolean;
  readonly again?: boolean;
  readonly reason: string;
  readonly by?: string;
  readonly json: boolean;
}

function addWebhook(program: Command, actions: Actions): void {
  const webhook = program
    .command("webhook")
    .description("the webhook that reports a flow's finished jobs")
    .addHelpText(
      "after",
      helpText(`
Examples:
  publish-relay webhook create --flow 11 --url https://relay.example.com
  publish-relay webhook create --help
${EXIT_CODES}`),
    );
  webhook
    .command("create")
    .description("set up the webhook task of a flow in Designer Cloud, or print what to type there")
    .requiredOption("--flow <id>", "the flow whose jobs are to be published", wholeNumber)
    .requiredOption("--url <url>", "where the platform reaches this relay; /webhooks/designer-cloud is added")
    .option("--name <text>", "what the task is called in the flow", notEmpty, "publish-relay")
    .addOption(
      new Option("--event <event>", "tell of jobs that succeeded, or of every end")
        .choices(["success", "done"])
        .default("success"),
    )
    .option("--print", "only print what to type into the form; nothing is created", false)
    .option("--json", "for scripts", false)
    .addHelpText(
      "after",
      helpText(`
The task gets the first of WEBHOOK_SECRETS, in the way that WEBHOOK_AUTH says (designer-cloud or header).
It is created once, never twice by itself: if no answer came, look into the flow first.

Examples:
  publish-relay webhook create --flow 11 --url https://relay.example.com
  publish-relay webhook create --flow 11 --url https://relay.example.com --event done --print

Ends with 0 and a line that begins with NOT CREATED when it only printed: with --print, or when
the tenant has no such route.
${EXIT_CODES}`),
    )
    .action((options: WebhookCreateArguments) => actions.createWebhook(options));
  addHelp(webhook);
}
