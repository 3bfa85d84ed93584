/** Platform routes, told apart by what they are for; faults and the request log speak of these kinds. */
export const ROUTE_KINDS = [
  "publish",
  "jobGroup",
  "status",
  "jobs",
  "outputs",
  "publications",
  "run",
  "jobLibrary",
  "recipe",
  "flow",
  "connections",
  "connection",
  "connectionStatus",
  "createConnection",
  "createWebhook",
  "person",
  "workspace",
  "spec",
  "unknown",
] as const;
export type RouteKind = (typeof ROUTE_KINDS)[number];

export interface Route {
  readonly kind: RouteKind;
  /** The id in the path, as it was written. */
  readonly id?: string;
}

const COLLECTIONS: Record<string, RouteKind> = {
  "GET /v4/jobLibrary": "jobLibrary",
  "GET /v4/jobGroups": "jobLibrary",
  "POST /v4/jobGroups": "run",
  "GET /v4/connections": "connections",
  "POST /v4/connections": "createConnection",
  "POST /v4/webhookFlowTasks": "createWebhook",
  "GET /v4/people/current": "person",
  "GET /v4/workspaces/current": "workspace",
  "GET /v4/open-api-spec": "spec",
};

const OBJECTS: Record<string, RouteKind> = {
  "PUT jobGroups publish": "publish",
  "GET jobGroups ": "jobGroup",
  "GET jobGroups status": "status",
  "GET jobGroups jobs": "jobs",
  "GET jobGroups outputs": "outputs",
  "GET jobGroups publications": "publications",
  "GET wrangledDatasets ": "recipe",
  "GET flows ": "flow",
  "GET connections ": "connection",
  "GET connections status": "connectionStatus",
};

/** The OpenAPI document names these paths, each with its methods in small letters. */
export const PATHS: Readonly<Record<string, readonly string[]>> = methodsByPath([
  ...Object.keys(COLLECTIONS).map((line) => [line, afterMethod(line)] as const),
  ...Object.keys(OBJECTS).map((line) => [line, objectPath(line)] as const),
]);

export function routeOf(method: string, path: string): Route {
  const collection = COLLECTIONS[`${method} ${path}`];
  if (collection !== undefined) return { kind: collection };
  const [root, version, name, id, rest = "", ...more] = path.split("/");
  const kind = OBJECTS[`${method} ${name} ${rest}`];
  const isRoute = root === "" && version === "v4" && id !== undefined && more.length === 0;
  return kind !== undefined && isRoute ? { kind, id } : { kind: "unknown" };
}

function afterMethod(line: string): string {
  return line.slice(line.indexOf(" ") + 1);
}

function objectPath(line: string): string {
  const [, name, rest] = line.split(" ");
  return `/v4/${name}/{id}${rest ? `/${rest}` : ""}`;
}

function methodsByPath(lines: readonly (readonly [line: string, path: string])[]): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const [line, path] of lines) (found[path] ??= []).push(line.slice(0, line.indexOf(" ")).toLowerCase());
  return found;
}
