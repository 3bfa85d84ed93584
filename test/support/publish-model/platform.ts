import { type PlatformFailure, PlatformError } from "../../../src/errors.ts";
import type { OutputTable, PlatformJob } from "../../../src/processors/publish-task.ts";
import type { Action, PublishPlan } from "../../../src/rules/model.ts";
import { taskKey } from "../../../src/rules/task-identity.ts";
import type { Clock } from "./clock.ts";
import { finishedAt } from "./story.ts";

/** What a tenant does where nobody knows what tenants do. */
export interface Tenant {
  /** Are written tables told in `/outputs`? */
  readonly listsTables: boolean;
  readonly tellsDatabase: boolean;
  /** These results are in that table already / another publish of the job group runs. */
  readonly sameTarget: Policy;
  readonly concurrent: Policy;
  /** Where a publish's job shows. */
  readonly showAs: "job" | "group";
}
export type Policy = "refuse" | "fail" | "accept";

/** How a publish goes that the platform took. */
export interface Course {
  /** Until its job shows. */
  readonly appearMs: number;
  /** Until it ends, whether it shows or not; never: it is stuck. */
  readonly workMs: number | "stuck";
  readonly fails: boolean;
}

export interface ModelPublish {
  readonly jobId: number;
  readonly plan: PublishPlan;
  readonly action: Action;
  readonly by: "us" | "ui";
  readonly acceptedAt: number;
  readonly visibleAt: number;
  readonly shownIn: number;
  status: "InProgress" | "Complete" | "Failed";
}

export interface ModelPlatform extends ReturnType<typeof createPlatform> {}

const SAME_TARGET = { next: "refused", status: 400, code: "ValidationFailed", sameTarget: true } as const;
const BUSY = { next: "busy", status: 409, code: "ValidationFailed" } as const;

/** A model of the platform: who asked for what, what shows, and what was written. */
export function createPlatform(clock: Clock, tenant: Tenant, onApplied: (publish: ModelPublish) => void) {
  const publishes: ModelPublish[] = [];
  let lastId = 100;
  const nextId = (): number => {
    lastId += 1;
    return lastId;
  };
  const ofGroup = (jobGroupId: number): ModelPublish[] =>
    publishes.filter(({ plan }) => plan.jobGroupId === jobGroupId);
  const wrote = (plan: PublishPlan): ModelPublish[] =>
    ofGroup(plan.jobGroupId).filter(
      (publish) => publish.status === "Complete" && taskKey(publish.plan) === taskKey(plan),
    );

  /** Throws what the platform refuses; else the publish goes its course. */
  function take(plan: PublishPlan, by: "us" | "ui", course: Course, action = plan.action): ModelPublish {
    const runs = ofGroup(plan.jobGroupId).some(({ status }) => status === "InProgress");
    let doomed = false;
    for (const [applies, policy, refusal] of [
      [wrote(plan).length > 0, tenant.sameTarget, SAME_TARGET],
      [runs, tenant.concurrent, BUSY],
    ] as const) {
      if (!applies || policy === "accept") continue;
      if (policy === "refuse") throw failure(refusal);
      doomed = true;
    }
    const jobId = nextId();
    const publish: ModelPublish = {
      jobId,
      plan,
      action,
      by,
      acceptedAt: clock.now(),
      visibleAt: clock.now() + course.appearMs,
      shownIn: tenant.showAs === "group" ? nextId() : plan.jobGroupId,
      status: "InProgress",
    };
    publishes.push(publish);
    if (course.workMs !== "stuck") {
      clock.after(course.workMs, () => {
        publish.status = doomed || course.fails ? "Failed" : "Complete";
        if (publish.status === "Complete") onApplied(publish);
      });
    }
    return publish;
  }

  const shows = ({ visibleAt }: ModelPublish): boolean => visibleAt <= clock.now();

  return {
    publishes,
    take,
    wrote,
    listJobs: (jobGroupId: number): PlatformJob[] => [
      workOf(jobGroupId),
      ...publishes
        .filter((publish) => publish.shownIn === jobGroupId && shows(publish))
        .map(({ jobId, status, visibleAt }) => ({
          id: jobId,
          status,
          jobType: "publish",
          createdAt: visibleAt,
          updatedAt: visibleAt,
          ...(status === "Failed" && { error: "the cluster said no" }),
        })),
    ],
    /** All job groups here ran from one recipe. */
    listOwnGroups: ({ jobGroupId, finishedAt }: PublishPlan): number[] =>
      tenant.showAs === "job"
        ? []
        : publishes
            .filter((publish) => shows(publish) && publish.visibleAt >= finishedAt)
            .map(({ shownIn }) => shownIn)
            .filter((id) => id !== jobGroupId),
    listTables: (asked: PublishPlan): OutputTable[] =>
      tenant.listsTables
        ? ofGroup(asked.jobGroupId)
            .filter(({ status }) => status === "Complete")
            .map(({ plan, action, jobId }) => ({
              path: [plan.schema],
              table:
                action === "create" || action === "createAndLoad"
                  ? `${plan.table}_20261124_${jobId}00000`
                  : plan.table,
              ...(tenant.tellsDatabase && {
                place: plan.connection === asked.connection ? ("ours" as const) : ("elsewhere" as const),
              }),
            }))
        : [],
  };
}

/** The job that made a job group's results. */
function workOf(jobGroupId: number): PlatformJob {
  const at = finishedAt(jobGroupId);
  return { id: jobGroupId, status: "Complete", jobType: "wrangle", createdAt: at - 30_000, updatedAt: at };
}

/** What the client throws for an answer of the platform, or for none. */
export function failure(facts: Omit<PlatformFailure, "code"> & { readonly code?: string }): PlatformError {
  return new PlatformError(`The platform: ${facts.next}`, { code: "MODEL", ...facts });
}
