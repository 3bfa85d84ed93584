import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import { faultSchema } from "./faults.ts";
import { readJson } from "./read-json.ts";
import { settingsSchema } from "./settings.ts";
import type { Simulator } from "./simulator.ts";
import { webhookSchema } from "./webhook-task.ts";

const status = z.enum(["Created", "InProgress", "Complete", "Failed", "Canceled"]);
const ended = z.enum(["Complete", "Failed", "Canceled"]);

const jobGroupSchema = z.strictObject({
  id: z.int().min(1).exactOptional(),
  recipeId: z.int().nullable().exactOptional(),
  status: status.exactOptional(),
  ranfor: z.string().exactOptional(),
  ranfrom: z.string().exactOptional(),
  creatorId: z.int().exactOptional(),
  flowRunId: z.int().nullable().exactOptional(),
  rows: z.int().min(0).exactOptional(),
  formats: z.array(z.string()).exactOptional(),
  labels: z.record(z.string(), z.unknown()).exactOptional(),
  webhook: z.boolean().exactOptional(),
  finishInMs: z.number().min(0).exactOptional(),
  finishAs: ended.exactOptional(),
  /** Makes so many; each one ends `everyMs` after the one before. */
  count: z.int().min(1).max(100_000).exactOptional(),
  everyMs: z.number().min(0).exactOptional(),
});

const foreignSchema = z.strictObject({
  jobGroupId: z.int(),
  connection: z.int().default(2),
  schema: z.string().default("public"),
  table: z.string(),
  action: z
    .enum(["create", "load", "createAndLoad", "truncateAndLoad", "dropAndLoad", "upsert"])
    .default("load"),
});

const finishSchema = z.strictObject({ status: ended.default("Complete") });
const endSchema = z.strictObject({
  status: ended.default("Complete"),
  errorMessage: z.unknown().exactOptional(),
});
const awaySchema = z.strictObject({ ms: z.number().min(0).default(1000) });

interface Control {
  readonly simulator: Simulator;
  readonly query: URLSearchParams;
  /** The last part of the path, when the route has one. */
  readonly id: string;
  readonly body: unknown;
}

const ROUTES: Record<string, (control: Control) => unknown> = {
  "GET ": () => ({ ready: true }),
  "GET summary": ({ simulator }) => simulator.summary(),
  "POST job-groups": ({ simulator, body }) => createJobGroups(simulator, jobGroupSchema.parse(body)),
  "POST job-groups/:id/finish": ({ simulator, id, body }) =>
    simulator.finishJobGroup(Number(id), finishSchema.parse(body).status),
  "GET faults": ({ simulator }) => simulator.faults(),
  "POST faults": ({ simulator, body }) => ({ id: simulator.addFault(faultSchema.parse(body)) }),
  "DELETE faults": ({ simulator }) => simulator.clearFaults(),
  "DELETE faults/:id": ({ simulator, id }) => simulator.clearFaults(Number(id)),
  "GET requests": ({ simulator, query }) =>
    simulator.requests({
      kind: query.get("kind") ?? undefined,
      jobGroupId: numberOf(query, "jobGroupId"),
      after: numberOf(query, "after"),
      limit: numberOf(query, "limit"),
    }),
  "DELETE requests": ({ simulator }) => simulator.clearRequests(),
  "GET tables": ({ simulator }) => simulator.tables(),
  "GET tables/:id": ({ simulator, id }) => simulator.tables(id),
  "GET twice": ({ simulator }) => simulator.twice(),
  "GET publishes": ({ simulator, query }) => simulator.publishes(numberOf(query, "jobGroupId")),
  "POST publishes/:id/end": ({ simulator, id, body }) => {
    const { status: outcome, errorMessage } = endSchema.parse(body);
    simulator.endPublish(Number(id), outcome, errorMessage);
  },
  "POST foreign-publish": ({ simulator, body }) => ({
    publishJobId: simulator.foreignPublish(foreignSchema.parse(body)),
  }),
  "GET settings": ({ simulator }) => simulator.settings(),
  "POST settings": ({ simulator, body }) => simulator.set(settingsSchema.parse(body)),
  "GET webhooks": ({ simulator }) => simulator.webhooks(),
  "POST webhooks": ({ simulator, body }) => simulator.setWebhooks(webhookSchema.parse(body)),
  "POST webhooks/test": ({ simulator }) => simulator.sendTestWebhook(),
  "POST away": ({ simulator, body }) => leave(simulator, awaySchema.parse(body).ms),
  "POST reset": ({ simulator }) => simulator.reset(),
};

/** `/_control`: no token, from this machine alone unless `open`. Mistakes are answered 400 with what is wrong. */
export async function serveControl(
  req: IncomingMessage,
  res: ServerResponse,
  simulator: Simulator,
  open: boolean,
): Promise<void> {
  if (!open && !isLoopback(req.socket.remoteAddress ?? "")) {
    return reply(res, 403, { error: "/_control is for this machine alone; --open-control lets others in" });
  }
  const url = new URL(req.url ?? "/", "http://simulator");
  const { route, id } = nameOf(req.method ?? "GET", url.pathname);
  const run = ROUTES[route];
  if (run === undefined) {
    return reply(res, 404, { error: `no such control route: ${route}`, routes: Object.keys(ROUTES) });
  }
  const body = req.method === "POST" ? ((await readJson(req)) ?? {}) : undefined;
  try {
    const result = await run({ simulator, query: url.searchParams, id, body });
    reply(res, 200, result ?? { ok: true });
  } catch (error) {
    const words = error instanceof z.ZodError ? z.prettifyError(error) : String((error as Error).message);
    reply(res, 400, { error: words });
  }
}

/** `/_control/job-groups/31/finish` is the route `job-groups/:id/finish` with id 31. */
function nameOf(method: string, pathname: string): { route: string; id: string } {
  const path = pathname.slice("/_control".length).replace(/^\/|\/$/g, "");
  if (ROUTES[`${method} ${path}`] !== undefined) return { route: `${method} ${path}`, id: "" };
  const [name = "", id = "", ...rest] = path.split("/");
  return { route: [`${method} ${name}`, ":id", ...rest].join("/"), id: decodeURIComponent(id) };
}

function createJobGroups(simulator: Simulator, spec: z.infer<typeof jobGroupSchema>) {
  const { count = 1, everyMs = 0, ...jobGroup } = spec;
  const ids: number[] = [];
  for (let i = 0; i < count; i++) {
    const later = everyMs > 0 ? { finishInMs: (jobGroup.finishInMs ?? 0) + i * everyMs } : {};
    const { id, ...others } = { ...jobGroup, ...later };
    ids.push(simulator.createJobGroup(id === undefined || i > 0 ? others : { id, ...others }));
  }
  return { id: ids[0], ids };
}

/** Answers first, and then is gone for a while. */
function leave(simulator: Simulator, ms: number): void {
  setTimeout(() => {
    void simulator.goAway().then(() => setTimeout(() => void simulator.comeBack(), ms));
  }, 20);
}

function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  return text === null ? undefined : Number(text);
}

function isLoopback(address: string): boolean {
  return address === "::1" || /^(::ffff:)?127\./.test(address);
}

function reply(res: ServerResponse, code: number, body: unknown): void {
  const text = JSON.stringify(body);
  res.writeHead(code, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  res.end(text);
}
