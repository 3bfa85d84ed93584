import type { Command } from "commander";
import { EXIT_CODES, helpText, wholeNumber } from "./command-words.ts";
import type { DoctorArguments } from "./doctor-command.ts";
import type { StatusArguments } from "./status-command.ts";

/** What the commands do that tell how the relay stands. */
export interface StandingActions {
  status(args: StatusArguments): Promise<void>;
  doctor(args: DoctorArguments): Promise<void>;
}

/** Adds `status` and `doctor`. */
export function addStanding(program: Command, actions: StandingActions): void {
  program
    .command("status")
    .description("tell how everything stands, or the story of one job group")
    .argument("[jobGroupId]", "the id that the platform gave it", wholeNumber)
    .option("--json", "for scripts", false)
    .addHelpText(
      "after",
      helpText(`
Asks Redis alone, whether the relay runs or not; changes nothing. Says first which Redis and which namespace.

Examples:
  publish-relay status
  publish-relay status 31
  publish-relay status --json | jq .parked

Ends with 1 when Redis does not answer or is none, or nothing is known of the job group.
${EXIT_CODES}`),
    )
    .action((jobGroupId: number | undefined, { json }: { json: boolean }) =>
      actions.status({ json, ...(jobGroupId !== undefined && { jobGroupId }) }),
    );
  program
    .command("doctor")
    .description("check Redis, the platform, the rules and the webhook, and say what to do")
    .option("--json", "for scripts", false)
    .addHelpText(
      "after",
      helpText(`
Changes nothing: no publish request is sent, and the webhook gets a test delivery. What was not tested is told as
such, never as ok. Without REDIS_URL the relay's own redis-server is started for it, unless it runs or has no data yet.

Examples:
  publish-relay doctor
  publish-relay doctor --json | jq '.findings[] | select(.verdict == "error")'

Exit codes: 0 no error, also with warnings; 1 at least one error; 2 wrong usage or a wrong setting.`),
    )
    .action((options: DoctorArguments) => actions.doctor(options));
}
