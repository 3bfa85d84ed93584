import { type Config, isInTheClear } from "../config.ts";
import { readableReason } from "../designer-cloud/readable-reason.ts";
import { sign } from "../producers/signatures.ts";
import { completeUrl } from "../webhook-url.ts";
import { type DoctorFinding, findingsOf } from "./finding.ts";

const { ok, warning, error, notTested } = findingsOf("webhook");
const REACHED = "reached";
const WITHIN_MS = 10_000;
/** As the platform's Test button sends it: nothing is published for it. */
const TEST_BODY = '{"jobId":"$jobId","jobStatus":"$jobStatus"}';

/** No relay's: one of every scheme's form. */
const WRONG_SECRET = `whsec_${Buffer.from("publish-relay doctor, wrong on purpose").toString("base64")}`;

/**
 * Sends a test delivery to the check route of the relay, by the address that people reach it at, and another that is
 * signed wrongly. It changes nothing.
 */
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
  const options = header === undefined ? {} : { header: header.toLowerCase() };
  try {
    const taken = await send(url, sign(scheme, secret ?? "", TEST_BODY, options));
    const trouble = judgeTest(url, taken, scheme === "none");
    if (trouble) return [trouble];
    // Without a signature of its own it took one that has none already.
    const forged =
      scheme === "none" ? taken : await send(url, sign(scheme, WRONG_SECRET, TEST_BODY, options));
    const isChecked = config.certificatesChecked || !url.startsWith("https:");
    return [judgeForged(url, forged, isChecked)];
  } catch (cause) {
    const why = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    return [
      error(
        REACHED,
        `${url} is not reached from this machine: ${readableReason(why)}`,
        "Start the relay, or correct PUBLIC_URL.",
      ),
    ];
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly isProblem: boolean;
}

async function send(url: string, signed: Readonly<Record<string, string>>): Promise<Answer> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...signed },
    body: TEST_BODY,
    redirect: "manual",
    signal: AbortSignal.timeout(WITHIN_MS),
  });
  const isProblem = answer.headers.get("content-type") === "application/problem+json";
  return { status: answer.status, body: await answer.text(), isProblem };
}

const isTaken = ({ status, body }: Answer): boolean => status === 200 && /"check":true/.test(body);

/** Why a delivery was not taken that should be; undefined: it was. */
function judgeTest(url: string, answer: Answer, isUnsigned: boolean): DoctorFinding | undefined {
  const { status, body, isProblem } = answer;
  if (isTaken(answer)) return undefined;
  if (status === 401 && isProblem)
    return error(
      REACHED,
      isUnsigned ? `${url} refuses an unsigned test` : `${url} refuses the signature`,
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

/** A relay takes what is signed well whether it looks at signatures or not: what becomes of one that is not tells. */
function judgeForged(url: string, answer: Answer, isCertificateChecked: boolean): DoctorFinding {
  if (isTaken(answer))
    return warning(
      REACHED,
      `${url} takes an unsigned test: whoever reaches it can report completions`,
      "Set WEBHOOK_SECRETS and a WEBHOOK_AUTH other than none where that relay runs.",
    );
  if (answer.status !== 401)
    return notTested(
      REACHED,
      `${url} takes a signed test; whether it refuses one that is signed wrongly was not told: it answers ${answer.status}`,
      "Do this again.",
    );
  if (!isCertificateChecked)
    return warning(
      REACHED,
      `${url} takes a signed test, and its certificate was not checked (NODE_TLS_REJECT_UNAUTHORIZED=0)`,
      "Take it out, and trust its CA by NODE_EXTRA_CA_CERTS.",
    );
  return ok(
    REACHED,
    `${url} takes a signed test from this machine, and refuses one that is signed wrongly; whether the platform reaches it, the flow's Test button tells`,
  );
}

function titleOf(problem: string): string {
  return /"(?:detail|title)":"((?:[^"\\]|\\.)*)"/.exec(problem)?.[1] ?? "it does not say why";
}
