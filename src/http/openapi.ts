import { z } from "zod";
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiResponsesObject } from "zod-openapi";
import { MAX_BATCH, MAX_BATCH_BYTES } from "../producers/accept-batch.ts";
import { MAX_BODY_BYTES } from "../producers/read-body.ts";
import { REPORT_EXAMPLE } from "../producers/report-schema.ts";
import {
  accepted,
  auditPage,
  batch,
  batchAnswer,
  problem,
  report,
  resolved,
  story,
  tested,
} from "./api-schemas.ts";
import { auditParameters } from "./audit-route.ts";
import { decisionBody } from "./decision.ts";
import { explanation } from "./explanation-schema.ts";
import { MAX_REPLAYED, replayBody, replayed } from "./replay-schema.ts";
import { runBody, runKey, runStarted } from "./run-schema.ts";

/** A route of the API as people write it. */
export type RouteName =
  | "POST /v1/completions"
  | "GET /v1/job-groups/{id}"
  | "GET /v1/job-groups/{id}/explain"
  | "POST /v1/tasks/{id}/resolve"
  | "POST /v1/replays"
  | "POST /v1/runs"
  | "GET /v1/audit"
  | "GET /v1/openapi.json";

/** The OpenAPI document of the routes that a relay serves, made from the schemas that it reads and answers with. */
export function createOpenApi(served: readonly RouteName[]): object {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const name of served) {
    const [method = "", path = ""] = name.split(" ");
    paths[path] = { ...paths[path], [method.toLowerCase()]: OPERATIONS[name] };
  }
  return createDocument({
    openapi: "3.1.1",
    info: {
      title: "publish-relay",
      version: "1",
      description: "Reports of finished job groups, and how their publishes stand.",
    },
    servers: [{ url: "/" }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "One of API_TOKENS of the relay." },
      },
    },
  });
}

const json = (description: string, schema: z.ZodType) => ({
  description,
  content: { "application/json": { schema } },
});

/** Refusals by status. Whoever asks without a token hears 401 on every route. */
function problems(told: Readonly<Record<number, string>>): ZodOpenApiResponsesObject {
  const all: Record<number, string> = { 401: "The bearer token is missing or not known.", ...told };
  return Object.fromEntries(
    Object.entries(all).map(([status, description]) => [
      status,
      {
        description,
        ...(HEADERS[status] && { headers: z.object(HEADERS[status]) }),
        content: { "application/problem+json": { schema: problem } },
      },
    ]),
  );
}

const HEADERS: Readonly<Record<string, Record<string, z.ZodType>>> = {
  401: { "WWW-Authenticate": z.string() },
  503: { "Retry-After": z.string().meta({ description: "Seconds.", examples: ["2"] }) },
};

const BODY_PROBLEMS = {
  400: "The body is no JSON, or not what is expected; detail names the field.",
  415: "The body is not application/json, or it is compressed.",
} as const;

const AWAY = "Redis, or the platform if it was asked, does not answer. Ask again.";

const jobGroupId = {
  path: z.object({ id: z.int().positive().meta({ description: "The job group's id." }) }),
};
const LOOK_UP_PROBLEMS = {
  400: "The id in the path is no job group's id.",
  404: "Nothing is known of the job group.",
  503: AWAY,
} as const;

const OPERATIONS: Readonly<Record<RouteName, ZodOpenApiOperationObject>> = {
  "POST /v1/completions": {
    operationId: "reportCompletions",
    summary: "Report a job group that finished, or many",
    description: `An object is one report, an array a batch of 1 to ${MAX_BATCH}. Sending a report again is always safe.`,
    requestBody: {
      required: true,
      content: {
        "application/json": {
          schema: z.union([report, batch]),
          examples: {
            single: { value: REPORT_EXAMPLE },
            batch: { value: [REPORT_EXAMPLE, { jobGroupId: 32, status: "Complete" }] },
          },
        },
      },
    },
    responses: {
      200: json(
        "A batch was read: each result tells of one report. Or a single report was a test.",
        z.union([batchAnswer, tested]),
      ),
      202: json("A single report is stored durably.", accepted),
      ...problems({
        ...BODY_PROBLEMS,
        413: `A single report is larger than ${MAX_BODY_BYTES} bytes, or a batch than ${MAX_BATCH_BYTES}.`,
        503: "Redis does not answer: the report, or every report of the batch that could have been stored, was not. Send it again.",
      }),
    },
  },
  "GET /v1/job-groups/{id}": {
    operationId: "getJobGroup",
    summary: "How a job group and each of its publish tasks stand",
    requestParams: jobGroupId,
    responses: { 200: json("What is known of the job group.", story), ...problems(LOOK_UP_PROBLEMS) },
  },
  "GET /v1/job-groups/{id}/explain": {
    operationId: "explainJobGroup",
    summary: "Which rules match a job group and why, and what would be sent",
    description:
      "Asks the platform, by the code of dispatch, also about a job group that nobody reported. One that the platform does not know is told with 200 as well.",
    requestParams: jobGroupId,
    responses: {
      200: json("The rules and what follows.", explanation),
      ...problems({ 400: LOOK_UP_PROBLEMS[400], 503: "Redis does not answer. Ask again." }),
    },
  },
  "POST /v1/tasks/{id}/resolve": {
    operationId: "resolveTask",
    summary: "Decide a parked task",
    requestParams: {
      path: z.object({
        id: z.string().meta({ description: "The task's id.", examples: ["jobgroup-31-2-public-orders"] }),
      }),
    },
    requestBody: { required: true, content: { "application/json": { schema: decisionBody } } },
    responses: {
      200: json("The decision was carried out.", resolved),
      ...problems({
        ...BODY_PROBLEMS,
        404: "There is no such task.",
        409: "The task is not parked, or it changed just now.",
        413: `The body is larger than ${MAX_BODY_BYTES} bytes.`,
        503: AWAY,
      }),
    },
  },
  "POST /v1/replays": {
    operationId: "replay",
    summary: "Publish job groups again, on purpose",
    description: `A dry run unless dryRun is false: tells for each task what would be done. Without force nothing is published again. Replayed tasks stand behind all others. At most ${MAX_REPLAYED} job groups. While the platform's quota is used up it is waited for, at most 20 s; what cannot be told then is unknown. Asking again is safe: what was replayed stands in the record and is left alone the next time; by force, when it has the same key, or without one the same reason (with neither, what may be repeated is sent again).`,
    requestParams: {
      header: z.object({
        "Idempotency-Key": runKey.optional().meta({ description: "As idempotencyKey; bare or in quotes." }),
      }),
    },
    requestBody: { required: true, content: { "application/json": { schema: replayBody } } },
    responses: {
      200: json("A dry run: what would be done.", replayed),
      202: json("What was done: tasks are on their targets' queues.", replayed),
      ...problems({
        ...BODY_PROBLEMS,
        413: `The body is larger than ${MAX_BODY_BYTES} bytes.`,
        422: `There are more than ${MAX_REPLAYED} job groups in it, or the rules have no such rule or target. Nothing was done.`,
        503: `${AWAY} Part of it may be done: then the problem has dryRun, summary and lines too, which tell of that. Asking for the same again is safe (by force, with its key or reason).`,
      }),
    },
  },
  "POST /v1/runs": {
    operationId: "run",
    summary: "Run a recipe on the platform, once per key",
    description:
      "When the job group has ended it is published by the rules as any other. Sending the same again with the same key is always safe: nothing runs twice. The answer names the key as idempotencyKey.",
    requestParams: {
      header: z.object({
        "Idempotency-Key": runKey.optional().meta({ description: "As idempotencyKey; bare or in quotes." }),
      }),
    },
    requestBody: { required: true, content: { "application/json": { schema: runBody } } },
    responses: {
      202: json("It runs.", runStarted),
      ...problems({
        ...BODY_PROBLEMS,
        404: "The platform knows no such recipe.",
        409: "Another call with this key is under way (Retry-After says when to ask again), or one of unknown outcome was too long ago.",
        413: `The body is larger than ${MAX_BODY_BYTES} bytes.`,
        422: "The key was used for another run; or the platform refuses the run, or it cannot be told where the result is to be written; detail has its words.",
        503: "The platform or Redis does not answer, or the platform's quota is used up. Ask again with the same key, which the answer names as idempotencyKey.",
      }),
    },
  },
  "GET /v1/audit": {
    operationId: "listAudit",
    summary: "What operators did, newest first",
    description:
      "Each action is written before it is done (asked); a later entry that follows it tells how it went. About the newest 100,000 are kept.",
    requestParams: { query: auditParameters },
    responses: {
      200: json("A page of the trail.", auditPage),
      ...problems({ 400: "A parameter is not what is expected; detail names it.", 503: AWAY }),
    },
  },
  "GET /v1/openapi.json": {
    operationId: "getOpenApi",
    summary: "This document",
    responses: {
      200: json("An OpenAPI 3.1 document.", z.record(z.string(), z.unknown())),
      ...problems({}),
    },
  },
};
