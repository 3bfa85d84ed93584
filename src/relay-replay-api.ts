import type { Replay as Route } from "./http/replay-route.ts";
import { ReplayStoppedError } from "./relay-replay-act.ts";
import { createReplay, ReplayNameError, type ReplayParts, ReplayTooLargeError } from "./relay-replay.ts";

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
      return await replay(query, { max, asker: { ...from, who: asked.by, role: "api" } });
    } catch (error) {
      if (error instanceof ReplayStoppedError) return { stopped: error.message, ...error.result };
      if (error instanceof ReplayTooLargeError || error instanceof ReplayNameError)
        return { refused: error.message };
      throw error;
    }
  };
}
