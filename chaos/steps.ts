import type { Slot } from "./fleet.ts";
import type { Link, Tap } from "./wire.ts";

/** Each moment at which a process is killed on purpose, in the order of a publish. */
export const STEPS = [
  "before the PUT, before that is written down",
  "before the PUT, after that was written down",
  "PUT in flight, never arrives",
  "PUT in flight, took effect, not answered",
  "answered, before the state is saved",
  "state saved, before anything else",
  "while following",
  "ended in the record, before its job ends",
  "before the parent ends",
] as const;
export type Step = (typeof STEPS)[number];

export interface StepDeps {
  readonly mayDie: (slot: Slot) => boolean;
  readonly kill: (slot: Slot, step: Step) => void;
  /** The state of a task as Redis holds it, asked on a connection of our own. */
  readonly stateOf: (jobGroupId: number, field: string) => Promise<string | undefined>;
  /** Does a publish of this job group run on the platform? */
  readonly isPublishing: (jobGroupId: number) => boolean;
}

/** Kills whichever process comes first to a step that is armed, once for each time it was armed. */
export interface Steps {
  arm(step: Step): void;
  readonly armed: ReadonlySet<Step>;
  disarm(): void;
  readonly hits: Readonly<Record<Step, number>>;
  taps(slot: Slot): { readonly redis: Tap; readonly platform: Tap };
}

/** Steps at which a write is held back for ever, by the state that it writes. */
const BEFORE_SAVED = {
  "before the PUT, before that is written down": "submitting",
  "answered, before the state is saved": "submitted",
} as const satisfies Partial<Record<Step, string>>;

/** Steps at which a write reaches Redis, and its answer nobody. */
const AFTER_SAVED = {
  "before the PUT, after that was written down": "submitting",
  "state saved, before anything else": "submitted",
  "ended in the record, before its job ends": "published",
} as const satisfies Partial<Record<Step, string>>;

/** Longer than Redis needs for a script; shorter than anybody waits for a lock. */
const SAVED_WITHIN_MS = 1_000;
const LOOK_EVERY_MS = 2;

export function createSteps({ mayDie, kill, stateOf, isPublishing }: StepDeps): Steps {
  const armed = new Set<Step>();
  const hits = Object.fromEntries(STEPS.map((step) => [step, 0])) as Record<Step, number>;

  /** The process dies here, and what it was about to send goes no further. */
  function strike(step: Step, slot: Slot): false {
    armed.delete(step);
    hits[step]++;
    kill(slot, step);
    return false;
  }

  /** Kills when Redis has what was written. */
  async function strikeWhenSaved(step: Step, slot: Slot, { jobGroupId, field, state }: Write): Promise<void> {
    armed.delete(step);
    const deadline = Date.now() + SAVED_WITHIN_MS;
    while (slot.state !== "gone" && Date.now() < deadline) {
      if ((await stateOf(jobGroupId, field).catch(() => undefined)) === state) {
        hits[step]++;
        break;
      }
      await new Promise((resolve) => void setTimeout(resolve, LOOK_EVERY_MS));
    }
    // Not saved (Redis was killed, say): the step is not counted, but a process that hears nothing must not live on.
    kill(slot, step);
  }

  function watchCommands(slot: Slot, bytes: Buffer, link: Link): boolean {
    for (const [step, state] of entries(BEFORE_SAVED)) {
      if (armed.has(step) && readWrite(bytes, state)) return strike(step, slot);
    }
    if (armed.has("before the parent ends") && endsParent(bytes))
      return strike("before the parent ends", slot);
    for (const [step, state] of entries(AFTER_SAVED)) {
      const write = armed.has(step) && !link.held ? readWrite(bytes, state) : undefined;
      if (!write) continue;
      link.held = true;
      void strikeWhenSaved(step, slot, write);
    }
    return true;
  }

  function watchRequest(slot: Slot, request: string, link: Link): boolean {
    link.request = request;
    if (armed.has("PUT in flight, never arrives") && isPut(link))
      return strike("PUT in flight, never arrives", slot);
    const listed = /^GET \/v4\/jobGroups\/(\d+)\/jobs$/.exec(request)?.[1];
    if (armed.has("while following") && listed && isPublishing(Number(listed)))
      return strike("while following", slot);
    return true;
  }

  return {
    hits,
    armed,
    arm: (step) => void armed.add(step),
    disarm: () => armed.clear(),
    taps: (slot) => ({
      redis: {
        out: (bytes, link) => {
          if (slot.state === "gone") return false;
          learnWorkers(slot, bytes);
          return armed.size === 0 || !mayDie(slot) || watchCommands(slot, bytes, link);
        },
        back: () => true,
      },
      platform: {
        out: (bytes, link) => {
          if (slot.state === "gone") return false;
          const request = /^(?:PUT|GET) \S+/.exec(bytes.toString("latin1", 0, 200))?.[0];
          return request === undefined || !mayDie(slot) || watchRequest(slot, request, link);
        },
        back: (_bytes, link) => {
          const step = "PUT in flight, took effect, not answered";
          return armed.has(step) && isPut(link) && mayDie(slot) ? strike(step, slot) : true;
        },
      },
    }),
  };
}

const entries = <K extends string, V>(record: Readonly<Record<K, V>>): [K, V][] =>
  Object.entries(record) as [K, V][];
const isPut = ({ request }: Link): boolean => request.startsWith("PUT ");

interface Write {
  readonly jobGroupId: number;
  readonly field: string;
  readonly state: string;
}

/**
 * The first write of a task's state among the commands: a bulk string of Redis' protocol that begins with version and
 * state, after the task's field. `submitted` is meant as it is written first, without the publish job that is followed.
 */
function readWrite(bytes: Buffer, state: string): Write | undefined {
  const at = bytes.indexOf(`{"v":1,"state":"${state}"`);
  if (at < 0) return undefined;
  const text = bytes.toString("latin1");
  if (state === "submitted" && text.slice(at, text.indexOf("\r\n", at)).includes('"publishJobId"'))
    return undefined;
  const before = text.slice(0, at);
  const field = /\r\n(task:[^\r]+)\r\n\$\d+\r\n$/.exec(before)?.[1];
  const jobGroupId = Number(/:group:(\d+)\r\n/.exec(before.slice(before.lastIndexOf(":group:")))?.[1]);
  return field && Number.isSafeInteger(jobGroupId) ? { jobGroupId, field, state } : undefined;
}

/** BullMQ's script that ends a job group's parent with its summary; not the summary that is put right later. */
function endsParent(bytes: Buffer): boolean {
  const at = bytes.indexOf('{"words":"published ');
  if (at < 0) return false;
  const before = bytes.toString("latin1", 0, at);
  return (
    before.includes(":job-groups:") &&
    !/\r\nhset\r\n[^\r]+\r\n[^\r]+\r\n\$\d+\r\nreturnvalue\r\n\$\d+\r\n$/i.test(before)
  );
}

/** Completions, job groups, and one per target. */
const WORKERS = 5;
const TOKEN = /\b([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}):\d/g;

function learnWorkers(slot: Slot, bytes: Buffer): void {
  if (slot.workers.size >= WORKERS) return;
  for (const [, worker = ""] of bytes.toString("latin1").matchAll(TOKEN)) slot.workers.add(worker);
  if (slot.workers.size > 0 && slot.state === "starting") slot.state = "ready";
}
