/**
 * What a handler says about the job it was given; the worker adapter turns it into BullMQ's instructions.
 *
 * - `done`: it ended well.
 * - `fail`: it ended, and never again by itself.
 * - `retry`: again after a while; an attempt is used.
 * - `later`: again after a while, or when woken; no attempt is used. `lookAgain` tells, once the job sleeps,
 *   whether the reason to wait went away in between (a wake-up before that moment is lost).
 * - `hold`: the whole queue starts nothing for a while, and this job comes first after it; no attempt is used.
 * - `hand-over`: this process stops; another one takes the job up at once, or in its turn.
 * - `lost`: another run has the job; nothing is written.
 */
export type Outcome =
  | { readonly next: "done"; readonly value: object }
  | { readonly next: "fail"; readonly outcome: "failed" | "parked"; readonly words: string }
  | { readonly next: "retry"; readonly inMs: number; readonly words: string }
  | { readonly next: "later"; readonly inMs: number; readonly lookAgain?: () => Promise<boolean> }
  | { readonly next: "hold"; readonly ms: number }
  | { readonly next: "hand-over"; readonly inTurn?: boolean }
  | { readonly next: "lost" };

/** What a run of a job may use besides its data. */
export interface Run {
  /** How often the job was taken from a process that had died. */
  readonly stalls: number;
  /** Aborts when the process stops. */
  readonly signal: AbortSignal;
  /** A line of the job's story on the board, in plain words. */
  readonly tell: (words: string) => void;
  /** The picture on the board. */
  readonly show: (progress: {
    readonly progress: number;
    readonly stage: string;
    [more: string]: unknown;
  }) => void;
}
