import { z } from "zod";
import { type Answer, exception, notFound } from "./answer.ts";
import type { WebhookTask } from "./webhook-task.ts";
import type { World } from "./world.ts";

const bodySchema = z.looseObject({
  name: z.string().min(1),
  flowId: z.int(),
  url: z.url({ protocol: /^https?$/ }),
  method: z.string().regex(/^post$/i),
  triggerEvent: z.enum(["onJobSuccess", "onJobFailure", "onJobDone"]),
  triggerObject: z.enum(["any", "some"]),
  body: z.string().exactOptional(),
  headers: z.record(z.string(), z.string()).exactOptional(),
  secretKey: z.string().min(1).exactOptional(),
  sslVerification: z.boolean().exactOptional(),
  retryOnFailure: z.boolean().exactOptional(),
});

const EVENTS: Record<string, WebhookTask["event"]> = {
  onJobSuccess: "success",
  onJobFailure: "failure",
  onJobDone: "done",
};

/** `POST /v4/webhookFlowTasks`: from then on this task is the one that is sent, whatever the flow. */
export function createWebhookRoute(body: unknown, world: World): Answer {
  const parsed = bodySchema.safeParse(body);
  if (!parsed.success) {
    return exception(400, "ApiValidationFailed", "The request is not valid", z.prettifyError(parsed.error));
  }
  const { flowId, url, triggerEvent, secretKey, headers = {}, retryOnFailure = false } = parsed.data;
  if (!world.platform.flows.has(flowId)) return notFound("flow", flowId);
  world.webhooks.set({
    url,
    headers,
    retryOnFailure,
    scheme: secretKey === undefined ? "none" : "designer-cloud",
    event: EVENTS[triggerEvent] ?? "done",
    ...(secretKey !== undefined && { secret: secretKey }),
    ...(parsed.data.body !== undefined && { body: parsed.data.body }),
  });
  const { secretKey: _secret, ...shown } = parsed.data;
  return { status: 201, body: { id: world.platform.takeJobId(), ...shown } };
}
