import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { whereRedisIs } from "./config-summary.ts";
import { type DoctorFinding, findingsOf } from "./doctor/finding.ts";
import { checkPlatform, checkTransport, platformLate, platformNotAsked } from "./doctor/platform-checks.ts";
import { checkRedis, redisAway } from "./doctor/redis-checks.ts";
import { checkRulesFile } from "./doctor/rules-checks.ts";
import { checkSettings } from "./doctor/settings-checks.ts";
import { checkWebhook } from "./doctor/webhook-checks.ts";
import type { Said } from "./explain-command.ts";
import { type Cell, type Look, PLAIN, table } from "./look.ts";
import { noStoreWords } from "./own-store.ts";
import { count } from "./pages/words.ts";
import { explainRedisError, findRedisTrouble } from "./reach-redis.ts";
import type { Rules } from "./rules/model.ts";
import { withPlatform } from "./with-platform.ts";
import { withReach } from "./with-core.ts";

/** What `doctor` was asked for. */
export interface DoctorArguments {
  readonly json: boolean;
}

/**
 * Checks all that a relay with these settings needs; changes nothing. Not `ok` with an error among the findings; warnings
 * and what was not tested leave it `ok`. `now` is this machine's clock in epoch milliseconds.
 */
export async function runDoctor(
  { json }: DoctorArguments,
  config: Config,
  log: Logger,
  look: Look = PLAIN,
  now: () => number = Date.now,
): Promise<Said> {
  const { findings: ofRules, rules } = await checkRulesFile(config);
  const [ofSettings, ofRedis, ofPlatform, ofWebhook] = await Promise.all([
    checkSettings(config),
    askRedis(config, log, now),
    askPlatform(config, rules, now),
    checkWebhook(config),
  ]);
  const findings = [...ofSettings, ...ofRedis, ...ofPlatform, ...ofRules, ...ofWebhook];
  const ok = findings.every(({ verdict }) => verdict !== "error");
  return { text: json ? JSON.stringify({ ok, findings }, undefined, 2) : tellFindings(findings, look), ok };
}

async function askRedis(config: Config, log: Logger, now: () => number): Promise<DoctorFinding[]> {
  // It makes no store. What `start` will make there cannot be tested before.
  const none = await noStoreWords(config);
  if (none !== undefined) return [findingsOf("redis").notTested("answers", none)];
  try {
    return await withReach(config, log, async (reach) => {
      const trouble = await findRedisTrouble(reach.connections, config);
      return trouble ? redisAway(trouble) : checkRedis(reach, whereRedisIs(config), now);
    });
  } catch (error) {
    return redisAway(explainRedisError(error, config));
  }
}

async function askPlatform(
  config: Config,
  rules: Rules | undefined,
  now: () => number,
): Promise<DoctorFinding[]> {
  const { url, token, tokenFile } = config.platform;
  if (!url) return platformNotAsked("DESIGNER_CLOUD_URL is not set", "Set it.");
  if (!token && !tokenFile)
    return [
      checkTransport(url, false, config.certificatesChecked),
      ...platformNotAsked("DESIGNER_CLOUD_TOKEN is not set: nothing is asked without it", "Set it."),
    ];
  const asked = withPlatform(config, "doctor", (platform, signal) =>
    checkPlatform(platform, rules?.targets, signal, now),
  );
  const found = await asked.catch((error: unknown): DoctorFinding[] => {
    if (error instanceof Error && error.name === "TimeoutError") return platformLate();
    throw error;
  });
  const answered = found.some(({ check, verdict }) => check === "address" && verdict === "ok");
  return [checkTransport(url, answered, config.certificatesChecked), ...found];
}

const STYLES = { ok: "good", warning: "warn", error: "bad", "not tested": "dim" } as const;

function tellFindings(findings: readonly DoctorFinding[], look: Look): string {
  const rows = findings.map(({ part, check, verdict, words, advice }): Cell[] => [
    { text: verdict === "error" ? "ERROR" : verdict, style: STYLES[verdict] },
    part,
    check,
    advice === undefined ? words : `${/[.?!]$/.test(words) ? words : `${words}.`} ${advice}`,
  ]);
  const number = (verdict: DoctorFinding["verdict"]): number =>
    findings.filter((one) => one.verdict === verdict).length;
  const sum = `${number("ok")} ok, ${count(number("warning"), "warning")}, ${count(number("error"), "error")}, ${number("not tested")} not tested`;
  return [...table("Checks", ["found", "part", "check", "words"], rows, look).slice(1), "", sum].join("\n");
}
