import type { IncomingMessage } from "node:http";
import type { Problem } from "../producers/problem.ts";
import { type Answer, problemAnswer, readForm } from "./answer.ts";
import type { Draft } from "./decision-form.ts";
import { saysSomething } from "../producers/reason.ts";
import { REASON_MAX, TARGET_ACTIONS, type TargetAction } from "./target-actions.ts";

/** Somebody who signed in. */
export interface Person {
  readonly name: string;
  readonly role: "operator" | "viewer";
  /** The address they ask from. */
  readonly from: string;
}

/** Somebody who signed in, with the id of what they ask. */
export interface Asker extends Person {
  readonly requestId: string;
}

type DecisionResult =
  | { readonly kind: "resolved" }
  | { readonly kind: "unknown" }
  | { readonly kind: "refused"; readonly detail: string };

/** What operators can do; whatever they do is told to the audit trail by whoever does it. */
export interface ChangesDeps {
  /** Why this request may not change anything; undefined when it may. */
  readonly mayChange: (req: IncomingMessage, who: Person, body: "form") => Problem | undefined;
  readonly hasTarget: (name: string) => boolean;
  /** Tells that something was refused before it began, and what was asked. */
  readonly tellRefused: (what: RefusedChange, why: string, who: Asker) => Promise<void>;
  /** Answers what was done, as an address says it: `paused`, `resumed`, `probed`, `closed`. */
  readonly act: (
    target: string,
    action: TargetAction,
    reason: string | undefined,
    who: Asker,
  ) => Promise<string>;
  readonly decide: (
    taskId: string,
    decision: { readonly outcome: "published" | "again"; readonly reason: string },
    who: Asker,
  ) => Promise<DecisionResult>;
  /** The story with the form filled in as it was sent. */
  readonly storyWith: (jobGroupId: number, who: Person, draft: Draft, status: number) => Promise<Answer>;
}

/** What was asked for and not begun. */
export interface RefusedChange {
  readonly action: string;
  readonly target?: string;
  readonly taskId?: string;
  readonly jobGroupId?: number;
  /** What was sent. */
  readonly sent?: string;
}

export interface Change {
  readonly run: (req: IncomingMessage, who: Asker) => Promise<Answer>;
}

const TARGET_PATH = /^\/targets\/([^/]+)\/([a-z]+)$/;
const DECISION_PATH = /^\/job-groups\/([1-9]\d{0,15})\/tasks\/([^/]+)\/decision$/;
/** Pages with buttons on them. */
const BACK = /^\/(?:\?refresh=off|job-groups\/[1-9]\d{0,15})?$/;

/** The change that a path stands for; undefined for none. */
export function changeAt(path: string, deps: ChangesDeps): Change["run"] | undefined {
  const [, target, verb] = TARGET_PATH.exec(path) ?? [];
  const action = TARGET_ACTIONS.find((one) => one === verb);
  if (target !== undefined && action) return actOn(deps, target, action);
  const [, jobGroup, taskId] = DECISION_PATH.exec(path) ?? [];
  const id = taskId === undefined ? undefined : decode(taskId);
  return jobGroup === undefined || id === undefined ? undefined : decideOn(deps, Number(jobGroup), id);
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

const actOn =
  (deps: ChangesDeps, target: string, action: TargetAction): Change["run"] =>
  async (req, who) => {
    const form = await readForm(req);
    const refused = { action, target };
    if (!form) return tooLong(deps, refused, who);
    if (!deps.hasTarget(target)) {
      await deps.tellRefused(refused, "No such target is known", who);
      return problemAnswer(
        { status: 404, detail: "No such target is known: it may have left the rules." },
        "No such target",
      );
    }
    const reason = (form.get("reason") ?? "").trim();
    if (reason.length > REASON_MAX) return tooLong(deps, refused, who);
    const done = await deps.act(target, action, saysSomething(reason) ? reason : undefined, who);
    return seeAfter(form.get("back") ?? "/", `${done}-${target}`);
  };

const decideOn =
  (deps: ChangesDeps, jobGroupId: number, taskId: string): Change["run"] =>
  async (req, who) => {
    const form = await readForm(req);
    const refused = { action: "resolve", taskId, jobGroupId };
    if (!form) return tooLong(deps, refused, who);
    const given = form.get("outcome") ?? "";
    const reason = (form.get("reason") ?? "").trim();
    const again = (status: number, wrong: string) =>
      deps.storyWith(jobGroupId, who, { taskId, outcome: given, reason, wrong }, status);
    const outcome = given === "published" || given === "again" ? given : undefined;
    const wrong = wrongWith({ outcome, reason, jobGroupId, taskId });
    if (!outcome || wrong !== undefined) {
      await deps.tellRefused({ ...refused, sent: `${given} ${reason}`.trim() }, wrong ?? NO_OUTCOME, who);
      return again(400, wrong ?? NO_OUTCOME);
    }
    const result = await deps.decide(taskId, { outcome, reason }, who);
    switch (result.kind) {
      case "resolved":
        return seeAfter(`/job-groups/${jobGroupId}`, outcome);
      case "unknown":
        return problemAnswer({ status: 404, detail: `There is no task ${taskId}.` }, "No such task");
      case "refused":
        return again(409, result.detail);
    }
  };

const NO_OUTCOME = "Say whether the rows are there.";

function wrongWith(sent: {
  readonly outcome: string | undefined;
  readonly reason: string;
  readonly jobGroupId: number;
  readonly taskId: string;
}): string | undefined {
  const { outcome, reason, jobGroupId, taskId } = sent;
  if (!outcome) return NO_OUTCOME;
  if (!saysSomething(reason)) return "Write why: the reason is kept with the task.";
  if (reason.length > REASON_MAX) return `The reason has more than ${REASON_MAX} characters: shorten it.`;
  // The id says which job group the task is of; the page leads back to that one alone.
  if (!taskId.startsWith(`jobgroup-${jobGroupId}-`)) return "This task is of another job group.";
  return undefined;
}

async function tooLong(deps: ChangesDeps, refused: RefusedChange, who: Asker): Promise<Answer> {
  await deps.tellRefused(refused, TOO_LONG, who);
  return problemAnswer({ status: 413, detail: TOO_LONG }, "Too long");
}

const TOO_LONG = "The form is too long to be read. Shorten the reason.";

function seeAfter(back: string, done: string): Answer {
  const to = BACK.test(back) ? back : "/";
  return { kind: "see", to: `${to}${to.includes("?") ? "&" : "?"}done=${done}` };
}
