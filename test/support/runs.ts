import { pino } from "pino";
import { readConfig } from "../../src/config.ts";
import { type RunArguments, runRun } from "../../src/run-command.ts";
import { API_TOKEN, type LocalRelay, openSite, type Site } from "./relay.ts";

export const RULES = {
  targets: { sales: { connection: 2, schema: "public" } },
  rules: [
    { name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "createAndLoad" }] },
  ],
};

export const openTenant = (settings: object = {}) =>
  openSite({ rules: RULES, simulator: { settings: { publishMs: 20, runMs: 0, ...settings } } });

export interface Answer {
  readonly jobGroupId: number | null;
  readonly repeated: boolean;
  readonly idempotencyKey: string;
  readonly detail: string;
}

export async function post(relay: LocalRelay, body: object, key?: string) {
  const response = await fetch(`${relay.url}/v1/runs`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${API_TOKEN}`,
      "content-type": "application/json",
      ...(key !== undefined && { "idempotency-key": key }),
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer };
}

/** The job groups that were started by the API, whoever knows of them. */
export async function started(site: Site): Promise<number[]> {
  const headers = { authorization: "Bearer simulator-token" };
  const list = await fetch(`${site.simulator.url}/v4/jobLibrary?ranfrom=api`, { headers });
  return ((await list.json()) as { data: { id: number }[] }).data.map(({ id }) => id);
}
export const runsAsked = (site: Site) => site.simulator.requests({ kind: "run" });

export const run = (
  site: Site,
  more: Partial<RunArguments>,
  tell: (words: string) => void = () => {},
  interrupted?: AbortSignal,
) =>
  runRun(
    { recipeId: 27, parameters: {}, wait: false, json: false, ...more },
    readConfig(site.env),
    pino({ level: "silent" }),
    tell,
    interrupted && { interrupted },
  );
