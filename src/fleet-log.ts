import type { Logger } from "pino";

/** A file reaches all processes at about the same time: so long a fleet may run two versions without a word. */
const QUIET_MS = 5_000;

/** What the processes that live run, and whose limits hold. */
export interface Fleet {
  /** Undefined until Redis has answered for the first time. */
  readonly versions: readonly string[] | undefined;
  readonly newest: string | undefined;
}

/** Whose limits hold, when that has to be said: the processes run several versions, or none of them the newest. */
export function tellWhoseLimits({ versions = [], newest }: Fleet): string | undefined {
  const isOrphaned = newest !== undefined && !versions.includes(newest);
  if (versions.length < 2 && !isOrphaned) return undefined;
  return `the limits are those of ${newest}${isOrphaned ? ", which nobody runs" : ""}`;
}

/** Tells, once each, that processes run other rules than this one or none the newest, and that it is over. */
export function createFleetLog(log: Logger): (own: string | undefined, fleet: Fleet, nowMs: number) => void {
  let since: number | undefined;
  let told: readonly string[] | undefined;
  let words: readonly string[] = [];
  return (own, fleet, nowMs) => {
    const { versions = [], newest } = fleet;
    const trouble = own === undefined ? undefined : troubleOf(own, fleet);
    if (trouble !== undefined) {
      since ??= nowMs;
      if (words.includes(trouble) || nowMs - since <= QUIET_MS) return;
      told ??= versions;
      words = [...words, trouble];
      log.warn({ rulesVersion: own, versions, limitsOf: newest }, trouble);
      return;
    }
    since = undefined;
    if (told)
      log.info({ rulesVersion: own, versions: told }, "the fleet runs one version of the rules again");
    told = undefined;
    words = [];
  };
}

function troubleOf(own: string, { versions = [], newest }: Fleet): string | undefined {
  if (versions.some((one) => one !== own))
    return "the fleet runs different versions of the rules: give all processes the same file";
  return newest === undefined || versions.includes(newest)
    ? undefined
    : "the limits are those of rules that nobody runs: within a minute those of this process hold, unless a process with the newer ones comes back";
}
