import { createHmac } from "node:crypto";
import { z } from "zod";
import type { Status } from "./platform.ts";

const behaviour = z.enum(["once", "twice", "late", "never", "outOfOrder"]);

/** What `POST /_control/webhooks` takes: any part of it. */
export const webhookSchema = z.strictObject({
  /** Where to send; null: nowhere. */
  url: z.url().nullable().exactOptional(),
  secret: z.string().exactOptional(),
  scheme: z.enum(["designer-cloud", "header", "none"]).exactOptional(),
  /** Name of the header of scheme `header`. */
  header: z.string().exactOptional(),
  event: z.enum(["success", "failure", "done"]).exactOptional(),
  /** One behaviour, or weights: `{"once":90,"twice":5,"late":5}`, drawn with the seed. */
  behaviour: z.union([behaviour, z.partialRecord(behaviour, z.number().min(0))]).exactOptional(),
  lateMs: z.number().min(0).exactOptional(),
  /** The user's own body; `$jobId` and `$jobStatus` are replaced. */
  body: z.string().exactOptional(),
  headers: z.record(z.string(), z.string()).exactOptional(),
  retryOnFailure: z.boolean().exactOptional(),
  retries: z.int().min(0).exactOptional(),
  retryMs: z.number().min(0).exactOptional(),
});
export type WebhookPatch = z.infer<typeof webhookSchema>;
export type WebhookTask = Required<WebhookPatch>;
type Behaviour = z.infer<typeof behaviour>;

export const DEFAULTS: WebhookTask = {
  url: null,
  secret: "simulator-secret",
  scheme: "designer-cloud",
  header: "x-webhook-secret",
  event: "done",
  behaviour: "once",
  lateMs: 2000,
  body: '{"jobId":"$jobId","jobStatus":"$jobStatus"}',
  headers: {},
  retryOnFailure: true,
  retries: 3,
  retryMs: 1000,
};

/** `t=<ms>,sha256=<hex>`: HMAC-SHA256 with the secret over `<t>.<raw body>`. */
function sign(secret: string, body: string, atMs: number): string {
  return `t=${atMs},sha256=${createHmac("sha256", secret).update(`${atMs}.${body}`).digest("hex")}`;
}

export function credentials(task: WebhookTask, body: string): Record<string, string> {
  switch (task.scheme) {
    case "designer-cloud":
      return { "x-webhook-signature": sign(task.secret, body, Date.now()) };
    case "header":
      return { [task.header]: task.secret };
    case "none":
      return {};
  }
}

/** Labels stand for what users write into the body of a flow's webhook beside the two variables. */
export function bodyOf(
  template: string,
  id: number,
  status: Status,
  labels: Readonly<Record<string, unknown>>,
): string {
  const body = template.replaceAll("$jobId", String(id)).replaceAll("$jobStatus", status);
  if (Object.keys(labels).length === 0) return body;
  return JSON.stringify({ ...(JSON.parse(body) as Record<string, unknown>), ...labels });
}

export function pick(how: WebhookTask["behaviour"], roll: number): Behaviour {
  if (typeof how === "string") return how;
  const entries = Object.entries(how) as [Behaviour, number][];
  let rest = roll * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [name, weight] of entries) {
    rest -= weight;
    if (rest < 0) return name;
  }
  return "once";
}
