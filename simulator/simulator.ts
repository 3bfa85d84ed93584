import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { serveControl } from "./control.ts";
import type { FaultSpec } from "./faults.ts";
import type { JobGroup, Publish, Status } from "./platform.ts";
import type { LogFilter, LoggedRequest } from "./request-log.ts";
import { servePlatform } from "./serve.ts";
import type { SettingsPatch } from "./settings.ts";
import { publishView } from "./views.ts";
import type { WebhookPatch } from "./webhook-task.ts";
import { createWorld, type NewJobGroup } from "./world.ts";

export interface SimulatorOptions {
  /** Default 0: a free one. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** How the platform behaves from the start, and after a reset. */
  readonly settings?: SettingsPatch;
  /** The flow's webhook task, from the start and after a reset. */
  readonly webhook?: WebhookPatch;
  /** Lets `/_control` be used from other machines. Default false: loopback alone. */
  readonly openControl?: boolean;
}

/** What a test can wait for; `request` comes when a request has taken effect and before it is answered. */
export interface SimulatorEvents {
  request: [LoggedRequest];
  answer: [LoggedRequest];
  publishEnded: [Publish];
}

export interface ForeignPublish {
  jobGroupId: number;
  connection: number;
  schema: string;
  table: string;
  action: string;
}

/** Designer Cloud on a real port. Everything that `/_control` can do is a method here. */
export function createSimulator(options: SimulatorOptions = {}) {
  const { host = "127.0.0.1", openControl = false } = options;
  const events = new EventEmitter<SimulatorEvents>();
  let port = options.port ?? 0;
  let world = makeWorld();

  function makeWorld() {
    return createWorld({
      settings: options.settings ?? {},
      webhook: options.webhook ?? {},
      onPublishEnd: (publish) => events.emit("publishEnded", publish),
    });
  }

  const server = createServer((req, res) => {
    const served = req.url?.startsWith("/_control")
      ? serveControl(req, res, simulator, openControl)
      : servePlatform(req, res, world, {
          onRequest: (entry) => events.emit("request", entry),
          onAnswer: (entry) => events.emit("answer", entry),
        });
    served.catch((error: unknown) => res.destroy(error instanceof Error ? error : new Error(String(error))));
  });

  async function listen(): Promise<string> {
    server.listen(port, host);
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
    return address();
  }

  function address(): string {
    return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  /** Closes the port and cuts every connection; the platform's work goes on. */
  async function goAway(): Promise<void> {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  }

  function group(id: number): JobGroup {
    const found = world.platform.jobGroups.get(id);
    if (found === undefined) throw new Error(`there is no job group ${id}: create it first`);
    return found;
  }

  const simulator = {
    events,
    /** `http://host:port`; the port is known once it started. */
    get url(): string {
      return address();
    },
    start: listen,
    /** Closes the port and ends every timer; nothing is left running. */
    async stop(): Promise<void> {
      await goAway();
      await world.close();
    },
    goAway,
    /** Opens the same port again after `goAway`. */
    comeBack: listen,
    /** Forgets everything and starts over with the options it was made with. */
    async reset(): Promise<void> {
      const old = world;
      world = makeWorld();
      await old.close();
    },
    set: (patch: SettingsPatch): void => world.set(patch),
    settings: () => ({ ...world.settings }),
    createJobGroup: (spec: NewJobGroup = {}): number => world.createJobGroup(spec).id,
    finishJobGroup: (id: number, status: Status = "Complete"): void => world.finish(group(id), status),
    addFault: (spec: FaultSpec): number => world.faults.add(spec),
    faults: () => world.faults.list(),
    clearFaults: (id?: number): void => world.faults.clear(id),
    requests: (filter: LogFilter = {}): LoggedRequest[] => world.log.list(filter),
    clearRequests: (): void => world.log.clear(),
    tables: (name?: string) => world.tables.list(name),
    /** Job groups that were applied more than once to one target; also those that a later truncate has wiped. */
    twice: () => world.tables.twice(),
    /** Publishes a job group as somebody in the UI would: no rule of the API is asked. Gives the publish job's id. */
    foreignPublish: ({ jobGroupId, ...target }: ForeignPublish): number =>
      world.publishing.start(group(jobGroupId), { jobGroupId, ...target, by: "ui" }).jobId,
    publishes(jobGroupId?: number) {
      const now = Date.now();
      const wanted = [...world.publishing.publishes.values()].filter(
        (publish) => jobGroupId === undefined || publish.jobGroupId === jobGroupId,
      );
      return wanted.map((publish) => publishView(publish, now));
    },
    /** Ends a publish now, also one that is stuck. */
    endPublish(jobId: number, status: Status = "Complete", error?: unknown): void {
      const publish = world.publishing.publishes.get(jobId);
      if (publish === undefined) throw new Error(`there is no publish job ${jobId}`);
      world.publishing.end(publish, status, error);
    },
    setWebhooks: (patch: WebhookPatch): void => world.webhooks.set(patch),
    webhooks: () => world.webhooks.view(),
    sendTestWebhook: (): void => world.webhooks.sendTest(),
    /** Resolves when no webhook is being sent, late or waiting for a retry. */
    webhooksIdle: (): Promise<void> => world.webhooks.idle(),
    summary: () => ({
      jobGroups: world.platform.jobGroups.size,
      requests: world.log.counts(),
      publishes: world.publishing.publishes.size,
      /** Per connection: publishes that run now, the most that ever ran at once, and all that were accepted. */
      connections: Object.fromEntries(world.publishing.loads),
      twice: world.tables.twice().length,
      webhooks: world.webhooks.view().counts,
    }),
  };
  return simulator;
}
export type Simulator = ReturnType<typeof createSimulator>;
