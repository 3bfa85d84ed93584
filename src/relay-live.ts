import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { checkLive } from "./processors/check-live.ts";
import type { Core } from "./relay-core.ts";
import type { Rules } from "./rules/model.ts";

/** For all questions together. */
const WITHIN_MS = 60_000;

/**
 * Asks the platform once, beside the work and as soon as there are rules, whether token and connections are good, and
 * warns in the log of what is not. Past the gate: it neither waits for it nor shuts it. The function it returns ends
 * that.
 */
export function checkOnStart(
  { platform: { url, token, tokenFile } }: Config,
  { platform, rules, targets: known }: Pick<Core, "platform" | "rules" | "targets">,
  log: Logger,
): () => Promise<void> {
  const stopped = new AbortController();
  let asking: Promise<void> | undefined;
  const begin = (): void => {
    const current = rules.current();
    if (asking || stopped.signal.aborted || !current) return;
    asking = check(current).catch((error: unknown) => {
      if (stopped.signal.aborted) return;
      log.warn(
        { err: error },
        "the targets could not be checked on the platform: publish-relay check --live does it",
      );
    });
  };
  // A setting that is missing was told already.
  if (url && (token || tokenFile)) {
    known.onChange(begin);
    begin();
  }

  async function check({ targets: asked }: Rules): Promise<void> {
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(WITHIN_MS)]);
    const findings = await checkLive(asked, platform.pastGate, signal);
    for (const { verdict, words, check: what, targets, connection } of findings) {
      const level = verdict === "wrong" || verdict === "doubtful" ? "warn" : "debug";
      log[level]({ check: what, targets, connection, verdict }, `check of the targets: ${words}`);
    }
  }

  return async () => {
    stopped.abort(new Error("The process stops"));
    await asking;
  };
}
