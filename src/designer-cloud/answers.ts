import { z } from "zod";
import { clip, flatten } from "./platform-words.ts";

const ERROR_WORDS_MAX = 300;

const id = z.union([z.number().int(), z.string().regex(/^\d+$/).transform(Number)]);
const ref = z.union([id, z.object({ id }).transform((object) => object.id)]).nullish();
const text = z.string().nullish();
/** An empty name is none. */
const name = text.transform((given) => (given?.trim() ? given : undefined));
/** ISO time or epoch milliseconds, as epoch milliseconds. */
const time = z
  .union([z.number(), z.string().transform((iso) => Date.parse(iso))])
  .refine((ms) => Number.isFinite(ms), "expected a time");

/** One run of the platform. An unknown `status` is kept as it is: it means "not finished". */
export type PlatformJobGroup = z.output<typeof jobGroupAnswer>;
/** A sub-job of a job group; a `publish` job is where the outcome of a publish shows. */
export type PlatformJob = z.output<typeof jobAnswer>;
/** The files and tables that a job group wrote. */
export type PlatformOutputs = z.output<typeof outputsAnswer>;
export type PlatformRecipe = z.output<typeof recipeAnswer>;
export type PlatformFlow = z.output<typeof flowAnswer>;
export type PlatformConnection = z.output<typeof connectionAnswer>;
/** A connection as the list tells it. */
export type ListedConnection = z.output<typeof listedConnection>;
export type PlatformOwnRuns = z.output<typeof ownRunsAnswer>;
/** One page of the job groups that ended, and how many there are in all, if that was told. */
export type PlatformFinished = z.output<typeof finishedAnswer>;

export const jobGroupAnswer = z
  .object({
    id,
    status: text,
    name: text,
    ranfrom: text,
    ranfor: text,
    wrangledDataset: ref,
    // The specification spells it small, answers do not.
    flowRun: ref,
    flowrun: ref,
    creator: ref,
    workspace: ref,
    createdAt: time,
    updatedAt: time,
  })
  .transform((group) => ({
    id: group.id,
    status: group.status ?? "Unknown",
    createdAt: group.createdAt,
    updatedAt: group.updatedAt,
    ...present({
      name: group.name,
      ranFrom: group.ranfrom,
      ranFor: group.ranfor,
      recipeId: group.wrangledDataset,
      flowRunId: group.flowRun ?? group.flowrun,
      creatorId: group.creator,
      workspaceId: group.workspace,
    }),
  }));

export const jobLibraryAnswer = z.object({ data: z.array(jobGroupAnswer) }).transform((list) => list.data);

/** A page of the list; `isAll`: there are no more. */
export const ownRunsAnswer = z
  .object({ data: z.array(jobGroupAnswer), count: z.number().nullish().catch(undefined) })
  .transform(({ data: runs, count }) => ({
    runs,
    // A page is 25 rows by default; how many it has at most is not known, and hardly fewer.
    isAll: typeof count === "number" ? runs.length >= count : runs.length < 25,
  }));

const finishedRow = z
  .object({ id, status: text, ranfor: text, createdAt: time.nullish().catch(undefined), updatedAt: time })
  .transform(({ id: jobGroupId, updatedAt, createdAt, status, ranfor }) => ({
    id: jobGroupId,
    updatedAt,
    ...present({ createdAt, status, ranFor: ranfor }),
  }));

/**
 * A page of the list, with no more than is needed of it: what is not read cannot be of a wrong shape. A row without a
 * readable id or time is left out and counted as `unreadable`, so that it does not hold up the others.
 */
export const finishedAnswer = z
  .object({ data: z.array(z.unknown()), count: z.number().nullish().catch(undefined) })
  .transform(({ data, count }) => {
    const groups = data.flatMap((row) => finishedRow.safeParse(row).data ?? []);
    return { groups, unreadable: data.length - groups.length, ...present({ count }) };
  })
  // One may be odd; where none of several can be read, we do not understand the list, and must not move on in it.
  .refine(
    ({ groups, unreadable }) => groups.length > 0 || unreadable < 2,
    "expected rows with id and updatedAt",
  )
  .transform(({ unreadable, ...page }) => ({ ...page, ...(unreadable > 0 && { unreadable }) }));

const jobAnswer = z
  .object({
    id,
    status: text,
    jobType: text,
    percentComplete: z.number().nullish(),
    createdAt: time.nullish(),
    updatedAt: time.nullish(),
    errorMessage: z.unknown().optional(),
  })
  .transform((job) => ({
    id: job.id,
    status: job.status ?? "Unknown",
    jobType: job.jobType ?? "unknown",
    ...present({
      percentComplete: job.percentComplete,
      createdAt: job.createdAt,
      updatedAt: job.updatedAt,
      error: clip(flatten(job.errorMessage), ERROR_WORDS_MAX) || undefined,
    }),
  }));

export const jobsAnswer = z.object({ data: z.array(jobAnswer) }).transform((list) => list.data);

export const outputsAnswer = z
  .object({
    files: z
      .array(
        z
          .object({ uri: z.string(), fileType: text, isPrimaryOutput: z.boolean().nullish() })
          .transform((file) => ({
            uri: file.uri,
            ...present({ fileType: file.fileType, isPrimaryOutput: file.isPrimaryOutput }),
          })),
      )
      .nullish(),
    tables: z
      .array(
        z
          .object({
            vendor: text,
            databaseConnectString: text,
            relationalPath: z.array(z.string()).nullish(),
            table: z.string(),
            action: text,
          })
          .transform((table) => ({
            table: table.table,
            path: table.relationalPath ?? [],
            ...present({
              vendor: table.vendor,
              action: table.action,
              database: databaseOf(table.databaseConnectString),
            }),
          })),
      )
      .nullish(),
  })
  .transform((outputs) => ({ files: outputs.files ?? [], tables: outputs.tables ?? [] }));

export const recipeAnswer = z
  .object({ id, name, flow: ref })
  .transform((recipe) => ({ id: recipe.id, ...present({ name: recipe.name, flowId: recipe.flow }) }));

export const flowAnswer = z
  .object({ id, name })
  .transform((flow) => ({ id: flow.id, ...present({ name: flow.name }) }));

const address = z.object({ host: text, port: z.union([z.number(), z.string()]).nullish(), database: text });

export const connectionAnswer = z
  .object({ id, name: text, vendor: text, connectParams: address.nullish() })
  .transform(({ id: connectionId, name, vendor, connectParams: at }) => ({
    id: connectionId,
    ...present({
      name,
      vendor,
      database:
        at?.host && at.database ? `${at.host}:${at.port ?? ""}/${at.database}`.toLowerCase() : undefined,
    }),
  }));

export const connectionStatusAnswer = z.object({ result: z.string() }).transform(({ result }) => result);

/** Host, port and database of a connect string, `cluster.example.com:5439/dev`; the rest may name users. */
function databaseOf(connectString: string | null | undefined): string | undefined {
  const [, host, port = "", database] =
    /\/\/(?:[^@/]*@)?([^:/?;]+)(?::(\d+))?\/([^?;&]+)/.exec(connectString ?? "") ?? [];
  return host && database ? `${host}:${port}/${database}`.toLowerCase() : undefined;
}

/** The 200 of a publish. One of the three fields must be there, so that a stranger's 200 is not taken for a start. */
export const publishAnswer = z
  .object({
    jobgroupId: id.nullish(),
    reason: z.unknown().optional(),
    sessionId: z.unknown().optional(),
    exception: z.undefined().optional(),
  })
  .refine(
    (answer) =>
      [answer.jobgroupId, answer.reason, answer.sessionId].some(
        (field) => field !== undefined && field !== null,
      ),
    "expected jobgroupId, reason or sessionId",
  )
  .transform((answer) => present({ jobGroupId: answer.jobgroupId }));

const listedConnection = z
  .object({
    id,
    name,
    vendor: text,
    type: text,
    isGlobal: z.boolean().nullish(),
    credentialType: text,
    credentialsShared: z.boolean().nullish(),
    creator: ref,
    connectParams: address.extend({ defaultDatabase: text }).nullish(),
  })
  .transform((one) => ({
    id: one.id,
    ...present({
      name: one.name,
      vendor: one.vendor,
      type: one.type,
      shared: one.isGlobal,
      credentialsShared: one.credentialsShared,
      credentialType: one.credentialType,
      creatorId: one.creator,
      host: one.connectParams?.host,
      // Named so or so by the kind of database.
      database: one.connectParams?.database || one.connectParams?.defaultDatabase || undefined,
    }),
  }));

/** A row that cannot be read is left out: it holds up no other. */
export const connectionsAnswer = z
  .object({ data: z.array(z.unknown()) })
  .transform(({ data }) => data.flatMap((row) => listedConnection.safeParse(row).data ?? []));

/** The paths that the tenant's own OpenAPI document names. */
export const apiDocumentAnswer = z
  .object({ paths: z.record(z.string(), z.unknown()) })
  .transform(({ paths }) =>
    Object.entries(paths).map(([path, item]) => ({ path, methods: Object.keys(Object(item)) })),
  );

/** Something that was made, or is asked for with no more than its id. */
export const idAnswer = z.object({ id });

/** Leaves out what is null or undefined. */
function present<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const kept = Object.entries(fields).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(kept) as { [K in keyof T]?: NonNullable<T[K]> };
}
