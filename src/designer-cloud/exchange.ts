import type { Dispatcher } from "undici";
import type { AnswerHeaders } from "./retry-after.ts";
import type { TransportEvent } from "./retry-table.ts";
import { afterSending, beforeSending } from "./transport-event.ts";

/** A larger answer is not read to its end. */
const ANSWER_MAX_BYTES = 5_000_000;
/** Of an answer that is no success only the words count. */
const WORDS_MAX_BYTES = 65_536;

/** One request, and what may stop it. */
interface ExchangeRequest {
  readonly method: "GET" | "PUT" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Asked in the very tick in which the request is written; false means that not a byte leaves the process. */
  readonly mayStillSend?: () => boolean;
  readonly signal?: AbortSignal | undefined;
}

/** How long each part may take as a whole, in milliseconds. */
export interface ExchangeLimits {
  readonly waitMs: number;
  readonly headersMs: number;
  readonly bodyMs: number;
}

/** What came of it: an answer, or why there is none. */
type Outcome = Answer | NoAnswer;

export interface Answer {
  readonly kind: "answer";
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: string;
}

export interface NoAnswer {
  readonly kind: "no-answer";
  readonly event: TransportEvent;
  readonly code: string;
  readonly words: string;
  /** False: surely no byte of the request left. */
  readonly sent: boolean;
  /** The part of the answer that came, if one did. */
  readonly status?: number;
  readonly headers?: AnswerHeaders;
}

/**
 * Sends one request at most once and tells for certain whether it may have left the process. Never throws.
 *
 * undici calls `onRequestStart` synchronously before it writes the request's head (client-h1.js, writeH1), and
 * writes nothing when the call is aborted there. So whatever fails before that was surely not sent. A request that was
 * given up while it waited in undici's queue is aborted there too, and so is a second start, should undici ever try one.
 */
export function exchange(
  dispatcher: Dispatcher,
  request: ExchangeRequest,
  limits: ExchangeLimits,
): Promise<Outcome> {
  return new Promise((resolve) => {
    let state: "waiting" | "sent" | "over" = "waiting";
    let controller: Dispatcher.DispatchController | undefined;
    let answer: { status: number; headers: AnswerHeaders } | undefined;
    const chunks: Buffer[] = [];
    let size = 0;
    let timer: NodeJS.Timeout | undefined;
    const stop = () =>
      giveUp(state === "waiting" ? "stopped-before-sending" : "stopped-after-sending", "STOPPED");

    function finish(outcome: Outcome): void {
      if (state === "over") return;
      state = "over";
      clearTimeout(timer);
      request.signal?.removeEventListener("abort", stop);
      resolve(outcome);
    }

    function fail(event: TransportEvent, code: string, words = ""): void {
      finish({ kind: "no-answer", event, code, words, sent: state !== "waiting", ...answer });
    }

    function giveUp(event: TransportEvent, code: string): void {
      if (state === "over") return;
      fail(event, code);
      controller?.abort(new Error(code));
    }

    function finishAnswer(): void {
      if (answer) finish({ kind: "answer", ...answer, body: Buffer.concat(chunks).toString("utf8") });
    }

    function limit(ms: number, event: TransportEvent, code: string): void {
      clearTimeout(timer);
      // One turn later, so that what arrived while the process was stopped is read before time is called.
      const mine = setTimeout(() => setImmediate(() => timer === mine && giveUp(event, code)), ms);
      timer = mine;
    }

    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(started) {
        if (state === "sent") fail("connection-lost", "STARTED_TWICE");
        else if (state === "waiting" && request.mayStillSend?.() === false)
          fail("send-window-over", "SEND_WINDOW_OVER");
        if (state !== "waiting") return started.abort(new Error("not to be sent"));
        state = "sent";
        controller = started;
        limit(limits.headersMs, "headers-timeout", "UND_ERR_HEADERS_TIMEOUT");
      },
      onResponseStart(_controller, status, headers) {
        if (status < 200 || state !== "sent") return;
        answer = { status, headers };
        limit(limits.bodyMs, "body-timeout", "UND_ERR_BODY_TIMEOUT");
      },
      onResponseData(_controller, chunk) {
        if (!answer || state !== "sent") return;
        chunks.push(chunk);
        size += chunk.length;
        if (answer.status >= 300 && size > WORDS_MAX_BYTES) {
          finishAnswer();
          controller?.abort(new Error("enough read"));
        } else if (size > ANSWER_MAX_BYTES) {
          giveUp("too-large", "ANSWER_TOO_LARGE");
        }
      },
      onResponseEnd: finishAnswer,
      onResponseError(_controller, error) {
        const failed = state === "waiting" ? beforeSending(error) : afterSending(error);
        fail(failed.event, failed.code, error.message);
      },
    };

    if (request.signal?.aborted) return stop();
    request.signal?.addEventListener("abort", stop);
    limit(limits.waitMs, "no-free-connection", "NO_FREE_CONNECTION");
    dispatcher.dispatch(
      {
        method: request.method,
        path: request.path,
        headers: request.headers,
        body: request.body ?? null,
        // Even of a GET: undici then starts none beside another, and repeats none.
        idempotent: false,
      },
      handler,
    );
  });
}
