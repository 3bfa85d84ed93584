import { isInTheClear } from "../config.ts";
import { UNCHECKED } from "../config-summary.ts";
import type { DesignerCloud } from "../designer-cloud/client.ts";
import { PlatformError } from "../errors.ts";
import { checkLive, type Finding, shutBy } from "../processors/check-live.ts";
import type { Target } from "../rules/model.ts";
import { type DoctorFinding, findingsOf } from "./finding.ts";

const { ok, warning, error, notTested } = findingsOf("platform");

const PUBLISH_PATH = /^(?:\/v4)?\/jobGroups\/\{[^}/]+\}\/publish$/;
const SKEW = { warningMs: 30_000, errorMs: 240_000 };

/** How the token gets there: who can read it on the way? `answered`: Designer Cloud did, by this address. */
export function checkTransport(
  address: string,
  answered: boolean,
  certificatesChecked: boolean,
): DoctorFinding {
  const { host, protocol } = new URL(address);
  if (isInTheClear(address)) {
    const words = `${host} is another machine and is asked by plain http: whoever is on the way reads the token`;
    return warning("transport", words, "Use https, or a way that nobody else is on.");
  }
  if (protocol !== "https:") return ok("transport", `plain http, and ${host} is this machine`);
  if (!certificatesChecked) return warning("transport", UNCHECKED.words, `${UNCHECKED.advice}.`);
  return answered
    ? ok("transport", `https, with a certificate for ${host} that this machine trusts`)
    : notTested("transport", "https, and Designer Cloud did not answer by it");
}

/** The platform was not asked. */
export function platformNotAsked(why: string, advice?: string): DoctorFinding[] {
  return ASKED.map((check) => notTested(check, why, check === "address" ? advice : undefined));
}

const ASKED = [
  "address",
  "token",
  "may list job groups",
  "may publish",
  "publish route",
  "clock",
  "connections",
] as const;

/** It was asked, and did not answer in time. */
export function platformLate(): DoctorFinding[] {
  const words = "the platform did not answer all questions in time";
  const advice = "Try again later; if that stays so, correct DESIGNER_CLOUD_URL.";
  return [error("address", words, advice), ...platformNotAsked(words).slice(1)];
}

/** Asks the platform; sends nothing that changes anything. */
export async function checkPlatform(
  platform: DesignerCloud,
  targets: readonly Target[] | undefined,
  signal: AbortSignal,
  now: () => number,
): Promise<DoctorFinding[]> {
  const live = await checkLive(targets ?? [], platform, signal);
  const access = live.filter(({ connection }) => connection === undefined).map(ofLive);
  const connections = live.filter(({ connection }) => connection !== undefined);
  const shut = shutBy(live);
  if (shut !== undefined) return [...access, ...platformNotAsked(`see the ${shut}`).slice(access.length)];
  return [
    ...access,
    ...(await checkList(platform, signal, now)),
    notTested("may publish", "the platform tells it only when something is published"),
    await checkRoute(platform, signal),
    ...(targets
      ? connections.map(ofLive)
      : [notTested("connections", "there are no good rules that name any")]),
    ...(targets?.length === 0 ? [notTested("connections", "the rules have no targets")] : []),
  ];
}

function ofLive({ check, targets = [], verdict, words }: Finding): DoctorFinding {
  const name = targets.length > 0 ? `${targets.join(", ")}: ${check}` : check;
  switch (verdict) {
    case "good":
      return ok(name, words);
    case "wrong":
      return error(name, words);
    case "doubtful":
      return warning(name, words);
    case "not tested":
      return notTested(name, words);
  }
}

/** What the poller asks: does the token allow it? Its answer tells the platform's time too. */
async function checkList(
  platform: DesignerCloud,
  signal: AbortSignal,
  now: () => number,
): Promise<DoctorFinding[]> {
  try {
    const askedAt = now();
    const { at } = await platform.listFinished({ since: askedAt, limit: 1, offset: 0 }, signal);
    return [ok("may list job groups", "the platform lists them"), clockOf(at, askedAt, now())];
  } catch (cause) {
    const { failure, message } = failureOf(cause);
    const untold = notTested("clock", "the platform did not tell its time");
    return failure.next === "refused"
      ? [
          warning("may list job groups", message, "Mend the token's rights, or the poller finds nothing."),
          untold,
        ]
      : [notTested("may list job groups", message), untold];
  }
}

/** The platform tells the second in which it answered. */
function clockOf(at: number | undefined, askedAt: number, answeredAt: number): DoctorFinding {
  if (at === undefined) return notTested("clock", "the platform does not tell its time");
  if (answeredAt - askedAt >= SKEW.warningMs)
    return notTested("clock", "the platform's answer took too long to tell by it");
  const off = Math.max(0, askedAt - (at + 1_000), at - answeredAt);
  const words = `the platform's clock and ours differ by ${Math.round(off / 1_000)} s`;
  const advice = "Set this machine's clock by NTP: signed webhooks may be 5 minutes off.";
  if (off >= SKEW.errorMs) return error("clock", words, advice);
  return off >= SKEW.warningMs ? warning("clock", words, advice) : ok("clock", "the same as ours, to 30 s");
}

/**
 * A publish is the only request that would prove the route, and it might publish. So the tenant's own OpenAPI document is
 * read: what it names is there; what it does not name may be there all the same.
 */
async function checkRoute(platform: DesignerCloud, signal: AbortSignal): Promise<DoctorFinding> {
  try {
    const paths = await platform.listApiPaths(signal);
    if (paths.some(({ path, methods }) => PUBLISH_PATH.test(path) && methods.includes("put")))
      return ok("publish route", "the tenant's own API document names it, with PUT; nothing was sent to it");
    return notTested(
      "publish route",
      "the tenant's own API document does not name it, which need not mean that it is not there; nothing was sent to it",
      "Publish one job group, and look what becomes of it.",
    );
  } catch (cause) {
    return notTested("publish route", `nothing harmless tells it: ${failureOf(cause).message}`);
  }
}

function failureOf(cause: unknown): PlatformError {
  if (cause instanceof PlatformError) return cause;
  throw cause;
}
