import type { PublishPlatform } from "../../../src/processors/publish-task.ts";
import type { PublishPlan } from "../../../src/rules/model.ts";
import type { Clock } from "./clock.ts";
import { type Course, failure, type ModelPlatform } from "./platform.ts";
import type { ModelProcess } from "./process.ts";
import type { CourseSketch, GetFate, PutFate } from "./story.ts";

/** `settleAfter: never` looks so long before it parks. */
const NEVER_LOOKS_MS = 30_000;
const GATE_MS = 5_000;

/** What a call meets when nothing is in its way. */
const WELL_PUT: PutFate = {
  way: "answered",
  applied: true,
  connectMs: 1,
  replyMs: 20,
  course: { appear: 0.001, workMs: 1_000, fails: false },
};
const WELL_GET: GetFate = { way: "answered", replyMs: 5 };

export interface NetDeps {
  readonly clock: Clock;
  readonly platform: ModelPlatform;
  readonly nextPut: () => PutFate | undefined;
  readonly nextGet: () => GetFate | undefined;
  readonly shutGate: (ms: number) => void;
  /** In the very moment in which the PUT leaves. */
  readonly onSent: (plan: PublishPlan) => void;
}

export const settleMsOf = ({ settleAfterMs }: PublishPlan): number =>
  settleAfterMs === "never" ? NEVER_LOOKS_MS : settleAfterMs;

/** Assumption A, and how it is broken, is in `appear`. */
export function courseOf(plan: PublishPlan, sketch: CourseSketch): Course {
  return {
    appearMs: Math.floor(sketch.appear * settleMsOf(plan)),
    workMs: sketch.workMs,
    fails: sketch.fails,
  };
}

/** The platform as one process reaches it: over a network that is slow, loses answers, and is shut at times. */
export function createNet(deps: NetDeps, process: ModelProcess, plan: PublishPlan): PublishPlatform {
  const { clock, platform } = deps;

  function get<T>(read: () => T, mayBeRefused = true): Promise<T> {
    const fate = deps.nextGet() ?? WELL_GET;
    const { replyMs } = fate;
    const way = fate.way === "refused" && !mayBeRefused ? "retry" : fate.way;
    return process.call(() => {
      if (way === "answered") return read();
      if (way === "gate") deps.shutGate(GATE_MS);
      throw failure(way === "gate" ? { next: "gate", gate: "away" } : { next: way });
    }, replyMs);
  }

  return {
    listJobs: (id) => get(() => platform.listJobs(id)),
    // A token that may not list runs finds no publish in a group of its own; that is a limit, not a fault.
    listOwnGroups: (asked) => get(() => platform.listOwnGroups(asked), false),
    listTables: (asked) => get(() => platform.listTables(asked)),
    publish: (_id, _body, guard, signal) =>
      new Promise((resolve, reject) => {
        const fate = deps.nextPut() ?? WELL_PUT;
        let over = false;
        let sent = false;
        const end = (go: () => void): void => {
          if (!over) go();
          over = true;
        };
        signal?.addEventListener("abort", () =>
          process.later(0, () => end(() => reject(failure({ next: sent ? "unknown" : "not-sent" })))),
        );
        const answerWith = (go: () => void): void => void process.later(fate.replyMs, () => end(go));
        const shut = (gate: "away" | "throttled" | "unauthorized"): void =>
          answerWith(() => {
            deps.shutGate(GATE_MS);
            reject(failure({ next: "gate", gate }));
          });

        process.later(fate.connectMs, () => {
          if (over) return;
          if (fate.way === "no-connection") return shut("away");
          // The client asks in the very tick in which it writes.
          if (!guard.mayStillSend()) return end(() => reject(failure({ next: "not-sent" })));
          sent = true;
          deps.onSent(plan);
          switch (fate.way) {
            case "throttled":
            case "unauthorized":
              return shut(fate.way);
            case "refused":
            case "busy":
            case "retry":
              return answerWith(() => reject(failure({ next: fate.way as "refused" | "busy" | "retry" })));
            case "lost":
            case "answered":
          }
          // From here on the platform has it, whatever becomes of the process.
          clock.after(1, () => {
            try {
              const shownIn = fate.applied
                ? platform.take(plan, "us", courseOf(plan, fate.course)).shownIn
                : plan.jobGroupId;
              if (fate.way === "answered") answerWith(() => resolve({ jobGroupId: shownIn, requestId: "r" }));
            } catch (refused) {
              if (fate.way === "answered") answerWith(() => reject(refused as Error));
            }
            if (fate.way === "lost") answerWith(() => reject(failure({ next: "unknown" })));
          });
        });
      }),
  };
}
