import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Job, Queue } from "bullmq";
import { pino } from "pino";
import type { LoggedRequest } from "../../simulator/request-log.ts";
import { createSimulator, type Simulator, type SimulatorOptions } from "../../simulator/simulator.ts";
import { readConfig } from "../../src/config.ts";
import { sign } from "../../src/producers/signatures.ts";
import { createCompletionRecords, type RecordedTask } from "../../src/queues/completion-record.ts";
import { keysOf } from "../../src/queues/names.ts";
import { createRelay } from "../../src/relay.ts";
import { hasEnded, type TaskState } from "../../src/rules/task-state.ts";
import { eventually } from "./eventually.ts";
import { type Running, startScript } from "./processes.ts";
import { newNamespace, openRedis, redisUrl } from "./redis.ts";
import { releaseLater } from "./release.ts";

export const API_TOKEN = "api-token";
export const WEBHOOK_SECRET = "webhook-secret";
const MAIN = new URL("../../src/main.ts", import.meta.url);

/** A relay that answers, in this process or in one of its own. */
export interface Door {
  readonly url: string;
  /** Sends a signed webhook, as Designer Cloud does. */
  report(jobGroupId: number, more?: Readonly<Record<string, unknown>>): Promise<Told>;
  /** `GET /v1/job-groups/{id}`. */
  story(jobGroupId: number): Promise<unknown>;
}

export interface Told {
  readonly status: number;
  readonly completion?: string;
  readonly duplicate?: boolean;
}

/** A relay in this process. It is stopped at the end of the test (or file) that started it, if not before. */
export interface LocalRelay extends Door {
  stop(): Promise<void>;
}

/** A relay in a process of its own. */
export interface RelayProcess extends Door {
  readonly process: Running;
}

export interface Site {
  readonly simulator: Simulator;
  readonly namespace: string;
  /** The settings of its relays, for a command. */
  readonly env: Readonly<Record<string, string>>;
  /** `env` changes settings of this relay alone. */
  start(env?: Readonly<Record<string, string>>): Promise<LocalRelay>;
  /** Resolves once it says that it is ready, or listens. */
  startProcess(until?: "ready" | "listening", env?: Readonly<Record<string, string>>): Promise<RelayProcess>;
  /** What any BullMQ client sees. */
  queue(name: string): Queue;
  /** The only job of a queue. */
  onlyJob(queueName: string): Promise<Job>;
  /** What the job group's record holds. */
  tasks(jobGroupId: number): Promise<RecordedTask[]>;
  /** Resolves once the record holds `count` tasks (default 1) and all have ended. */
  ended(jobGroupId: number, count?: number, timeoutMs?: number): Promise<RecordedTask[]>;
  /** Resolves once the completion's own job has ended; gives it. */
  dispatched(jobGroupId: number, timeoutMs?: number): Promise<Job>;
  /** The bodies of the publishes that reached the platform. */
  puts(jobGroupId: number): LoggedRequest[];
}

export interface SiteOptions {
  /** A rules file, as the object that its YAML stands for. */
  readonly rules: object;
  readonly simulator?: SimulatorOptions;
  /** Default: the server that all tests share. */
  readonly redisUrl?: string;
  /** Settings beside or in place of the usual ones. By default nothing polls: a test reports what it means to. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A simulated platform, a namespace, a rules file: all that relays need to be started. */
export async function openSite(options: SiteOptions): Promise<Site> {
  const simulator = createSimulator(options.simulator);
  await simulator.start();
  releaseLater(() => simulator.stop());

  const url = options.redisUrl ?? redisUrl();
  const namespace = newNamespace();
  const env = {
    DESIGNER_CLOUD_URL: simulator.url,
    DESIGNER_CLOUD_TOKEN: "simulator-token",
    REDIS_URL: url,
    NAMESPACE: namespace,
    RULES_FILE: await writeRules(options.rules),
    PORT: "0",
    WEBHOOK_SECRETS: WEBHOOK_SECRET,
    API_TOKENS: API_TOKEN,
    POLL_INTERVAL: "off",
    ...options.env,
  };
  const records = createCompletionRecords(openRedis(url), keysOf(namespace), 60_000);
  const queue = queuesOf(url, namespace);
  const tasks = async (jobGroupId: number) => (await records.read(jobGroupId)).tasks;

  return {
    simulator,
    namespace,
    env,
    queue,
    tasks,
    start: (more) => startLocal({ ...env, ...more }),
    startProcess: (until = "ready", more = {}) => startChild({ ...env, ...more }, until),
    onlyJob: async (name) => {
      const jobs = await queue(name).getJobs();
      const [job] = jobs;
      if (!job || jobs.length > 1) throw new Error(`${name} has ${jobs.length} jobs`);
      return job;
    },
    ended: (jobGroupId, count = 1, timeoutMs = 15_000) =>
      eventually(
        async () => {
          const found = await tasks(jobGroupId);
          if (found.length === count && found.every(({ record }) => hasEnded(record.state))) return found;
          throw new Error(found.map(({ record }) => JSON.stringify(record)).join("\n") || "no task yet");
        },
        { timeoutMs, what: `the end of ${count} task(s) of job group ${jobGroupId}` },
      ),
    dispatched: (jobGroupId, timeoutMs = 10_000) =>
      eventually(
        async () => {
          const job = (await queue("completions").getJob(`jobgroup-${jobGroupId}`)) as Job | undefined;
          return job?.finishedOn ? job : undefined;
        },
        { timeoutMs, what: `the end of the dispatch of job group ${jobGroupId}` },
      ),
    puts: (jobGroupId) => simulator.requests({ kind: "publish", jobGroupId }),
  };
}

/** Where tasks stand, in the order of their targets' names: `finance published`. */
export function statesOf(tasks: readonly RecordedTask[]): string[] {
  return tasks.map(({ plan, record }) => `${plan.target} ${record.state}`).sort();
}

export function only<T>(all: readonly T[]): T {
  const [first] = all;
  if (first === undefined || all.length > 1) throw new Error(`There are ${all.length}, not one`);
  return first;
}

/** Resolves with the next request to the platform that fits, when it has taken effect and before it is answered. */
export function nextRequest(
  { events }: Simulator,
  fits: (request: LoggedRequest) => boolean = ({ kind }) => kind === "publish",
): Promise<LoggedRequest> {
  return new Promise((resolve) => {
    const look = (request: LoggedRequest): void => {
      if (!fits(request)) return;
      events.off("request", look);
      resolve(request);
    };
    events.on("request", look);
  });
}

/** Resolves once the record of the job group's only task says so. */
export async function untilState(site: Site, jobGroupId: number, state: TaskState): Promise<RecordedTask> {
  return eventually(
    async () => {
      const [task] = await site.tasks(jobGroupId);
      return task?.record.state === state ? task : undefined;
    },
    { what: `job group ${jobGroupId} as ${state}` },
  );
}

async function writeRules(rules: object): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-rules-"));
  releaseLater(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "rules.yaml");
  // JSON is YAML.
  await writeFile(path, JSON.stringify({ version: 1, ...rules }));
  return path;
}

async function startLocal(env: Readonly<Record<string, string>>): Promise<LocalRelay> {
  const relay = createRelay(readConfig(env), pino({ level: "silent" }));
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= relay.stop());
  releaseLater(stop);
  const { port } = await relay.start();
  return { ...doorAt(port), stop };
}

async function startChild(env: Readonly<Record<string, string>>, until: string): Promise<RelayProcess> {
  const process = startScript(MAIN, { args: ["start"], env });
  const [, port] = await process.line(new RegExp(`"port":(\\d+).*"msg":"${until}"`));
  return { ...doorAt(Number(port)), process };
}

function doorAt(port: number): Door {
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    report: async (jobGroupId, more = {}) => {
      const body = JSON.stringify({ jobId: String(jobGroupId), jobStatus: "Complete", ...more });
      const headers = { "content-type": "application/json", ...sign("designer-cloud", WEBHOOK_SECRET, body) };
      const answer = await fetch(`${url}/webhooks/designer-cloud`, { method: "POST", headers, body });
      const { completion, duplicate } = (await answer.json()) as Omit<Told, "status">;
      return {
        status: answer.status,
        ...(completion !== undefined && { completion }),
        ...(duplicate !== undefined && { duplicate }),
      };
    },
    story: async (jobGroupId) => {
      const headers = { authorization: `Bearer ${API_TOKEN}` };
      return (await fetch(`${url}/v1/job-groups/${jobGroupId}`, { headers })).json();
    },
  };
}

function queuesOf(url: string, namespace: string): (name: string) => Queue {
  const opened = new Map<string, Queue>();
  releaseLater(() => Promise.all([...opened.values()].map((queue) => queue.close())));
  // One connection for all of them, closed after they are.
  const connection = openRedis(url);
  return (name) => {
    const known = opened.get(name);
    if (known) return known;
    const queue = new Queue(name, { connection, prefix: `{${namespace}}` });
    queue.on("error", () => {});
    opened.set(name, queue);
    return queue;
  };
}
