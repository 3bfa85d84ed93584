/**
 * What happens next after a call to the platform did not succeed.
 *
 * - `refused`: never again; the platform said no, and nothing was applied.
 * - `busy`: another publish of the same job group runs; wait for it, no attempt is used.
 * - `retry`: surely not applied, this call alone is to blame; an attempt is used.
 * - `gate`: surely not applied, and every other call would fail the same way; the gate shuts, no attempt is used.
 * - `not-sent`: we stopped the call ourselves, surely not applied, nobody is to blame; no attempt is used.
 * - `unknown`: it may have been applied; reconcile before anything is sent again.
 */
export type Next = "refused" | "busy" | "retry" | "gate" | "not-sent" | "unknown";

/** Why the gate to the platform is shut. */
export type GateReason = "unauthorized" | "throttled" | "away";

/**
 * What is wrong with the platform's address: its host is not found, nobody listens there, it speaks no TLS that we trust,
 * it leads elsewhere, its path is none of the API's, or whoever answers is a stranger: without an exception, a request id
 * or JSON as the platform has them.
 */
export type AddressTrouble = "no host" | "nobody" | "no tls" | "redirect" | "path" | "stranger";

/** The facts of a call that failed, as the retry table judged them. */
export interface PlatformFailure {
  readonly next: Next;
  /** Set when `next` is `gate`. */
  readonly gate?: GateReason;
  /** HTTP status; absent when no answer came. */
  readonly status?: number;
  /** The platform's exception name, or the transport's code (`ECONNREFUSED`, `UND_ERR_HEADERS_TIMEOUT`, ...). */
  readonly code: string;
  /** `x-trifacta-request-id` of the answer. */
  readonly requestId?: string;
  /** What the platform asked for in Retry-After or x-retry-after, already clamped, in milliseconds. */
  readonly retryAfterMs?: number;
  /** A refused publish whose words say that these results were already written to this target. */
  readonly sameTarget?: true;
  /** An unknown outcome whose words say that another publish of the job group runs. */
  readonly saysBusy?: true;
  /** Of a read: what speaks against DESIGNER_CLOUD_URL itself. */
  readonly address?: AddressTrouble;
}

/** A call to the platform failed; `message` is fit for an operator and holds no secret. */
export class PlatformError extends Error {
  override readonly name = "PlatformError";
  readonly failure: PlatformFailure;

  constructor(message: string, failure: PlatformFailure, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
  }
}

/** Another run has the task, or its job's lock was lost: nothing was written, and this run must do nothing more. */
export class LostTaskError extends Error {
  override readonly name = "LostTaskError";
}
