import { Agent, request } from "undici";
import type { Dice } from "./dice.ts";
import type { JobGroup } from "./platform.ts";
import { bodyOf, credentials, DEFAULTS, pick, type WebhookPatch, type WebhookTask } from "./webhook-task.ts";

const TIMEOUT_MS = 30_000;

/** The flow's webhook task: sends a signed report when a job group ends, as well or as badly as it is told to. */
export function createWebhooks(dice: () => Dice) {
  const task: WebhookTask = { ...DEFAULTS };
  const agent = new Agent({ connections: 64, bodyTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS });
  const timers = new Set<NodeJS.Timeout>();
  const counts = { sent: 0, delivered: 0, refused: 0, unreachable: 0, lost: 0, withheld: 0 };
  let held: JobGroup | undefined;
  let open = 0;
  let closed = false;
  let idle: (() => void)[] = [];

  function jobGroupEnded(group: JobGroup): void {
    const wanted = task.event === "done" || (task.event === "success") === (group.status === "Complete");
    if (task.url === null || !group.webhook || group.ranfor !== "recipe" || !wanted) return;
    const how = pick(task.behaviour, dice().roll(`webhook/${group.id}`));
    if (how === "never") {
      counts.withheld++;
    } else if (how === "late") {
      later(task.lateMs, () => send(group));
    } else if (how === "outOfOrder") {
      outOfOrder(group);
    } else {
      send(group);
      if (how === "twice") send(group);
    }
  }

  /** Holds one report back until the next one went out; alone, it goes after `lateMs`. */
  function outOfOrder(group: JobGroup): void {
    const before = held;
    if (before === undefined) {
      held = group;
      later(task.lateMs, () => {
        if (held === group) sendHeld();
      });
      return;
    }
    send(group);
    sendHeld();
  }

  function sendHeld(): void {
    const group = held;
    held = undefined;
    if (group !== undefined) send(group);
  }

  function send(group: JobGroup): void {
    deliver(bodyOf(task.body, group.id, group.status, group.labels), 0);
  }

  function deliver(body: string, failures: number): void {
    if (task.url === null) return;
    open++;
    counts.sent++;
    const headers = { "content-type": "application/json", ...task.headers, ...credentials(task, body) };
    request(task.url, { method: "POST", headers, body, dispatcher: agent })
      .then(async (answer) => {
        await answer.body.dump();
        const good = answer.statusCode >= 200 && answer.statusCode < 300;
        counts[good ? "delivered" : "refused"]++;
        return good;
      })
      .catch(() => {
        counts.unreachable++;
        return false;
      })
      .then((good) => {
        if (!good) again(body, failures);
        closeOne();
      })
      .catch(() => {});
  }

  function again(body: string, failures: number): void {
    if (closed) return;
    if (task.retryOnFailure && failures < task.retries) {
      later(task.retryMs * 2 ** failures, () => deliver(body, failures + 1));
    } else {
      counts.lost++;
    }
  }

  function later(ms: number, run: () => void): void {
    open++;
    const timer = setTimeout(() => {
      timers.delete(timer);
      run();
      closeOne();
    }, ms);
    timers.add(timer);
  }

  function closeOne(): void {
    if (--open > 0) return;
    for (const done of idle) done();
    idle = [];
  }

  return {
    set: (patch: WebhookPatch): void => void Object.assign(task, patch),
    /** The task and the counts; the secret is not shown. */
    view: () => ({ ...task, secret: "***", counts: { ...counts, pending: open } }),
    jobGroupEnded,
    /** The "Test" button: the body as it stands, nothing replaced. */
    sendTest: (): void => deliver(task.body, 0),
    /** Resolves when nothing is being sent, late or waiting for a retry. */
    idle: (): Promise<void> =>
      open === 0 ? Promise.resolve() : new Promise((resolve) => void idle.push(resolve)),
    async close(): Promise<void> {
      closed = true;
      task.url = null;
      for (const timer of timers) clearTimeout(timer);
      open -= timers.size;
      timers.clear();
      await agent.destroy();
    },
  };
}
