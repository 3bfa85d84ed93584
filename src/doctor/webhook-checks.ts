import type { Config } from "../config.ts";
import { sign } from "../producers/signatures.ts";
import { completeUrl } from "../webhook-url.ts";
import { type DoctorFinding, findingsOf } from "./finding.ts";
import { isInTheClear } from "./platform-checks.ts";

const { ok, warning, error, notTested } = findingsOf("webhook");
const REACHED = "reached";
const WITHIN_MS = 10_000;
/** As the platform's Test button sends it: nothing is published for it. */
const TEST_BODY = '{"jobId":"$jobId","jobStatus":"$jobStatus"}';

/** Sends a test delivery to the check route of the relay, by the address that people reach it at. It changes nothing. */
export async function checkWebhook(config: Config): Promise<DoctorFinding[]> {
  const { scheme, secrets, header } = config.webhook;
  const [secret] = secrets;
  const { publicUrl } = config.notify;
  if (publicUrl === undefined)
    return [notTested(REACHED, "PUBLIC_URL is not set", "Set it to where the relay is reached.")];
  if (scheme !== "none" && secret === undefined)
    return [notTested(REACHED, "WEBHOOK_SECRETS is not set: every webhook is refused", "Set it.")];
  if (scheme === "header" && isInTheClear(publicUrl))
    return [
      notTested(REACHED, "PUBLIC_URL is plain http: the secret would be read on the way", "Use https."),
    ];
  let url: string;
  try {
    url = `${completeUrl(publicUrl, config).url}/check`;
  } catch {
    return [
      warning(
        REACHED,
        "PUBLIC_URL is no address that webhooks can be sent to",
        "Leave out ? and # and logins.",
      ),
    ];
  }
  const signed = sign(
    scheme,
    secret ?? "",
    TEST_BODY,
    header === undefined ? {} : { header: header.toLowerCase() },
  );
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...signed },
      body: TEST_BODY,
      redirect: "manual",
      signal: AbortSignal.timeout(WITHIN_MS),
    });
    const isProblem = answer.headers.get("content-type") === "application/problem+json";
    return [judge(url, answer.status, await answer.text(), isProblem)];
  } catch (cause) {
    const why = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    return [
      error(
        REACHED,
        `${url} is not reached from this machine: ${why}`,
        "Start the relay, or correct PUBLIC_URL.",
      ),
    ];
  }
}

function judge(url: string, status: number, body: string, isProblem: boolean): DoctorFinding {
  if (status === 200 && /"check":true/.test(body)) {
    const words = `${url} takes a signed test from this machine; whether the platform reaches it, the flow's Test button tells`;
    return ok(REACHED, words);
  }
  if (status === 401 && isProblem)
    return error(
      REACHED,
      `${url} refuses the signature`,
      "Give the relay and this command the same WEBHOOK_ settings.",
    );
  if (isProblem && (status === 429 || status >= 500))
    return warning(
      REACHED,
      `${url} is a relay's, and it answers ${status}: ${titleOf(body)}`,
      "See whether its Redis answers, then do this again.",
    );
  return error(
    REACHED,
    `${url} answers ${status}, as no relay does`,
    "Correct PUBLIC_URL, or the proxy before the relay.",
  );
}

function titleOf(problem: string): string {
  return /"(?:detail|title)":"((?:[^"\\]|\\.)*)"/.exec(problem)?.[1] ?? "it does not say why";
}
