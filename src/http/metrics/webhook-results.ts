/** All that can come of a webhook. */
export const WEBHOOK_RESULTS = [
  "accepted",
  "duplicate",
  "test",
  "malformed",
  "unauthorized",
  "wrong-method",
  "too-large",
  "wrong-type",
  "too-many",
  "unavailable",
  "aborted",
  "other",
] as const;

export type WebhookResult = (typeof WEBHOOK_RESULTS)[number];
