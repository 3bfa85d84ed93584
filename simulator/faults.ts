import { z } from "zod";
import type { Dice } from "./dice.ts";
import type { Effects } from "./publish.ts";
import { onSchema, spanSchema } from "./settings.ts";

/** Faults of the publish job itself. Several can meet in one publish. */
const EFFECTS = ["stuck", "late", "long", "fail", "cancel", "own-group"] as const;
/** Faults of the answer. The first one that matches decides. */
const ANSWERS = [
  "status",
  "apply-and-drop",
  "apply-and-504",
  "drop",
  "reset-before-read",
  "slow",
  "bad-json",
  "wrong-shape",
  "redirect",
  "headers-then-hang",
  "ok-but-ignored",
] as const;
export type AnswerKind = (typeof ANSWERS)[number];

/** What `POST /_control/faults` takes. */
export const faultSchema = z
  .strictObject({
    kind: z.enum([...EFFECTS, ...ANSWERS]),
    on: onSchema.default("publish"),
    jobGroupId: z.int().exactOptional(),
    connection: z.int().exactOptional(),
    table: z.string().exactOptional(),
    /** How often it strikes; absent: until it is deleted. */
    times: z.int().min(1).exactOptional(),
    /** How many matching requests pass before it may strike. */
    skip: z.int().min(0).exactOptional(),
    /** Probability per request, drawn with the seed. */
    rate: z.number().min(0).max(1).exactOptional(),
    ms: spanSchema.exactOptional(),
    status: z.int().min(200).max(599).exactOptional(),
    body: z.unknown().exactOptional(),
    headers: z.record(z.string(), z.string()).exactOptional(),
    retryAfterSeconds: z.number().exactOptional(),
    /** Whether the request takes effect all the same; each kind has its own default. */
    apply: z.boolean().exactOptional(),
    location: z.string().exactOptional(),
    errorMessage: z.unknown().exactOptional(),
  })
  .refine((fault) => isAnswer(fault.kind) || fault.on === "publish", {
    message: `${EFFECTS.join(", ")} change a publish: use them with on: "publish"`,
  })
  .refine((fault) => fault.kind !== "reset-before-read" || (fault.table ?? fault.connection) === undefined, {
    message: "reset-before-read strikes before the body: match on jobGroupId, not on connection or table",
  });
export type FaultSpec = z.input<typeof faultSchema>;
export type Fault = z.output<typeof faultSchema> & { readonly id: number; struck: number };

/** What is known of a request when faults are looked up. */
export interface Subject {
  readonly on: string;
  readonly jobGroupId?: number | undefined;
  readonly connection?: number | undefined;
  readonly table?: string | undefined;
}

interface Live {
  readonly fault: Fault;
  readonly seen: Map<string, number>;
  passed: number;
}

/** The faults that are set, and which of them strikes. */
export function createFaults(dice: () => Dice) {
  let live: Live[] = [];
  let nextId = 1;

  function strikes(entry: Live, subject: Subject): boolean {
    const { fault, seen } = entry;
    if (!matches(fault, subject)) return false;
    if (fault.skip !== undefined && entry.passed++ < fault.skip) return false;
    if (fault.rate !== undefined) {
      // Counted per target, so that the draw does not depend on how requests interleave.
      const key = `${subject.on}/${subject.jobGroupId}/${subject.connection}/${subject.table}`;
      const turn = (seen.get(key) ?? 0) + 1;
      seen.set(key, turn);
      if (dice().roll(`fault/${fault.id}/${key}/${turn}`) >= fault.rate) return false;
    }
    fault.struck++;
    if (fault.struck === fault.times) live = live.filter((other) => other !== entry);
    return true;
  }

  function first(subject: Subject, wanted: (kind: Fault["kind"]) => boolean): Fault | undefined {
    for (const entry of live) {
      if (wanted(entry.fault.kind) && strikes(entry, subject)) return entry.fault;
    }
    return undefined;
  }

  return {
    add(spec: FaultSpec): number {
      const fault: Fault = { ...faultSchema.parse(spec), id: nextId++, struck: 0 };
      live.push({ fault, seen: new Map(), passed: 0 });
      return fault.id;
    },
    list: (): Fault[] => live.map((entry) => entry.fault),
    /** Removes one, or all. */
    clear(id?: number): void {
      live = id === undefined ? [] : live.filter((entry) => entry.fault.id !== id);
    },
    beforeRead: (subject: Subject): Fault | undefined =>
      live.length === 0 ? undefined : first(subject, (kind) => kind === "reset-before-read"),
    ofAnswer: (subject: Subject): Fault | undefined =>
      live.length === 0
        ? undefined
        : first(subject, (kind) => isAnswer(kind) && kind !== "reset-before-read"),
    /** All that happens to one publish that was accepted. */
    ofPublish(subject: Subject): Effects {
      const effects: Effects = {};
      for (const kind of live.length === 0 ? [] : EFFECTS) {
        const fault = first(subject, (other) => other === kind);
        if (fault !== undefined) addEffect(effects, fault);
      }
      return effects;
    },
  };
}

const FAILURE = {
  name: "PublishFailed",
  message: "The load into the target failed",
  details: { code: 1023 },
};

function addEffect(effects: Effects, fault: Fault): void {
  if (fault.kind === "stuck") effects.stuck = true;
  if (fault.kind === "late") effects.late = fault.ms ?? 1000;
  if (fault.kind === "long") effects.long = fault.ms ?? 10_000;
  if (fault.kind === "fail") effects.fail = { error: fault.errorMessage ?? FAILURE };
  if (fault.kind === "cancel") effects.cancel = true;
  if (fault.kind === "own-group") effects.ownGroup = true;
}

function isAnswer(kind: string): kind is AnswerKind {
  return (ANSWERS as readonly string[]).includes(kind);
}

function matches(fault: Fault, subject: Subject): boolean {
  return (
    (fault.on === "any" || fault.on === subject.on) &&
    (fault.jobGroupId === undefined || fault.jobGroupId === subject.jobGroupId) &&
    (fault.connection === undefined || fault.connection === subject.connection) &&
    (fault.table === undefined || fault.table.toLowerCase() === subject.table?.toLowerCase())
  );
}
