import type { Redis } from "ioredis";
import { z } from "zod";
import type { Keys } from "./names.ts";
import { registerScript } from "./script.ts";
import { RECOVERED, SUM_UP, TROUBLE } from "./scripts/notice.ts";

/** What goes wrong. `target` is absent for what is wrong with the platform as a whole. */
export interface Trouble {
  readonly kind:
    | "task.failed"
    | "task.parked"
    | "breaker.open"
    | "gate.shut"
    | "freshness.missed"
    | "completion.failed"
    | "completion.waits";
  readonly target?: string;
  /** Of failures of one target, those that are one trouble. */
  readonly errorClass?: string;
}

/** What is told once, whoever finds it: the job group's record keeps that it was. */
export interface Once {
  readonly jobGroupId: number;
  /** Of the record. */
  readonly field: string;
  /** Tells one from the next. */
  readonly value: string;
}

/** What has to be told, as it lies in the outbox until it is queued. */
export interface NoticeEntry {
  /** The same one in every process, and no other one ever. */
  readonly id: string;
  readonly trouble: Trouble;
  readonly what: "first" | "summary" | "recovered";
  /** How often it came: since the last time it was told. */
  readonly count: number;
  /** Epoch milliseconds of Redis' clock. */
  readonly at: number;
  /** When the trouble began. */
  readonly since: number;
  /** When that which is counted began. */
  readonly countSince: number;
  /** Does the trouble stand? */
  readonly open: boolean;
  /** What was said with the last of them. */
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface NoticeStore {
  /** Events are counted each time; a state is told once while it stands. An entry: it has to be told now. */
  trouble(
    trouble: Trouble,
    as: "event" | "state",
    detail: NoticeEntry["detail"],
    once?: Once,
  ): Promise<NoticeEntry | undefined>;
  /** The trouble is over. */
  recovered(trouble: Trouble): Promise<NoticeEntry | undefined>;
  /** Puts the summaries that are due into the outbox. */
  sumUp(): Promise<void>;
  /** The troubles that stand. */
  standing(): Promise<Trouble[]>;
  /** What has to be told and is not queued yet. */
  outbox(): Promise<NoticeEntry[]>;
  /** It is queued. */
  queued(id: string): Promise<void>;
  /** True for one process in so many milliseconds. */
  isMyTurn(everyMs: number): Promise<boolean>;
}

export interface NoticeWindows {
  /** Within it what follows the first is counted; it doubles with each summary. */
  readonly firstMs: number;
  readonly longestMs: number;
}

const WINDOWS: NoticeWindows = { firstMs: 10 * 60_000, longestMs: 60 * 60_000 };
/** Of a trouble that nobody meets again, and whose end nobody sees. */
const LIFETIME_MS = 7 * 86_400_000;
const SUMMARIES_AT_ONCE = 1_000;

const entrySchema = z.object({
  id: z.string(),
  key: z.string(),
  what: z.enum(["first", "summary", "recovered"]),
  count: z.number(),
  at: z.number(),
  since: z.number(),
  countSince: z.number(),
  open: z.boolean(),
  detail: z.string(),
});

/** The troubles of the fleet in Redis: whichever process meets one, it is told once and then summed up. */
export function createNoticeStore(redis: Redis, keys: Keys, windows: NoticeWindows = WINDOWS): NoticeStore {
  const trouble = registerScript(redis, "relayTrouble", TROUBLE, 5);
  const recovered = registerScript(redis, "relayRecovered", RECOVERED, 3);
  const sumUp = registerScript(redis, "relaySumUp", SUM_UP, 2);
  const { due, standing, outbox } = keys.notices;

  return {
    trouble: async (one, as, detail, once) => {
      const key = keyOf(one);
      const counts = as === "event" ? 1 : 0;
      return readEntry(
        await trouble(
          [keys.notices.of(key), due, standing, outbox, once ? keys.group(once.jobGroupId) : outbox],
          [
            key,
            counts,
            windows.firstMs,
            LIFETIME_MS,
            JSON.stringify(detail),
            once?.field ?? "",
            once?.value ?? "",
          ],
        ),
      );
    },
    recovered: async (one) => {
      const key = keyOf(one);
      return readEntry(await recovered([keys.notices.of(key), standing, outbox], [key]));
    },
    sumUp: async () =>
      void (await sumUp([due, outbox], [keys.notices.of(""), windows.longestMs, SUMMARIES_AT_ONCE])),
    standing: async () => {
      const found: Trouble[] = [];
      for (const key of await redis.smembers(standing)) {
        const one = troubleOf(key);
        // The end of a failure is seen by whatever goes well after it; that of the others is looked for.
        const lives =
          one.kind === "task.failed" || one.kind === "completion.failed"
            ? await redis.exists(keys.notices.of(key))
            : await redis.pexpire(keys.notices.of(key), LIFETIME_MS);
        if (lives === 1) found.push(one);
        else await redis.srem(standing, key);
      }
      return found;
    },
    outbox: async () => (await redis.hvals(outbox)).flatMap((json) => readEntry(json) ?? []),
    queued: async (id) => void (await redis.hdel(outbox, id)),
    isMyTurn: async (everyMs) => (await redis.set(keys.notices.turn, "1", "PX", everyMs, "NX")) === "OK",
  };
}

const keyOf = ({ kind, target = "", errorClass = "" }: Trouble): string =>
  [kind, target, errorClass].join("/");

function troubleOf(key: string): Trouble {
  const [kind, target, errorClass] = key.split("/");
  return { kind: kind as Trouble["kind"], ...(target && { target }), ...(errorClass && { errorClass }) };
}

function readEntry(json: unknown): NoticeEntry | undefined {
  if (typeof json !== "string" || json === "") return undefined;
  const { key, detail, ...rest } = entrySchema.parse(JSON.parse(json));
  return { ...rest, trouble: troubleOf(key), detail: JSON.parse(detail) as NoticeEntry["detail"] };
}
