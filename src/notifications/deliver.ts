import { Agent } from "undici";
import { askedToWaitMs } from "../designer-cloud/retry-after.ts";
import { sign } from "../producers/signatures.ts";
import type { Address } from "./addresses.ts";
import type { Notification } from "./notification.ts";

/** What came of one try; `words` name the host alone. */
export type Delivered =
  | { readonly next: "done" }
  /** Never again: the address is gone for good. */
  | { readonly next: "stop"; readonly words: string }
  | { readonly next: "again"; readonly words: string; readonly waitMs?: number };

export interface Delivery {
  /** Sends it once; never rejects. */
  readonly send: (address: Address, notification: Notification, signal: AbortSignal) => Promise<Delivered>;
  readonly close: () => Promise<void>;
}

const TIMEOUT_MS = 10_000;

/** Signed POSTs. A redirect is not followed: it could lead anywhere. */
export function createDelivery(secrets: readonly string[], timeoutMs = TIMEOUT_MS): Delivery {
  const agent = new Agent({
    connect: { timeout: timeoutMs },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    keepAliveTimeout: 1_000,
  });
  return {
    send: async (address, { id, body }, stopped) => {
      const text = JSON.stringify(body);
      const late = AbortSignal.timeout(timeoutMs);
      try {
        const answer = await agent.request({
          origin: address.origin,
          path: address.path,
          method: "POST",
          headers: {
            "content-type": "application/json",
            "user-agent": "publish-relay",
            ...signedBy(secrets, id, text),
            ...(address.authorization && { authorization: address.authorization }),
          },
          body: text,
          signal: AbortSignal.any([late, stopped]),
        });
        // What it says is not ours to know: it may repeat the address.
        await answer.body.dump();
        return judge(address, answer.statusCode, answer.headers);
      } catch (error) {
        return { next: "again", words: `${address.host}: ${late.aborted ? LATE(timeoutMs) : codeOf(error)}` };
      }
    },
    close: () => agent.destroy(),
  };
}

const LATE = (ms: number): string => `no answer within ${ms / 1_000} s`;

function judge({ host }: Address, status: number, headers: Parameters<typeof waitOf>[1]): Delivered {
  if (status >= 200 && status < 300) return { next: "done" };
  const words = `${host} answered ${status}`;
  if (status === 410) return { next: "stop", words: `${words}: it is gone, take it out of NOTIFY_URLS` };
  const waitMs = waitOf(status, headers);
  const redirect = status >= 300 && status < 400 ? ": a redirect, which is not followed" : "";
  return { next: "again", words: words + redirect, ...(waitMs !== undefined && { waitMs }) };
}

const waitOf = (
  status: number,
  headers: Parameters<typeof askedToWaitMs>[0]["headers"],
): number | undefined => askedToWaitMs({ status, headers, words: "" }, Date.now());

/** One signature for each secret, so that a receiver may know either while they are changed. */
function signedBy(secrets: readonly string[], id: string, text: string): Record<string, string> {
  const timeMs = Date.now();
  const all = secrets.map((secret) => sign("standard-webhooks", secret, text, { id, timeMs }));
  const signatures = all.map((headers) => headers["webhook-signature"]).join(" ");
  return { ...all[0], "webhook-signature": signatures };
}

/** Not the message: it may hold the address. */
function codeOf(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException;
  return `no answer (${typeof code === "string" ? code : name})`;
}
