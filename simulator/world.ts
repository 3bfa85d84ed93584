import { createDice, type Dice } from "./dice.ts";
import { createFaults } from "./faults.ts";
import { createPlatform, type JobGroup, type JobGroupSpec, type Publish, type Status } from "./platform.ts";
import { createPublishing } from "./publish.ts";
import { createQuotas } from "./quotas.ts";
import { createRequestLog } from "./request-log.ts";
import { applySettings, defaultSettings, type SettingsPatch } from "./settings.ts";
import { createTables } from "./tables.ts";
import type { WebhookPatch } from "./webhook-task.ts";
import { createWebhooks } from "./webhooks.ts";

export interface WorldOptions {
  readonly settings?: SettingsPatch;
  readonly webhook?: WebhookPatch;
  readonly onPublishEnd?: (publish: Publish) => void;
}

export interface NewJobGroup extends JobGroupSpec {
  /** Milliseconds until it ends; absent: it has the status that is given, at once. */
  finishInMs?: number;
  /** How it ends then. Default Complete. */
  finishAs?: Status;
}

const ENDED = new Set<Status>(["Complete", "Failed", "Canceled"]);

/** The whole state of one simulated platform; a reset makes a new one. */
export function createWorld({ settings: patch = {}, webhook = {}, onPublishEnd }: WorldOptions) {
  const settings = defaultSettings();
  let dice: Dice = createDice(settings.seed);
  const platform = createPlatform();
  const tables = createTables();
  const webhooks = createWebhooks(() => dice);
  const timers = new Set<NodeJS.Timeout>();
  const publishing = createPublishing({
    platform,
    tables,
    settings,
    dice: () => dice,
    onEnd: (publish, group) => {
      onPublishEnd?.(publish);
      if (settings.webhookOnPublish) webhooks.jobGroupEnded(group);
    },
  });

  function set(change: SettingsPatch): void {
    applySettings(settings, change);
    platform.applyData(change);
    dice = createDice(settings.seed);
  }

  function createJobGroup({ finishInMs, finishAs = "Complete", ...spec }: NewJobGroup): JobGroup {
    const status = spec.status ?? (finishInMs === undefined ? "Complete" : "InProgress");
    const group = platform.addJobGroup({ ...spec, status });
    if (finishInMs !== undefined) {
      const timer = setTimeout(() => {
        timers.delete(timer);
        finish(group, finishAs);
      }, finishInMs);
      timers.add(timer);
    } else if (ENDED.has(status)) {
      webhooks.jobGroupEnded(group);
    }
    return group;
  }

  function finish(group: JobGroup, status: Status): void {
    group.status = status;
    group.updatedAt = Date.now();
    group.workedAt = group.updatedAt;
    webhooks.jobGroupEnded(group);
  }

  function seed(): void {
    set(SEED);
    const silent = { webhook: false, recipeId: 27 };
    platform.addJobGroup({ ...silent, id: 1, ranfor: "sampling" });
    platform.addJobGroup({ ...silent, id: 2 });
    platform.addJobGroup({ ...silent, id: 3, ranfor: "profile" });
    set(patch);
    webhooks.set(webhook);
  }

  seed();
  return {
    settings,
    platform,
    tables,
    publishing,
    webhooks,
    faults: createFaults(() => dice),
    quotas: createQuotas(),
    log: createRequestLog(),
    dice: () => dice,
    set,
    createJobGroup,
    finish,
    async close(): Promise<void> {
      for (const timer of timers) clearTimeout(timer);
      publishing.close();
      await webhooks.close();
    },
  };
}
export type World = ReturnType<typeof createWorld>;

/** Job group 2 ran recipe 27 of flow 11 and has Avro results, ready to go to connection 2. */
const SEED: SettingsPatch = {
  tokens: [{ token: "simulator-token" }],
  flows: [
    { id: 11, name: "Daily sales" },
    { id: 12, name: "Finance close" },
  ],
  recipes: [
    { id: 27, name: "orders", flowId: 11 },
    { id: 28, name: "customers", flowId: 11 },
    { id: 29, name: "orders-returns", flowId: 11 },
    { id: 30, name: "ledger", flowId: 12 },
  ],
  connections: [
    { id: 1, name: "files", vendor: "s3" },
    { id: 2, name: "redshift-sales" },
    { id: 3, name: "redshift-finance" },
    { id: 4, name: "redshift-marketing" },
    { id: 5, name: "redshift-read-only", write: false },
  ],
};
