import type { Command } from "commander";
import type { CheckArguments } from "./check-command.ts";
import { EXIT_CODES, helpText, wholeNumber } from "./command-words.ts";
import type { ExplainArguments } from "./explain-command.ts";

/** What the commands do that ask and change nothing. */
export interface Questions {
  check(args: CheckArguments): Promise<void>;
  explain(args: ExplainArguments): Promise<void>;
}

/** Adds `check`. */
export function addCheck(program: Command, actions: Questions): void {
  program
    .command("check")
    .description("read a rules file and tell its errors, warnings, targets and publications")
    .argument("[rulesFile]", "default: RULES_FILE, rules.yaml")
    .option(
      "--live",
      "ask the platform too: token, connections, what the last 50 job groups would match",
      false,
    )
    .option("--json", "for scripts", false)
    .addHelpText(
      "after",
      helpText(`
Needs no Redis, and without --live no platform. Changes nothing.

Examples:
  publish-relay check rules.yaml
  publish-relay check rules.yaml --live
  publish-relay check --json | jq .errors

Exit codes: 0 good, also with warnings; 1 errors in the rules, or a live check that found something wrong;
2 wrong usage, a wrong setting, or no such file. What could not be tested changes nothing.`),
    )
    .action((file: string | undefined, options: { live: boolean; json: boolean }) =>
      actions.check({ ...(file !== undefined && { file }), ...options }),
    );
}

/** Adds `explain`. */
export function addExplain(program: Command, actions: Questions): void {
  program
    .command("explain")
    .description("tell which rules match a job group and why, what would be sent, and how its targets stand")
    .argument("<jobGroupId>", "the id that the platform gave it", wholeNumber)
    .option("--json", "for scripts: what GET /v1/job-groups/{id}/explain answers", false)
    .addHelpText(
      "after",
      helpText(`
Asks Redis and the platform, also about a job group that nobody reported; changes nothing.
Labels come with reports: without one, a rule that asks for labels does not match.

Examples:
  publish-relay explain 31
  publish-relay explain 31 --json

Ends with 1, after what can be told, when the platform does not answer or does not know the job group.
${EXIT_CODES}`),
    )
    .action((jobGroupId: number, { json }: { json: boolean }) => actions.explain({ jobGroupId, json }));
}
