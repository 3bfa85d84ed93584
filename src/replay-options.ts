import { type Command, InvalidArgumentError } from "commander";
import { EXIT_CODES, helpText, key, notEmpty, reason, wholeNumber } from "./command-words.ts";
import { moment } from "./producers/moment.ts";
import type { ReplayArguments } from "./replay-command.ts";

/** Adds `replay`. */
export function addReplay(
  program: Command,
  { replay }: { readonly replay: (args: ReplayArguments) => Promise<void> },
): void {
  program
    .command("replay")
    .description("publish job groups again, on purpose: tells what it would do, and with --yes does it")
    .argument("[jobGroupId...]", "the ids that the platform gave them", idList)
    .option("--since <time>", "job groups that finished from then on: 2026-11-24T08:00:00Z, or 2h back", time)
    .option("--until <time>", "and up to then (default: now)", time)
    .option("--rule <name>", "only tasks that this rule makes", notEmpty)
    .option("--target <name>", "only tasks for this target", notEmpty)
    .option("--failed", "only tasks that failed", false)
    .option("--force", "send again what is published already", false)
    .option("--reason <text>", "why; it is kept with each task", reason)
    .option(
      "--key <text>",
      "names a replay by force: the same key sends no task twice (default: the reason)",
      key,
    )
    .option("--by <name>", "who asks (default: the user of this machine)", notEmpty)
    .option("--yes", "do it", false)
    .option("--json", "for scripts: what POST /v1/replays answers", false)
    .addHelpText(
      "after",
      helpText(`
Goes by the rules in force, also for tasks that failed by older ones. Without --force nothing is published
again. Replayed tasks stand behind all that come by themselves.

--force on load, create and createAndLoad needs --reason: load appends, so the rows will be in the table
twice. A task that had a forced replay of the same --key (without one, of the same reason) is left alone:
so one that was cut off is asked for again in the same words. What is parked is never replayed: decide it with publish-relay resolve.

Examples:
  publish-relay replay 31 32
  publish-relay replay --since 2h --failed --yes
  publish-relay replay --since 2026-11-24T08:00:00Z --until 2026-11-24T10:00:00Z --target sales
  publish-relay replay 31 --force --reason "the table was emptied by mistake" --yes

Ends with 1, after all that could be done, when something is refused (also when it changed after it was
looked at) or not known, no rule matches a job group that was named, or Redis went away: what was done is told then.
${EXIT_CODES}`),
    )
    .action((ids: number[], options: Given, command: Command) => {
      const { since, until } = options;
      const named = ids.length > 0;
      if (until !== undefined && since === undefined) command.error("error: --until goes with --since");
      if (named && since !== undefined)
        command.error("error: job groups are named and --since is said: take one of them");
      if (!named && since === undefined) command.error("error: name job groups, or say --since");
      if (until !== undefined && since !== undefined && until <= since)
        command.error("error: --until must be later than --since (2h is earlier than 1h)");
      return replay({ ...options, ...(named && { jobGroupIds: ids }) });
    });
}

type Given = Omit<ReplayArguments, "jobGroupIds">;

const idList = (text: string, before: number[] | undefined): number[] => [
  ...(before ?? []),
  wholeNumber(text),
];

/** Into epoch milliseconds. */
function time(text: string): number {
  const read = moment.safeParse(text);
  if (!read.success) throw new InvalidArgumentError(`It ${read.error.issues[0]?.message ?? "is no time"}.`);
  return "at" in read.data ? read.data.at : Date.now() - read.data.backMs;
}
