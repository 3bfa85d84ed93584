import { type CheckedRules, checkRules } from "./check-rules.ts";
import { type LiveReport, tellCheck } from "./check-report.ts";
import { type Config, ConfigError } from "./config.ts";
import type { DesignerCloud } from "./designer-cloud/client.ts";
import { PlatformError } from "./errors.ts";
import type { Said } from "./explain-command.ts";
import { type Look, PLAIN } from "./look.ts";
import { checkLive, shutBy } from "./processors/check-live.ts";
import { matchRecent } from "./processors/match-recent.ts";
import { rulesNeed } from "./rules/lookups.ts";
import { explainRules } from "./rules/match-rules.ts";
import type { Rules } from "./rules/model.ts";
import { planPublishes } from "./rules/plan-publishes.ts";
import { undecidedRules } from "./rules/undecided.ts";
import { readTextFile } from "./watch-file.ts";
import { withPlatform } from "./with-platform.ts";

const RECENT = 50;

/** What `check` was asked for. */
export interface CheckArguments {
  /** Default: `RULES_FILE`. */
  readonly file?: string;
  /** Ask the platform too. */
  readonly live: boolean;
  readonly json: boolean;
}

/**
 * Checks a rules file, and with `live` what the platform says of it; needs no Redis. Not `ok` with errors in the file
 * or a live check that went wrong; warnings and what was not tested leave it `ok`. When the file
 * cannot be read or a setting is missing, throws `ConfigError`; with `json` that is told as JSON instead.
 */
export async function runCheck(args: CheckArguments, config: Config, look: Look = PLAIN): Promise<Said> {
  const file = args.file ?? config.rulesFile;
  try {
    return await check(file, args, config, look);
  } catch (error) {
    if (!args.json || !(error instanceof ConfigError)) throw error;
    const errors = error.problems.map((message) => ({ message }));
    return { text: JSON.stringify({ ok: false, file, errors }, undefined, 2), ok: false, wrongUse: true };
  }
}

async function check(file: string, args: CheckArguments, config: Config, look: Look): Promise<Said> {
  const checked = checkRules(await read(file), file);
  const live = args.live && checked.rules ? await askPlatform(checked.rules, config) : undefined;
  const isWrong = live?.findings.some(({ verdict }) => verdict === "wrong") ?? false;
  const ok = checked.rules !== undefined && !isWrong;
  const text = args.json
    ? JSON.stringify({ ok, ...toJson(checked, live) }, undefined, 2)
    : tellCheck(checked, live, look);
  return { text, ok };
}

function toJson({ rules, ...checked }: CheckedRules, live: LiveReport | undefined): object {
  return {
    ...checked,
    version: rules?.version ?? null,
    targets: rules?.targets ?? [],
    ...(live && { live }),
  };
}

async function read(file: string): Promise<string> {
  const found = await readTextFile(file);
  switch (found.kind) {
    case "text":
      return found.text;
    case "absent":
      throw new ConfigError([
        `${file} cannot be read: there is no such file: name the rules file, set RULES_FILE, or write one: publish-relay init`,
      ]);
    case "unreadable":
      throw new ConfigError([
        `${file} cannot be read: name the rules file, or set RULES_FILE (${found.words})`,
      ]);
  }
}

function askPlatform(rules: Rules, config: Config): Promise<LiveReport> {
  return withPlatform(config, "--live", async (client, signal) => {
    const findings = await checkLive(rules.targets, client, signal);
    const shut = shutBy(findings);
    if (shut !== undefined) return { findings, recentWords: `see the ${shut}` };
    return { findings, ...(await askRecent(rules, client, signal)) };
  });
}

async function askRecent(
  rules: Rules,
  client: DesignerCloud,
  signal: AbortSignal,
): Promise<Omit<LiveReport, "findings">> {
  try {
    const groups = await client.listRecent(RECENT, signal);
    const asked = {
      current: rules,
      needs: rulesNeed,
      plan: planPublishes,
      undecided: undecidedRules,
      explain: explainRules,
    };
    return { recent: await matchRecent(groups, { platform: client, rules: asked, signal }) };
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    return { recentWords: error.message };
  }
}
