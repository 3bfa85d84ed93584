import { type Command, InvalidArgumentError, Option } from "commander";
import { EXIT_CODES, helpText, key, notEmpty, wholeNumber } from "./command-words.ts";
import type { ConnectionsArguments } from "./connections-command.ts";
import { RUN_FORMATS, runBody } from "./http/run-schema.ts";
import type { InitArguments } from "./init-command.ts";
import { parseDuration } from "./rules/duration.ts";
import type { RunArguments } from "./run-command.ts";

/** What the commands do that look into the tenant, or run something there. */
export interface TenantActions {
  run(args: RunArguments): Promise<void>;
  connections(args: ConnectionsArguments): Promise<void>;
  init(args: InitArguments): Promise<void>;
}

/** Adds `init`, `connections` and `run`. */
export function addTenant(program: Command, actions: TenantActions): void {
  addInit(program, actions);
  addConnections(program, actions);
  addRun(program, actions);
}

function addInit(program: Command, actions: TenantActions): void {
  program
    .command("init")
    .description("write a first rules file from the tenant's connections and the recipes that ran last")
    .argument("[rulesFile]", "default: RULES_FILE, rules.yaml")
    .option("--connection <id>", "the connection that the rules publish to", wholeNumber)
    .option("--force", "replace a file that is there", false)
    .addHelpText(
      "after",
      helpText(`
Asks the platform and needs no Redis; changes nothing there. A file that is there is never replaced without --force.
With several Redshift connections and no --connection the rules are switched off until you choose.

Examples:
  publish-relay init
  publish-relay init rules.yaml --connection 2
${EXIT_CODES}`),
    )
    .action((file: string | undefined, { force, connection }: Omit<InitArguments, "file">) =>
      actions.init({
        force,
        ...(file !== undefined && { file }),
        ...(connection !== undefined && { connection }),
      }),
    );
}

function addConnections(program: Command, actions: TenantActions): void {
  program
    .command("connections")
    .description("list the platform's connections that could be targets")
    .option("--all", "those of other kinds too", false)
    .option("--json", "for scripts", false)
    .addHelpText(
      "after",
      helpText(`
Asks the platform and needs no Redis; changes nothing.

Examples:
  publish-relay connections
  publish-relay connections --json | jq '.connections[].id'

Ends with 1 when there is none that could be a target.
${EXIT_CODES}`),
    )
    .action((options: ConnectionsArguments) => actions.connections(options));
}

function addRun(program: Command, actions: TenantActions): void {
  program
    .command("run")
    .description("run a recipe on the platform; when the job has ended it is published by the rules")
    .argument("<recipeId>", "the recipe (on the platform: wrangledDataset)", wholeNumber)
    .option("--param <name=value>", "a value of a parameter in this run; may be given again", parameter, {})
    .addOption(
      new Option(
        "--format <format>",
        "have the results in this format when the recipe's last ones lack it",
      ).choices(RUN_FORMATS),
    )
    .option("--path <uri>", "where that is written (default: beside the recipe's last results)", notEmpty)
    .option("--key <text>", "names the run: the same key runs once (default: a new one)", key)
    .option("--wait", "until it has ended and its publish tasks have", false)
    .option("--timeout <duration>", "with --wait: no longer than this (10m)", duration)
    .option("--json", "for scripts: what POST /v1/runs answers, and with --wait how it ended", false)
    .addHelpText(
      "after",
      helpText(`
The same --key never runs anything twice, however often it is asked. With --format the run writes that one
result in place of the recipe's own outputs; the platform does not check it before the job runs.

Examples:
  publish-relay run 27 --wait --timeout 30m
  publish-relay run 27 --param country=Germany --key orders-2026-11-24
  publish-relay run 27 --format avro --json

Ends with 1 when it was not started, or it is not known whether it was; with --wait also when the job failed or
not all of its results were published. A wait that ends before the job does ends with 124 after --timeout, with
130 after Ctrl-C and 143 after SIGTERM; the job goes on, and is published all the same.
${EXIT_CODES}`),
    )
    .action((recipeId: number, options: RunOptions, command: Command) => {
      const { param, format, path, key: named, wait, timeout, json } = options;
      if (timeout !== undefined && !wait) command.error("error: --timeout goes with --wait");
      const { error } = runBody.safeParse({ recipeId, parameters: param });
      if (error) command.error(`error: --param: ${error.issues.map(({ message }) => message).join("; ")}`);
      if (path !== undefined && format === undefined) command.error("error: --path goes with --format");
      return actions.run({
        recipeId,
        parameters: param,
        wait,
        json,
        ...(format !== undefined && { format }),
        ...(path !== undefined && { path }),
        ...(named !== undefined && { key: named }),
        ...(timeout !== undefined && { timeoutMs: timeout }),
      });
    });
}

interface RunOptions extends Pick<RunArguments, "format" | "path" | "key" | "wait" | "json"> {
  readonly param: Readonly<Record<string, string>>;
  readonly timeout?: number;
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (!ms) throw new InvalidArgumentError("It must be a duration like 90s or 10m.");
  return ms;
}

function parameter(text: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new InvalidArgumentError("It must be like country=Germany.");
  if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`${name} is given twice.`);
  return { ...before, [name]: value };
}
