import type { z } from "zod";
import {
  apiDocumentAnswer,
  connectionAnswer,
  connectionsAnswer,
  connectionStatusAnswer,
  idAnswer,
  finishedAnswer,
  flowAnswer,
  jobGroupAnswer,
  jobLibraryAnswer,
  jobsAnswer,
  type ListedConnection,
  outputsAnswer,
  ownRunsAnswer,
  type PlatformConnection,
  type PlatformFinished,
  type PlatformFlow,
  type PlatformJob,
  type PlatformJobGroup,
  type PlatformOutputs,
  type PlatformOwnRuns,
  type PlatformRecipe,
  publishAnswer,
  recipeAnswer,
} from "./answers.ts";
import { type CallDeps, callPlatform } from "./call.ts";
import { openConnections } from "./connections.ts";
import type { CallName } from "./failure.ts";
import { createTokenHiding } from "./hiding.ts";
import { listAll } from "./list-all.ts";
import { type RunRequest, type RunStarted, startRun } from "./run.ts";

/** How to reach the platform. */
export interface DesignerCloudOptions {
  /** `https://us1.alteryxcloud.com`; a path before `/v4` is kept. */
  readonly baseUrl: string;
  /** Asked before each call. */
  readonly token: () => string | Promise<string>;
  /** Where the token comes from, as messages name it; default `DESIGNER_CLOUD_TOKEN`. */
  readonly tokenFrom?: string;
  /** In milliseconds: to connect (5 s), until the answer starts (30 s), and until it ends (30 s more). */
  readonly timeouts?: { readonly connectMs?: number; readonly headersMs?: number; readonly bodyMs?: number };
  /** Connections at most; 64 by default. */
  readonly connections?: number;
  readonly now?: () => number;
}

/** What a publish sends. Source: "API JobGroups Put Publish v4". */
interface PublishRequest {
  readonly connection: { readonly id: number };
  /** The schema. */
  readonly path: readonly string[];
  readonly table: string;
  readonly action: string;
  readonly inputFormat: string;
  readonly flowNodeId?: number;
}

/** A flow's webhook task. Source: POST /v4/webhookFlowTasks. */
export interface WebhookTask {
  readonly name: string;
  readonly flowId: number;
  readonly url: string;
  readonly method: "post";
  readonly triggerEvent: "onJobSuccess" | "onJobFailure" | "onJobDone";
  /** Any output of the flow, or some. */
  readonly triggerObject: "any";
  /** The text that is sent, `$jobId` and `$jobStatus` in it replaced. */
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What requests are signed with; without it they are not. */
  readonly secretKey?: string;
  readonly sslVerification: boolean;
  readonly retryOnFailure: boolean;
}

/** The platform took the publish; it says nothing about its outcome. */
interface PublishStarted {
  readonly status: number;
  readonly jobGroupId?: number;
  readonly requestId?: string;
}

/** Which page of the job groups that ended is asked for. */
interface FinishedQuery {
  /** Changed at or after this time of the platform's clock, in epoch milliseconds. */
  readonly since: number;
  readonly limit: number;
  readonly offset: number;
}

/** The platform's API v4. Every failure of a call is a `PlatformError`. */
export interface DesignerCloud {
  getJobGroup(jobGroupId: number, signal?: AbortSignal): Promise<PlatformJobGroup>;
  listJobs(jobGroupId: number, signal?: AbortSignal): Promise<PlatformJob[]>;
  /** The newest job groups that ran for a publish, at most 25. Source: GET /v4/jobLibrary. */
  listPublishGroups(signal?: AbortSignal): Promise<PlatformJobGroup[]>;
  /**
   * A page of the recipes' job groups that are complete, the newest id first; `at` is the platform's time of the
   * answer, cut to the second. Source: GET /v4/jobLibrary; not tried on a live tenant, so no filter is to be relied on.
   */
  listFinished(query: FinishedQuery, signal?: AbortSignal): Promise<PlatformFinished & { at?: number }>;
  listOutputs(jobGroupId: number, signal?: AbortSignal): Promise<PlatformOutputs>;
  getRecipe(recipeId: number, signal?: AbortSignal): Promise<PlatformRecipe>;
  getFlow(flowId: number, signal?: AbortSignal): Promise<PlatformFlow>;
  getConnection(connectionId: number, signal?: AbortSignal): Promise<PlatformConnection>;
  /** `SUCCESS` when the platform reaches the connection's database; other words are kept. Source: GET /v4/connections/{id}/status. */
  getConnectionStatus(connectionId: number, signal?: AbortSignal): Promise<string>;
  /** Whose token it is: the cheapest proof that it is good. Source: GET /v4/people/current. */
  getCurrentPerson(signal?: AbortSignal): Promise<{ readonly id: number }>;
  /** The newest job groups that ran for a recipe and are complete. Source: GET /v4/jobLibrary. */
  listRecent(limit: number, signal?: AbortSignal): Promise<PlatformJobGroup[]>;
  /**
   * Sends the PUT at most once. `guard.mayStillSend` is asked in the tick in which it is written: with false nothing
   * is sent and the failure is `not-sent`, `SEND_WINDOW_OVER`. A `signal` that comes after sending makes it `unknown`.
   */
  publish(
    jobGroupId: number,
    request: PublishRequest,
    guard: { mayStillSend(): boolean },
    signal?: AbortSignal,
  ): Promise<PublishStarted>;
  /** All connections that the token's user sees, as far as their rows can be read. Source: GET /v4/connections. */
  listConnections(signal?: AbortSignal): Promise<ListedConnection[]>;
  /**
   * The newest job groups that the token's user started by the API, ended or not, at most 50; `isAll`: there are no more.
   * Source: GET /v4/jobLibrary; not tried on a live tenant, so no filter is to be relied on.
   */
  listOwnRuns(signal?: AbortSignal): Promise<PlatformOwnRuns>;
  /** The paths of the tenant's own OpenAPI document, each with its methods (`put`). Source: GET /v4/open-api-spec. */
  listApiPaths(
    signal?: AbortSignal,
  ): Promise<{ readonly path: string; readonly methods: readonly string[] }[]>;
  /** Runs a recipe; see `startRun`. */
  runRecipe(request: RunRequest, executionId: string, signal?: AbortSignal): Promise<RunStarted>;
  /** Creates a webhook task, once: the request is sent at most once, and a failure `unknown` may have made it. */
  createWebhookTask(task: WebhookTask, signal?: AbortSignal): Promise<{ readonly id: number }>;
  /** Closes all connections. A call that is still under way fails; a publish among them as `unknown`. */
  close(): Promise<void>;
}

/** A client for one platform. Opens connections with the first call. Throws when `baseUrl` is no http(s) address. */
export function createDesignerCloud(options: DesignerCloudOptions): DesignerCloud {
  const { connectMs = 5_000, headersMs = 30_000, bodyMs = 30_000 } = options.timeouts ?? {};
  const { origin, prefix } = parseBaseUrl(options.baseUrl);
  const connections = openConnections(origin, { connections: options.connections ?? 64, connectMs });
  // As long as the slowest call ahead can hold a connection.
  const limits = { waitMs: connectMs + headersMs + bodyMs, headersMs, bodyMs };
  const { token, tokenFrom = "DESIGNER_CLOUD_TOKEN", now = Date.now } = options;
  const deps: CallDeps = {
    connections,
    prefix,
    token,
    tokenFrom,
    hidingOf: createTokenHiding(),
    limits,
    now,
  };

  async function get<T>(path: string, schema: z.ZodType<T>, signal: AbortSignal | undefined): Promise<T> {
    const { value } = await callPlatform(deps, { kind: "read", method: "GET", path }, schema, { signal });
    return value;
  }

  return {
    getJobGroup: (id, signal) => get(`/v4/jobGroups/${id}`, jobGroupAnswer, signal),
    listJobs: (id, signal) => get(`/v4/jobGroups/${id}/jobs`, jobsAnswer, signal),
    listPublishGroups: (signal) =>
      get("/v4/jobLibrary?limit=25&sort=-id&ranfor=publish&runBy=all", jobLibraryAnswer, signal),
    async listFinished(query, signal) {
      const name: CallName = { kind: "read", method: "GET", path: `/v4/jobLibrary?${finishedQuery(query)}` };
      const { at, value } = await callPlatform(deps, name, finishedAnswer, { signal });
      return { ...value, ...(at !== undefined && { at }) };
    },
    listOutputs: (id, signal) => get(`/v4/jobGroups/${id}/outputs`, outputsAnswer, signal),
    getRecipe: (id, signal) => get(`/v4/wrangledDatasets/${id}`, recipeAnswer, signal),
    getFlow: (id, signal) => get(`/v4/flows/${id}`, flowAnswer, signal),
    getConnection: (id, signal) => get(`/v4/connections/${id}`, connectionAnswer, signal),
    getConnectionStatus: (id, signal) => get(`/v4/connections/${id}/status`, connectionStatusAnswer, signal),
    getCurrentPerson: (signal) => get("/v4/people/current", idAnswer, signal),
    listRecent: (limit, signal) =>
      get(
        `/v4/jobLibrary?limit=${limit}&sort=-id&status=Complete&ranfor=recipe&runBy=all`,
        jobLibraryAnswer,
        signal,
      ),
    listConnections: (signal) => listAll((page) => get(`/v4/connections?${page}`, connectionsAnswer, signal)),
    listOwnRuns: (signal) =>
      get(
        "/v4/jobLibrary?limit=50&sort=-id&ranfor=recipe&ranfrom=api&runBy=currentUser&includeCount=true",
        ownRunsAnswer,
        signal,
      ),
    listApiPaths: (signal) => get("/v4/open-api-spec", apiDocumentAnswer, signal),
    runRecipe: (request, executionId, signal) => startRun(deps, request, executionId, signal),
    async publish(jobGroupId, request, guard, signal) {
      const name: CallName = { kind: "publish", method: "PUT", path: `/v4/jobGroups/${jobGroupId}/publish` };
      const { connection, path, table, action, inputFormat, flowNodeId } = request;
      const body = JSON.stringify({
        connection: { id: connection.id },
        path,
        table,
        action,
        inputFormat,
        flowNodeId,
      });
      const mayStillSend = () => guard.mayStillSend();
      const { status, requestId, value } = await callPlatform(deps, name, publishAnswer, {
        body,
        mayStillSend,
        signal,
      });
      return { status, ...value, ...(requestId ? { requestId } : {}) };
    },
    async createWebhookTask(task, signal) {
      const name: CallName = { kind: "create", method: "POST", path: "/v4/webhookFlowTasks" };
      const body = JSON.stringify(task);
      const { value } = await callPlatform(deps, name, idAnswer, {
        body,
        signal,
        // A platform that refuses may repeat what it was sent.
        secrets: [...(task.secretKey ? [task.secretKey] : []), ...Object.values(task.headers)],
      });
      return value;
    },
    close: () => connections.destroy(),
  };
}

function finishedQuery({ since, limit, offset }: FinishedQuery): string {
  const query = new URLSearchParams({
    limit: String(limit),
    offset: String(offset),
    sort: "-id",
    status: "Complete",
    ranfor: "recipe",
    runBy: "all",
    includeCount: "true",
    "dateFilter[updatedAt][gte]": String(since),
  });
  return query.toString();
}

function parseBaseUrl(baseUrl: string): { origin: string; prefix: string } {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw new TypeError(
      "DESIGNER_CLOUD_URL must be an address like https://us1.alteryxcloud.com, without a login in it",
    );
  }
  // With or without /v4 at its end: both are seen in the vendor's pages.
  return { origin: url.origin, prefix: url.pathname.replace(/\/+$/, "").replace(/\/v4$/, "") };
}
