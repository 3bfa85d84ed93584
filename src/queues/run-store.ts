import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import type { Keys } from "./names.ts";
import { registerScript, words } from "./script.ts";
import { ASK_RUN, END_TURN, SEND_RUN } from "./scripts/run.ts";

/**
 * The newest run that stood on the platform before anything was sent with an execution id. `not known`: it could not be
 * asked, or the id had run before this record was made.
 */
export type RunBefore = number | "not known";

/** What an earlier call sent. */
export interface SentRun {
  readonly before: RunBefore;
  readonly agoMs: number;
  /** The platform has told that it ran, and not as which job group. */
  readonly ranAlready: boolean;
}

/** A run as it stands when somebody asks for it. */
export interface AskedRun {
  /** It is this call's turn to send it; else another call with the execution id is under way. */
  readonly isTurn: boolean;
  /** For so many milliseconds somebody has the turn. */
  readonly heldMs: number;
  /** What is asked for is what was asked for first. */
  readonly isSame: boolean;
  /** Undefined: nothing was sent yet. */
  readonly sent?: SentRun;
  /** Known once the platform has told it. */
  readonly jobGroupId?: number;
}

export interface RunStore {
  /**
   * Writes down that a run is asked for, and takes the turn for `holdMs` if nobody has it; answers what stands. Rejects
   * when it cannot be written: then nothing may run.
   */
  ask(executionId: string, request: string, turn: { holder: string; holdMs: number }): Promise<AskedRun>;
  /** What stands, without a word of this call. */
  look(executionId: string): Promise<number | undefined>;
  /** Written before anything is sent. */
  sending(executionId: string, before: RunBefore): Promise<void>;
  started(executionId: string, jobGroupId: number): Promise<void>;
  /** It ran, and the platform does not tell as which job group. */
  ranAlready(executionId: string): Promise<void>;
  /** Surely nothing ran: whoever asks again asks for the first time. */
  forget(executionId: string, holder: string): Promise<void>;
  /** The turn is over; a turn that has passed to somebody else stays theirs. */
  release(executionId: string, holder: string): Promise<void>;
}

/** The runs that were asked for, each kept `retentionMs` after it was asked for last. */
export function createRunStore(redis: Redis, keys: Keys, retentionMs: number): RunStore {
  const ask = registerScript(redis, "relayAskRun", ASK_RUN, 2);
  const send = registerScript(redis, "relaySendRun", SEND_RUN, 1);
  const end = registerScript(redis, "relayEndTurn", END_TURN, 2);
  const both = (executionId: string) => [keys.run(executionId), keys.runTurn(executionId)];
  return {
    ask: async (executionId, request, { holder, holdMs }) => {
      // A parameter may be a secret: it is not kept.
      const mine = createHash("sha256").update(`${executionId}\n${request}`).digest("hex");
      const reply = words(await ask(both(executionId), [mine, holder, holdMs, retentionMs]));
      const [taken, heldMs, first, agoMs = "", before = "", jobGroupId = "", ranAlready] = reply;
      return {
        isTurn: taken === "1",
        heldMs: Math.max(0, Number(heldMs)),
        isSame: first === mine,
        ...(before !== "" && {
          sent: {
            before: before === "not known" ? before : Number(before),
            agoMs: Math.max(0, Number(agoMs)),
            ranAlready: ranAlready === "1",
          },
        }),
        ...(jobGroupId !== "" && { jobGroupId: Number(jobGroupId) }),
      };
    },
    look: async (executionId) => {
      const known = await redis.hget(keys.run(executionId), "jobGroupId");
      return known === null ? undefined : Number(known);
    },
    sending: async (executionId, before) => void (await send([keys.run(executionId)], [before])),
    started: async (executionId, jobGroupId) => {
      await redis.hset(keys.run(executionId), "jobGroupId", jobGroupId);
    },
    ranAlready: async (executionId) => void (await redis.hset(keys.run(executionId), "ranAlready", 1)),
    forget: async (executionId, holder) => void (await end(both(executionId), [holder, 1])),
    release: async (executionId, holder) => void (await end(both(executionId), [holder, 0])),
  };
}
