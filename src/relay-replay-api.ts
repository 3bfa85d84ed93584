import type { Replay as Route } from "./http/replay-route.ts";
import { ReplayStoppedError } from "./relay-replay-act.ts";
import { createReplay, ReplayNameError, type ReplayParts, ReplayTooLargeError } from "./relay-replay.ts";

/** Who asks over HTTP waits no longer than this for the platform's quota. */
const QUOTA_WITHIN_MS = 20_000;

/** Replays for those who ask over HTTP. */
export function createApiReplay(parts: ReplayParts): Route {
  const replay = createReplay(parts);
  return async ({ reason, key, rule, target, jobGroupIds, ...asked }, from, max) => {
    try {
      const query = {
        ...asked,
        ...(jobGroupIds !== undefined && { jobGroupIds }),
        ...(rule !== undefined && { rule }),
        ...(target !== undefined && { target }),
        ...(reason !== undefined && { reason }),
        ...(key !== undefined && { key }),
      };
      const asker = { ...from, who: asked.by, role: "api" } as const;
      return await replay(query, { max, asker, waitAtMostMs: QUOTA_WITHIN_MS });
    } catch (error) {
      if (error instanceof ReplayStoppedError) return { stopped: error.message, ...error.result };
      if (error instanceof ReplayTooLargeError || error instanceof ReplayNameError)
        return { refused: error.message };
      throw error;
    }
  };
}
