import type { Connection, JobGroup, Platform, Publish, Status, SubJob } from "./platform.ts";
import { percentOf, statusOf } from "./publish.ts";
import type { Settings } from "./settings.ts";

/** How the platform writes its objects as JSON. */
const iso = (at: number): string => new Date(at).toISOString();

/** A publish that shows as a job group of its own is not there before its job is. */
export function isVisible(group: JobGroup, now: number): boolean {
  return group.publish === undefined || now >= group.publish.visibleAt;
}

export function groupStatus(group: JobGroup, now: number): Status {
  return group.publish === undefined ? group.status : statusOf(group.publish, now);
}

export function jobGroupView(group: JobGroup, now: number) {
  return {
    id: group.id,
    name: null,
    description: null,
    ranfrom: group.ranfrom,
    ranfor: group.ranfor,
    status: groupStatus(group, now),
    profilingEnabled: true,
    createdAt: iso(group.createdAt),
    updatedAt: iso(group.updatedAt),
    workspace: { id: 1 },
    creator: { id: group.creatorId },
    updater: { id: group.creatorId },
    snapshot: { id: group.id },
    wrangledDataset: group.recipeId === null ? null : { id: group.recipeId },
    flowRun: group.flowRunId === null ? null : { id: group.flowRunId },
  };
}

export function jobsView(group: JobGroup, now: number) {
  const shown = group.jobs.filter((job) => job.publish === undefined || now >= job.publish.visibleAt);
  return { data: shown.map((job) => jobView(group, job, now)) };
}

function jobView(group: JobGroup, { id, jobType, createdAt, publish }: SubJob, now: number) {
  const status = publish === undefined ? group.status : statusOf(publish, now);
  const updatedAt = publish === undefined ? group.workedAt : (publish.endedAt ?? now);
  return {
    id,
    status,
    jobType,
    percentComplete: publish === undefined ? (status === "Complete" ? 100 : 0) : percentOf(publish, now),
    lastHeartbeatAt: iso(updatedAt),
    createdAt: iso(createdAt),
    updatedAt: iso(updatedAt),
    creator: { id: publish?.by === "ui" ? 99 : group.creatorId },
    jobGroup: { id: group.id },
    errorMessage: status === "Failed" ? (publish?.error ?? null) : null,
  };
}

export function outputsView(group: JobGroup, platform: Platform, show: Settings["outputTables"]) {
  const folder = `s3://bucket/results/${group.id}`;
  const hasResults = group.ranfor === "recipe" && group.status === "Complete";
  const files = (hasResults ? group.formats : []).map((format, index) => ({
    uri: `${folder}/result.${format}`,
    fileType: "FILE",
    isPrimaryOutput: index === 0,
  }));
  const tables = (show === "none" ? [] : group.tables).map((output) => ({
    vendor: platform.connections.get(output.connection)?.vendor ?? "redshift",
    databaseConnectString: connectString(output.connection),
    relationalPath: [output.schema],
    table: show === "real" ? output.table : output.base,
    action: output.action,
  }));
  return { files, tables };
}

export function connectionView({ id, name, vendor }: Connection) {
  const { host, port, database } = addressOf(id);
  return {
    id,
    name,
    vendor,
    vendorName: vendor,
    type: "jdbc",
    host,
    port,
    credentialType: "basic",
    credentialsShared: true,
    isGlobal: true,
    connectParams: { vendor, host, port: String(port), database },
    params: { database },
    createdAt: iso(0),
    updatedAt: iso(0),
    creator: { id: 1 },
    updater: { id: 1 },
    workspace: { id: 1 },
  };
}

function connectString(connection: number): string {
  const { host, port, database } = addressOf(connection);
  return `jdbc:redshift://${host}:${port}/${database}`;
}

function addressOf(connection: number) {
  return { host: `cluster-${connection}.redshift.example.com`, port: 5439, database: "dev" };
}

/** For the control routes: one publish with everything that is known of it. */
export function publishView(publish: Publish, now: number) {
  const { endsAt, runsAt: _runsAt, outcome: _outcome, ...rest } = publish;
  return { ...rest, endsAt: endsAt === Infinity ? null : endsAt, status: statusOf(publish, now) };
}
