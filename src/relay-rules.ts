import { basename } from "node:path";
import type { Logger } from "pino";
import { type Config, ConfigError } from "./config.ts";
import type { Rules } from "./rules/model.ts";
import { nothingPublished } from "./rules/nothing-published.ts";
import { parseRules } from "./rules/parse-rules.ts";
import { RulesError } from "./rules/rules-error.ts";
import { type FileRead, readTextFile, watchFile } from "./watch-file.ts";

/** The rules file, as this process has it. */
export interface LiveRules {
  /** The last good ones; undefined when there were none yet. */
  readonly current: () => Rules | undefined;
  /** Why the file as it is now is not in force, a line for each problem with line and column; undefined when it is. */
  readonly refused: () => string | undefined;
  /** Takes over each good file from now on, and calls this after. The function it returns ends that. */
  readonly watch: (onChange: () => void) => () => void;
}

/**
 * Reads the rules file. The default one may be missing; it takes over when it comes.
 *
 * @throws ConfigError when the file is named and not there, or wrong.
 */
export async function openRules(config: Config, log: Logger): Promise<LiveRules> {
  const { rulesFile } = config;
  const first = await readTextFile(rulesFile);
  let current = firstRules(first, config);
  let refused: string | undefined;
  if (current) tell(current.rules, current.warnings, "rules");

  function tell({ version, targets, rules }: Rules, warnings: readonly string[], words: string): void {
    for (const warning of warnings) log.warn(warning);
    const nothing = nothingPublished({ rules });
    if (nothing !== undefined) log.warn(nothing);
    log.info({ rulesVersion: version, targets: targets.length, rules: rules.length }, words);
  }

  function takeOver(read: FileRead): boolean {
    const before = current?.rules.version;
    try {
      const next = rulesOf(read, { ...config, rulesFileNamed: before !== undefined });
      refused = undefined;
      if (!next) return false;
      current = next;
      const words =
        next.rules.version === before
          ? "the rules file is again the one whose rules are in force"
          : "new rules are in force";
      tell(next.rules, next.warnings, words);
      return next.rules.version !== before;
    } catch (error) {
      // Whatever is wrong with it, a file must not end a process that runs well on the last good one.
      refused = error instanceof Error ? error.message : String(error);
      const stays = before === undefined ? "completions wait" : `version ${before} stays in force`;
      const shown = error instanceof RulesError ? error.show().join("\n") : refused;
      log.error({ rulesVersion: before }, `the rules file was refused, ${stays}:\n${shown}`);
      return false;
    }
  }

  return {
    current: () => current?.rules,
    refused: () => refused,
    watch: (onChange) =>
      watchFile(
        rulesFile,
        (read) => {
          if (takeOver(read)) onChange();
        },
        { known: first },
      ),
  };
}

type Read = { rules: Rules; warnings: string[] } | undefined;

function firstRules(read: FileRead, config: Config): Read {
  try {
    return rulesOf(read, config);
  } catch (error) {
    if (error instanceof RulesError) throw new ConfigError(error.show());
    throw error;
  }
}

/** @throws ConfigError when a file that is named cannot be read, RulesError when it is wrong. */
function rulesOf(
  read: FileRead,
  { rulesFile, rulesFileNamed }: Pick<Config, "rulesFile" | "rulesFileNamed">,
): Read {
  switch (read.kind) {
    case "absent":
      if (!rulesFileNamed) return undefined;
      throw new ConfigError([
        `RULES_FILE ${rulesFile} cannot be read: there is no such file: correct it, or write one: publish-relay init`,
      ]);
    case "unreadable":
      throw new ConfigError([`RULES_FILE ${rulesFile} cannot be read: ${read.words}`]);
    case "text":
      return parseRules(read.text, basename(rulesFile));
  }
}
