import { type Answer, tooManyRequests } from "./answer.ts";
import type { Settings } from "./settings.ts";

/** The API quota: fixed windows, per token and kind of route. */
export function createQuotas() {
  const windows = new Map<string, { endsAt: number; used: number }>();

  return {
    /** Counts a request; an answer means that it is over the limit. */
    take(token: string, kind: string, quotas: Settings["quotas"]): Answer | undefined {
      const now = Date.now();
      for (const { on, limit, perMs } of quotas) {
        if (on !== "any" && on !== kind) continue;
        const key = `${on}/${token}`;
        let window = windows.get(key);
        if (window === undefined || now >= window.endsAt) {
          window = { endsAt: now + perMs, used: 0 };
          windows.set(key, window);
        }
        if (++window.used > limit) {
          return tooManyRequests(Math.ceil((window.endsAt - now) / 1000), limit, window.endsAt);
        }
      }
      return undefined;
    },
  };
}
