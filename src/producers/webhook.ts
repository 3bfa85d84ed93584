import { createAccept, type AcceptDeps } from "./accept-report.ts";
import type { Handler } from "./problem.ts";
import type { SignatureScheme } from "./signature-schemes.ts";
import { createSignedDoor, type SignedRouteDeps, type SignedRouteOptions } from "./signed-route.ts";
import { createTakeCheck, type Foresee } from "./webhook-check.ts";

export interface WebhookDeps extends AcceptDeps, SignedRouteDeps {
  /** How the check of a report finds out what would happen; without it there is no such route. */
  readonly foresee?: Foresee;
}

/** The two routes of a sender. */
export interface Webhook {
  /** The route that Designer Cloud's webhook tasks call. */
  readonly webhook: Handler;
  /** Tells what the webhook would do with the same request, and does nothing. */
  readonly webhookCheck?: Handler;
}

/**
 * The routes for signed reports. A completion is durably on the queue before its 202; no other work is done in the
 * request. Both routes count against one limit of requests in flight.
 */
export function createWebhook(deps: WebhookDeps, options: SignedRouteOptions = {}): Webhook {
  const door = createSignedDoor(deps, options);
  const accept = createAccept(deps);
  return {
    webhook: door((body, req, res, answered) => accept(body, "webhook", req, res, answered)),
    ...(deps.foresee && { webhookCheck: door(createTakeCheck(deps.foresee, deps)) }),
  };
}

/** What a scheme has shown of a sender that it let in. */
export function proofOf(scheme: SignatureScheme): string {
  switch (scheme) {
    case "designer-cloud":
    case "standard-webhooks":
    case "github":
      return "its signature is good";
    case "header":
      return "its secret is good";
    case "none":
      return "nothing was asked of it, WEBHOOK_AUTH is none";
  }
}
