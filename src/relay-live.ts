import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { checkLive } from "./processors/check-live.ts";
import type { Core } from "./relay-core.ts";
import type { Rules } from "./rules/model.ts";

/** For all questions together. */
const WITHIN_MS = 60_000;

/**
 * Asks the platform once, beside the work, whether token and connections are good, and warns in the log of what is
 * not. Past the gate: it neither waits for it nor shuts it. The function it returns ends that.
 */
export function checkOnStart(
  config: Config,
  { platform }: Pick<Core, "platform">,
  rules: Rules,
  log: Logger,
): () => Promise<void> {
  const stopped = new AbortController();
  const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(WITHIN_MS)]);
  const asking = check().catch((error: unknown) => {
    if (stopped.signal.aborted) return;
    log.warn(
      { err: error },
      "the targets could not be checked on the platform: publish-relay check --live does it",
    );
  });

  async function check(): Promise<void> {
    // A setting that is missing was told already.
    const { url, token, tokenFile } = config.platform;
    if (!url || !(token || tokenFile)) return;
    const findings = await checkLive(rules.targets, platform.pastGate, signal);
    for (const { verdict, words, check: what, targets, connection } of findings) {
      const level = verdict === "wrong" ? "warn" : "debug";
      log[level]({ check: what, targets, connection, verdict }, `check of the targets: ${words}`);
    }
  }

  return async () => {
    stopped.abort(new Error("The process stops"));
    await asking;
  };
}
