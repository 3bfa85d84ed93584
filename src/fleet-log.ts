import type { Logger } from "pino";

/** A file reaches all processes at about the same time: so long a fleet may run two versions without a word. */
const QUIET_MS = 5_000;

/** Tells, once each, that processes run other rules than this one, and that they do no more. */
export function createFleetLog(
  log: Logger,
): (own: string | undefined, versions: readonly string[], nowMs: number) => void {
  let since: number | undefined;
  let told: readonly string[] | undefined;
  return (own, versions, nowMs) => {
    const isMixed = own !== undefined && versions.some((one) => one !== own);
    if (isMixed) {
      since ??= nowMs;
      if (told || nowMs - since <= QUIET_MS) return;
      told = versions;
      log.warn(
        { rulesVersion: own, versions },
        "the fleet runs different versions of the rules: give all processes the same file",
      );
      return;
    }
    since = undefined;
    if (told)
      log.info({ rulesVersion: own, versions: told }, "the fleet runs one version of the rules again");
    told = undefined;
  };
}
