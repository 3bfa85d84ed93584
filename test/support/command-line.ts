import { runCheck } from "../../src/check-command.ts";
import { EXIT, explainError, runCommandLine } from "../../src/command-line.ts";
import { readConfig } from "../../src/config.ts";
import { runConnections } from "../../src/connections-command.ts";
import { runInit } from "../../src/init-command.ts";
import { PLAIN } from "../../src/look.ts";
import { runWebhookCreate, tellWebhook, toWebhookJson } from "../../src/webhook-command.ts";

/** Runs the command line in this process, as the program does; a command that opens Redis is only named in the output. */
export async function runCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number; output: string }> {
  let output = "";
  let code: number = EXIT.ok;
  const print = (text: string): void => {
    output += text;
  };
  const named = (what: string) => async (given?: object) => print(`${what} ${JSON.stringify(given)}`);
  try {
    await runCommandLine(
      args,
      {
        start: named("start"),
        check: async (given) => {
          const { text, ok, wrongUse } = await runCheck(given, readConfig(env));
          print(text);
          if (!ok) code = wrongUse ? EXIT.wrongUse : EXIT.failed;
        },
        explain: named("explain"),
        status: named("status"),
        doctor: named("doctor"),
        run: named("run"),
        connections: async (given) => {
          const { text, ok } = await runConnections(given, readConfig(env));
          print(text);
          if (!ok) code = EXIT.failed;
        },
        init: async (given) => print((await runInit(given, readConfig(env))).text),
        resolve: named("resolve"),
        replay: named("replay"),
        hashPassword: async (name) => print(`hash-password ${name}`),
        createWebhook: async (given) => {
          const created = await runWebhookCreate(given, readConfig(env));
          if (given.json) return print(JSON.stringify(toWebhookJson(created)));
          for (const warning of created.warnings) print(`warning: ${warning}\n`);
          print(`${tellWebhook(created, PLAIN)}\n`);
        },
      },
      { out: print, err: print },
    );
    return { code, output };
  } catch (error) {
    const { code: failed, words } = explainError(error);
    return { code: failed, output: `${output}${words}` };
  }
}
