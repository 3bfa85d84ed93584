import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { createDesignerCloud, type DesignerCloud } from "./designer-cloud/client.ts";
import { createGate } from "./designer-cloud/gate.ts";
import { rememberAnswers } from "./designer-cloud/remember-answers.ts";
import { createTokenSource } from "./designer-cloud/token.ts";
import { PlatformError } from "./errors.ts";
import type { LivePlatform } from "./processors/check-live.ts";
import type { FactsPlatform } from "./processors/job-group-facts.ts";
import type { PublishPlatform } from "./processors/publish-task.ts";
import type { RunPlatform } from "./processors/run-recipe.ts";
import type { Notices } from "./notifications/notices.ts";
import type { GateStore } from "./queues/gate-store.ts";
import { createTellSeldom } from "./tell-seldom.ts";

/**
 * How long and how many names of recipes and of flows are remembered, by each process. A minute, since a name can be
 * changed: most runs take longer than that, so one that starts after the change goes by the new name; and of a burst of
 * runs of one recipe a call a minute is next to nothing. 10,000 of each take a few MB.
 */
const NAMES = { lifeMs: 60_000, max: 10_000 };

/** Everything that the processors ask of the platform, through the gate. */
export type Platform = PublishPlatform &
  FactsPlatform &
  Pick<DesignerCloud, "listFinished" | "close"> & {
    /** Questions past the gate: they neither wait for it nor shut or open it, and nothing of them is remembered. */
    readonly pastGate: FactsPlatform &
      LivePlatform &
      RunPlatform &
      Pick<PublishPlatform, "listJobs" | "listTables"> &
      Pick<DesignerCloud, "listFinished">;
  };

type Pass = <T>(call: () => Promise<T>) => Promise<T>;

/** The platform behind its gate. Without an address every call waits, as if the platform were away. */
export function openPlatform(
  config: Config,
  gateStore: GateStore,
  log: Logger,
  notices: Pick<Notices, "gateShut" | "gateOpen">,
): Platform {
  const { url } = config.platform;
  const source = tokenOf(config);
  const gateLog = createTellSeldom();
  const gate = createGate(gateStore, {
    onShut: (event) => {
      // It is tried again every few seconds, and shuts again.
      const level = gateLog.isDue(event.reason) ? "error" : "debug";
      log[level](event, "the gate to the platform is shut: nothing is published, nothing is lost");
      void notices.gateShut(event);
    },
    onOpen: () => {
      gateLog.over();
      log.info("the gate to the platform is open again");
      void notices.gateOpen();
    },
    onUnauthorized: () => source.refresh(),
  });
  if (!url) return nowhere(gate.pass);
  const client = createDesignerCloud({ baseUrl: url, token: () => source.current(), tokenFrom: source.from });
  // A connection's database does not change under its id. One that is not told is asked for again.
  const databases = new Map<number, string>();
  const databaseOf = async (
    pass: Pass,
    connection: number,
    signal?: AbortSignal,
  ): Promise<string | undefined> => {
    const known = databases.get(connection);
    if (known) return known;
    const { database } = await pass(() => client.getConnection(connection, signal)).catch(unlessRefused);
    if (database) databases.set(connection, database);
    return database;
  };
  const listTables =
    (pass: Pass): Platform["listTables"] =>
    async ({ jobGroupId, connection }, signal) => {
      const [{ tables }, own] = await Promise.all([
        pass(() => client.listOutputs(jobGroupId, signal)),
        databaseOf(pass, connection, signal),
      ]);
      return tables.map(({ path, table, database }) => ({
        path,
        table,
        ...(database && own && { place: database === own ? ("ours" as const) : ("elsewhere" as const) }),
      }));
    };
  return {
    getJobGroup: (id, signal) => gate.pass(() => client.getJobGroup(id, signal)),
    getRecipe: rememberAnswers((id, signal) => gate.pass(() => client.getRecipe(id, signal)), {
      ...NAMES,
      isWhole: ({ name, flowId }) => name !== undefined && flowId !== undefined,
    }),
    getFlow: rememberAnswers((id, signal) => gate.pass(() => client.getFlow(id, signal)), {
      ...NAMES,
      isWhole: ({ name }) => name !== undefined,
    }),
    listJobs: (id, signal) => gate.pass(() => client.listJobs(id, signal)),
    listFinished: (query, signal) => gate.pass(() => client.listFinished(query, signal)),
    listOwnGroups: async ({ jobGroupId, flowNodeId, finishedAt }, signal) => {
      const groups = await gate.pass(() => client.listPublishGroups(signal));
      return groups
        .filter(
          ({ id, ranFor, createdAt }) => id !== jobGroupId && ranFor === "publish" && createdAt >= finishedAt,
        )
        .filter(
          ({ recipeId }) => recipeId === undefined || flowNodeId === undefined || recipeId === flowNodeId,
        )
        .map(({ id }) => id);
    },
    listTables: listTables(gate.pass),
    publish: (id, body, guard, signal) => gate.pass(() => client.publish(id, body, guard, signal)),
    pastGate: { ...client, listTables: listTables((call) => call()) },
    close: () => client.close(),
  };
}

/** The token of the settings; a file is read when it is asked for. */
export function tokenOf({ platform: { token, tokenFile } }: Config): ReturnType<typeof createTokenSource> {
  return createTokenSource({ ...(token && { token }), ...(tokenFile && { file: tokenFile }) });
}

/** A token that may not look at connections does not learn where a table is. */
function unlessRefused(error: unknown): { database?: string } {
  if (error instanceof PlatformError && error.failure.next === "refused") return {};
  throw error;
}

function nowhere(pass: <T>(call: () => Promise<T>) => Promise<T>): Platform {
  const refuse = () =>
    Promise.reject(
      new PlatformError("DESIGNER_CLOUD_URL is not set, so the platform cannot be asked", {
        next: "gate",
        gate: "away",
        code: "NOT_CONFIGURED",
      }),
    );
  const fail = () => pass<never>(refuse);
  return {
    getJobGroup: fail,
    getRecipe: fail,
    getFlow: fail,
    listJobs: fail,
    listFinished: fail,
    listOwnGroups: fail,
    listTables: fail,
    publish: fail,
    pastGate: {
      getJobGroup: refuse,
      getRecipe: refuse,
      getFlow: refuse,
      getConnection: refuse,
      getConnectionStatus: refuse,
      getCurrentPerson: refuse,
      runRecipe: refuse,
      listOwnRuns: refuse,
      listRecent: refuse,
      listOutputs: refuse,
      listJobs: refuse,
      listTables: refuse,
      listFinished: refuse,
    },
    close: () => Promise.resolve(),
  };
}
