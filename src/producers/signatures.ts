import {
  hmac,
  keyOf,
  type SignatureScheme,
  type Verify,
  verifyDesignerCloud,
  verifyGithub,
  verifyHeader,
  verifyStandardWebhooks,
} from "./signature-schemes.ts";

export type { SignatureScheme, Verify };

export interface VerifyOptions {
  readonly scheme: SignatureScheme;
  /** Any of them is good, so that they can be rotated; with none, every scheme but `none` refuses everything. */
  readonly secrets: readonly string[];
  /** Renames the header that carries the signature or secret. */
  readonly header?: string;
  /** Epoch milliseconds; default `Date.now`. */
  readonly now?: () => number;
}

/** The header that carries the signature or secret, unless it is renamed. */
export const DEFAULT_HEADER: Readonly<Record<SignatureScheme, string>> = {
  "designer-cloud": "x-webhook-signature",
  "standard-webhooks": "webhook-signature",
  github: "x-hub-signature-256",
  header: "x-webhook-secret",
  none: "",
};

const NO_SECRET =
  "This relay has no webhook secret, so it takes no webhook: set WEBHOOK_SECRETS where it runs " +
  "(or WEBHOOK_AUTH=none to take unsigned ones).";

/**
 * Builds the check of a scheme. Keys are made once; a check costs one HMAC a secret.
 *
 * Throws when a secret cannot be one of the scheme's.
 */
export function createVerify(options: VerifyOptions): Verify {
  const { scheme, now = Date.now } = options;
  // An empty secret would let in whoever knows that it is empty.
  const secrets = options.secrets.filter((secret) => secret.length > 0);
  const header = (options.header ?? DEFAULT_HEADER[scheme]).toLowerCase();
  if (scheme === "none") return () => undefined;
  if (secrets.length === 0) return () => NO_SECRET;
  const keys = secrets.map((secret) => keyOf(scheme, secret));
  switch (scheme) {
    case "designer-cloud":
      return verifyDesignerCloud(header, keys, now);
    case "standard-webhooks":
      return verifyStandardWebhooks(header, keys, now);
    case "github":
      return verifyGithub(header, keys);
    case "header":
      return verifyHeader(header, secrets);
  }
}

/** The headers that make `body` a valid request; what `createVerify` accepts. */
export function sign(
  scheme: SignatureScheme,
  secret: string,
  body: string | Buffer,
  options: { readonly timeMs?: number; readonly id?: string; readonly header?: string } = {},
): Record<string, string> {
  const { timeMs = Date.now(), id = "msg_1", header = DEFAULT_HEADER[scheme] } = options;
  const seconds = Math.floor(timeMs / 1_000);
  switch (scheme) {
    case "designer-cloud":
      return {
        [header]: `t=${timeMs},sha256=${hmac(keyOf(scheme, secret), `${timeMs}.`, body).toString("hex")}`,
      };
    case "standard-webhooks": {
      const mac = hmac(keyOf(scheme, secret), `${id}.${seconds}.`, body).toString("base64");
      return { "webhook-id": id, "webhook-timestamp": String(seconds), [header]: `v1,${mac}` };
    }
    case "github":
      return { [header]: `sha256=${hmac(keyOf(scheme, secret), "", body).toString("hex")}` };
    case "header":
      return { [header]: secret };
    case "none":
      return {};
  }
}
