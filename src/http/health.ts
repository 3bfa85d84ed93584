import { sendJson, sendMethodNotAllowed, type Handler } from "../producers/problem.ts";
import { within } from "../producers/accept-report.ts";

/** One thing that this process needs before it is of use. */
export interface ReadyCheck {
  readonly name: string;
  /** `undefined` is good, also `good` with what is to be said; a string says what is wrong. A rejection counts as wrong. */
  readonly check: () => Promise<string | { readonly good: string } | undefined>;
}

export interface HealthOptions {
  /** How long a check may take before it counts as wrong; default 1,000. */
  readonly checkTimeoutMs?: number;
}

const NO_STORE = { "cache-control": "no-store" };

export interface Health {
  readonly healthz: Handler;
  readonly readyz: Handler;
  /** What `/readyz` would answer. */
  readonly isReady: () => Promise<boolean>;
}

/** `/healthz` says that the process answers; `/readyz` asks the checks, all at once, and lists each. */
export function createHealth(checks: readonly ReadyCheck[], options: HealthOptions = {}): Health {
  const { checkTimeoutMs = 1_000 } = options;
  // Askers that come while the checks run share their answer: a slow Redis is not asked more for being slow.
  let running: Promise<Readiness> | undefined;
  const ask = () => {
    running ??= runChecks(checks, checkTimeoutMs).finally(() => {
      running = undefined;
    });
    return running;
  };
  return {
    healthz: onlyGet((_req, res) => sendJson(res, 200, { status: "alive" }, NO_STORE)),
    isReady: async () => (await ask()).status === "ready",
    readyz: onlyGet((_req, res) => {
      void ask().then((readiness) =>
        sendJson(res, readiness.status === "ready" ? 200 : 503, readiness, NO_STORE),
      );
    }),
  };
}

interface Readiness {
  readonly status: "ready" | "not ready";
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail?: string }[];
}

async function runChecks(checks: readonly ReadyCheck[], timeoutMs: number): Promise<Readiness> {
  const results = await Promise.all(
    checks.map(async ({ name, check }) => {
      const detail = await within(timeoutMs, Promise.resolve().then(check)).catch(
        (error: unknown) => (error instanceof Error && error.message) || "the check failed",
      );
      if (typeof detail === "object") return { name, ok: true, detail: detail.good };
      return detail === undefined ? { name, ok: true } : { name, ok: false, detail };
    }),
  );
  return { status: results.every((result) => result.ok) ? "ready" : "not ready", checks: results };
}

function onlyGet(handler: Handler): Handler {
  return (req, res) => {
    if (req.method === "GET" || req.method === "HEAD") handler(req, res);
    else sendMethodNotAllowed(res, "GET, HEAD");
  };
}
