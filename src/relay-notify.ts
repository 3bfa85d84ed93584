import type { Job } from "bullmq";
import type { Logger } from "pino";
import type { Config } from "./config.ts";
import type { Metrics } from "./http/metrics.ts";
import { everyMinute } from "./every-minute.ts";
import { type Address, readAddresses } from "./notifications/addresses.ts";
import { createDelivery } from "./notifications/deliver.ts";
import { look } from "./notifications/look.ts";
import { createNotices, NO_NOTICES, type Notices } from "./notifications/notices.ts";
import { createDeliverJob, createSendOut, PER_ADDRESS } from "./notifications/way-out.ts";
import { logHandled } from "./outcome-log.ts";
import type { BreakerStore } from "./queues/breaker-store.ts";
import type { CompletionRecords } from "./queues/completion-record.ts";
import type { Connections } from "./queues/connections.ts";
import type { GateStore } from "./queues/gate-store.ts";
import { type Keys, NOTIFICATIONS } from "./queues/names.ts";
import { createNoticeStore, type NoticeEntry, type NoticeStore } from "./queues/notice-store.ts";
import { createLookAtOpenTasks } from "./queues/open-tasks.ts";
import { createWorker } from "./queues/worker.ts";
import type { RelayQueues } from "./relay-queues.ts";
import type { Targets } from "./relay-targets.ts";

/** What the rest of the relay tells people through, and what brings it on its way. */
export interface Notifier {
  readonly notices: Notices;
  /** Absent while NOTIFY_URLS is not set. */
  readonly out?: {
    readonly addresses: readonly Address[];
    readonly store: NoticeStore;
    readonly send: (entry: NoticeEntry) => Promise<void>;
  };
}

interface NotifierParts {
  readonly config: Config;
  readonly connections: Pick<Connections, "work">;
  readonly keys: Keys;
  readonly queues: Pick<RelayQueues, "of">;
  readonly log: Logger;
}

/** Of the processes one looks each minute. */
const TURN_MS = 50_000;

/** Opens nothing by itself; without NOTIFY_URLS nobody is told of anything. */
export function createNotifier({ config, connections, keys, queues, log }: NotifierParts): Notifier {
  const addresses = readAddresses(config.notify.urls);
  if (addresses.length === 0) return { notices: NO_NOTICES };
  const store = createNoticeStore(connections.work, keys);
  const send = createSendOut(queues.of(NOTIFICATIONS), store, addresses, config.notify.publicUrl);
  return { notices: createNotices({ store, send, log }), out: { addresses, store, send } };
}

interface SendingParts extends NotifierParts {
  readonly notifier: Notifier;
  readonly metrics: Pick<Metrics, "notification">;
  readonly targets: Pick<Targets, "list">;
  readonly gate: Pick<GateStore, "look">;
  readonly breakers: Pick<BreakerStore, "look">;
  readonly completions: Pick<CompletionRecords, "read" | "unhandled">;
  readonly onError: (error: Error) => void;
}

/** Sends what is queued, and looks each minute for what no event tells of. The function it returns ends that. */
export function startNotifications(parts: SendingParts): () => Promise<void> {
  const {
    notifier,
    config,
    connections,
    keys,
    queues,
    gate,
    breakers,
    completions,
    metrics,
    targets,
    onError,
    log,
  } = parts;
  const { notices, out } = notifier;
  if (!out) return () => Promise.resolve();
  const { addresses, store, send } = out;
  const delivery = createDelivery(config.notify.secrets);
  const deliver = createDeliverJob(addresses, delivery.send);
  const worker = createWorker({
    connection: connections.work,
    queue: queues.of(NOTIFICATIONS),
    concurrency: PER_ADDRESS * (addresses.length + 1),
    onError,
    handle: async (job, run) => {
      const startedAt = Date.now();
      const outcome = await deliver(job, run.signal);
      if (outcome.next === "done") metrics.notification("delivered");
      if (outcome.next === "fail") metrics.notification("given-up");
      logHandled(log, "notification", factsOf(job), startedAt, outcome);
      return outcome;
    },
  });
  const openTasks = createLookAtOpenTasks(connections.work, keys);
  const lookNow = async (): Promise<void> => {
    if (!(await store.isMyTurn(TURN_MS))) return;
    await look({
      store,
      notices,
      send,
      targets: targets.list,
      openTasks,
      unhandled: completions.unhandled,
      tasksOf: async (id) => (await completions.read(id)).tasks,
      // Once the gate is open, the first answer takes its memory away.
      isGateShut: async () =>
        (await gate.look()).ms > 0 || (await connections.work.exists(keys.gateMemory)) === 1,
      isBreakerOpen: async (target) => (await breakers.look(target)).open,
    });
  };
  const stopLooking = everyMinute("the look at what people should know", lookNow, log);
  return async () => {
    await Promise.all([stopLooking(), worker.close()]);
    await delivery.close();
  };
}

const factsOf = ({ id, name, attemptsMade }: Job) => ({ job: id, name, attempt: attemptsMade + 1 });
