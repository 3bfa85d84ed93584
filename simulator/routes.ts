import { type Answer, exception, notFound, ok, routeNotFound, usual } from "./answer.ts";
import { jobLibrary } from "./job-library.ts";
import type { Connection, JobGroup } from "./platform.ts";
import { publishRoute } from "./publish-route.ts";
import { runRoute } from "./run-route.ts";
import { PATHS, type Route, type RouteKind } from "./route.ts";
import { connectionView, isVisible, jobGroupView, jobsView, groupStatus, outputsView } from "./views.ts";
import { createWebhookRoute } from "./webhook-route.ts";
import type { World } from "./world.ts";

/** A request to the platform, read and parsed. */
export interface PlatformRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly route: Route;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The bearer token, when it is a good one. */
  readonly token: string | undefined;
  /** The parsed body; undefined when there is none or it is not JSON. */
  readonly body: unknown;
}

/** What the platform answers when no fault is in the way. */
export function answerOf(request: PlatformRequest, world: World): Answer {
  const { route, token, method, path } = request;
  if (token === undefined) return usual(401);
  const tooMany = world.quotas.take(token, route.kind, world.settings.quotas);
  if (tooMany !== undefined) return tooMany;
  const isMissing =
    (route.kind === "publish" && !world.settings.publishRoute) ||
    (route.kind === "createWebhook" && !world.settings.webhookRoute);
  if (route.kind === "unknown" || isMissing) return routeNotFound(method, path);
  const hasBody = method === "PUT" || method === "POST";
  if (hasBody && !/^application\/json\b/i.test(String(request.headers["content-type"]))) return usual(415);
  if (hasBody && request.body === undefined) return usual(400);
  const id = Number(route.id ?? 0);
  if (!Number.isSafeInteger(id)) {
    return exception(400, "ApiValidationFailed", "The request is not valid", "id must be an integer");
  }
  return ROUTES[route.kind](request, world, id);
}

type Handler = (request: PlatformRequest, world: World, id: number) => Answer;

const ROUTES: Record<RouteKind, Handler> = {
  publish: ({ token = "", body }, world, id) => {
    const mayPublish = world.platform.tokens.get(token)?.mayPublish ?? false;
    return ofGroup(world, id, (group) => publishRoute(group, body, mayPublish, world));
  },
  jobGroup: (_, world, id) => ofGroup(world, id, (group, now) => ok(jobGroupView(group, now))),
  status: (_, world, id) => ofGroup(world, id, (group, now) => ok(groupStatus(group, now))),
  jobs: (_, world, id) => ofGroup(world, id, (group, now) => ok(jobsView(group, now))),
  outputs: (_, world, id) =>
    ofGroup(world, id, (group) => ok(outputsView(group, world.platform, world.settings.outputTables))),
  publications: (_, world, id) => ofGroup(world, id, () => ok({ data: [] })),
  run: ({ body, headers }, world) => runRoute(body, headers["x-execution-id"], world),
  jobLibrary: ({ query }, world) => jobLibrary(query, world.platform, world.settings),
  recipe: (_, { platform }, id) => {
    const recipe = platform.recipes.get(id);
    if (recipe === undefined) return notFound("wrangledDataset", id);
    const flow = recipe.flowId === null ? null : { id: recipe.flowId };
    return ok({ id, name: recipe.name, wrangled: true, flow, ...DATES });
  },
  flow: (_, { platform }, id) => {
    const name = platform.flows.get(id);
    return name === undefined ? notFound("flow", id) : ok({ id, name, description: null, ...DATES });
  },
  connections: (_, { platform: { connections } }) =>
    ok({ data: [...connections.values()].map(connectionView), count: connections.size }),
  connection: (_, world, id) => ofConnection(world, id, (connection) => ok(connectionView(connection))),
  connectionStatus: (_, world, id) =>
    ofConnection(world, id, ({ reachable }) => ok({ result: reachable ? "SUCCESS" : "FAILURE" })),
  createConnection: ({ body }, world) => createConnection(body, world),
  createWebhook: ({ body }, world) => createWebhookRoute(body, world),
  person: () => ok({ id: 1, name: "Simulated Person", email: "person@example.com", state: "active" }),
  workspace: () => ok({ id: 1, name: "simulator", slug: "simulator" }),
  spec: (_, { settings }) => {
    // A tenant without a route does not name it either.
    const isServed = (path: string): boolean => settings.publishRoute || !path.endsWith("/publish");
    return ok({
      openapi: "3.0.0",
      info: { title: "Designer Cloud (simulated)", version: "v4" },
      paths: Object.fromEntries(
        Object.entries(PATHS)
          .filter(([path]) => isServed(path))
          .map(([path, methods]) => [path, Object.fromEntries(methods.map((method) => [method, {}]))]),
      ),
    });
  },
  unknown: ({ method, path }) => routeNotFound(method, path),
};

function ofGroup(world: World, id: number, then: (group: JobGroup, now: number) => Answer): Answer {
  const group = world.platform.jobGroups.get(id);
  const now = Date.now();
  return group === undefined || !isVisible(group, now) ? notFound("jobGroup", id) : then(group, now);
}

function ofConnection(world: World, id: number, then: (connection: Connection) => Answer): Answer {
  const connection = world.platform.connections.get(id);
  return connection === undefined ? notFound("connection", id) : then(connection);
}

const DATES = { createdAt: "2018-01-25T18:01:16.456Z", updatedAt: "2018-01-25T18:01:16.456Z" };

function createConnection(body: unknown, { platform }: World): Answer {
  const { name, vendor = "redshift" } = body as { name?: unknown; vendor?: unknown };
  if (typeof name !== "string" || typeof vendor !== "string") return usual(400);
  const id = Math.max(0, ...platform.connections.keys()) + 1;
  const connection = { id, name, vendor, write: true, reachable: true };
  platform.connections.set(id, connection);
  return { status: 201, body: connectionView(connection) };
}
