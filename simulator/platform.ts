import type { SettingsPatch } from "./settings.ts";

export type Status = "Created" | "InProgress" | "Complete" | "Failed" | "Canceled";

/** A publish that the platform accepted; its job is shown from `visibleAt` on. */
export interface Publish {
  readonly jobId: number;
  /** The job group whose results are published. */
  readonly jobGroupId: number;
  /** The job group that lists the publish job: the same one, or one of its own. */
  readonly shownIn: number;
  readonly connection: number;
  readonly schema: string;
  readonly table: string;
  readonly action: string;
  readonly by: "api" | "ui";
  readonly acceptedAt: number;
  readonly visibleAt: number;
  readonly runsAt: number;
  /** Infinity while it is stuck. */
  readonly endsAt: number;
  /** Set when it ended. */
  endedAt?: number;
  outcome?: Status;
  error: unknown;
}

export interface SubJob {
  readonly id: number;
  readonly jobType: string;
  readonly createdAt: number;
  readonly publish?: Publish;
}

interface OutputTable {
  readonly schema: string;
  /** The name that was asked for. */
  readonly base: string;
  /** The name in the database, with its suffix if it has one. */
  readonly table: string;
  readonly action: string;
  readonly connection: number;
}

export interface JobGroup {
  readonly id: number;
  readonly recipeId: number | null;
  readonly ranfrom: string;
  readonly ranfor: string;
  readonly creatorId: number;
  readonly flowRunId: number | null;
  readonly createdAt: number;
  readonly rows: number | null;
  readonly formats: readonly string[];
  readonly labels: Readonly<Record<string, unknown>>;
  readonly webhook: boolean;
  status: Status;
  updatedAt: number;
  /** When its own work was touched last; a publish touches `updatedAt` alone. */
  workedAt: number;
  readonly jobs: SubJob[];
  readonly tables: OutputTable[];
  /** Publishes that are under way. */
  readonly running: Set<Publish>;
  /** Keys of the targets that hold its results. */
  readonly written: Set<string>;
  /** Set for a publish that shows as a group of its own. */
  publish?: Publish;
}

export interface JobGroupSpec {
  id?: number;
  recipeId?: number | null;
  status?: Status;
  ranfor?: string;
  ranfrom?: string;
  creatorId?: number;
  flowRunId?: number | null;
  rows?: number;
  formats?: string[];
  labels?: Record<string, unknown>;
  webhook?: boolean;
}

export interface Connection {
  id: number;
  name: string;
  vendor: string;
  write: boolean;
  reachable: boolean;
}

interface Recipe {
  readonly name: string | null;
  readonly flowId: number | null;
  /** What its own outputs are written as. */
  readonly formats?: string[];
}

interface Token {
  readonly expiresAt: number;
  readonly mayPublish: boolean;
}

/** Everything the platform knows, and the only place that hands out ids. */
export function createPlatform() {
  const jobGroups = new Map<number, JobGroup>();
  // Sorted, so that the job library pages from its end without a sort.
  const jobGroupIds: number[] = [];
  const flows = new Map<number, string | null>();
  const recipes = new Map<number, Recipe>();
  const connections = new Map<number, Connection>();
  const tokens = new Map<string, Token>();
  const executions = new Set<string>();
  let nextJobGroupId = 31;
  let nextJobId = 1001;

  function addJobGroup(spec: JobGroupSpec): JobGroup {
    const id = spec.id ?? nextJobGroupId;
    if (jobGroups.has(id)) throw new Error(`job group ${id} exists already: leave the id out, or reset`);
    nextJobGroupId = Math.max(nextJobGroupId, id + 1);
    const now = Date.now();
    const group: JobGroup = {
      id,
      recipeId: spec.recipeId === undefined ? 27 : spec.recipeId,
      ranfrom: spec.ranfrom ?? "ui",
      ranfor: spec.ranfor ?? "recipe",
      creatorId: spec.creatorId ?? 1,
      flowRunId: spec.flowRunId ?? null,
      createdAt: now,
      updatedAt: now,
      workedAt: now,
      rows: spec.rows ?? null,
      formats: spec.formats ?? ["avro", "csv"],
      labels: spec.labels ?? {},
      webhook: spec.webhook ?? true,
      status: spec.status ?? "Complete",
      jobs: [],
      tables: [],
      running: new Set(),
      written: new Set(),
    };
    if (group.ranfor === "recipe") addJob(group, "wrangle");
    if (group.ranfor === "recipe") addJob(group, "filewriter");
    jobGroups.set(id, group);
    insertSorted(jobGroupIds, id);
    return group;
  }

  function addJob(group: JobGroup, jobType: string): void {
    group.jobs.push({ id: nextJobId++, jobType, createdAt: group.createdAt });
  }

  /** Tokens are replaced as a whole; flows, recipes and connections are added or overwritten by id. */
  function applyData(patch: SettingsPatch): void {
    for (const { id, name } of patch.flows ?? []) flows.set(id, name);
    for (const { id, ...recipe } of patch.recipes ?? []) recipes.set(id, recipe);
    for (const { vendor = "redshift", write = true, reachable = true, ...rest } of patch.connections ?? []) {
      connections.set(rest.id, { ...rest, vendor, write, reachable });
    }
    if (patch.tokens === undefined) return;
    tokens.clear();
    for (const { token, expiresInMs = Infinity, mayPublish = true } of patch.tokens) {
      tokens.set(token, { expiresAt: Date.now() + expiresInMs, mayPublish });
    }
  }

  return {
    jobGroups,
    jobGroupIds,
    flows,
    recipes,
    connections,
    tokens,
    executions,
    addJobGroup,
    applyData,
    takeJobId: (): number => nextJobId++,
  };
}
export type Platform = ReturnType<typeof createPlatform>;

function insertSorted(ids: number[], id: number): void {
  let at = ids.length;
  while (at > 0 && ids[at - 1]! > id) at--;
  ids.splice(at, 0, id);
}
