import { foreseeCompletion } from "./processors/foresee-completion.ts";
import { within } from "./producers/accept-report.ts";
import type { Foresee } from "./producers/webhook-check.ts";
import type { CompletionRecords } from "./queues/completion-record.ts";
import { createGateStore } from "./queues/gate-store.ts";
import type { Core } from "./relay-core.ts";
import { rulesNeed } from "./rules/lookups.ts";
import { explainRules } from "./rules/match-rules.ts";
import { planPublishes } from "./rules/plan-publishes.ts";

const PLATFORM_TIMEOUT_MS = 5_000;
/** As for a webhook: within a second a sender knows that Redis is away. */
const REDIS_TIMEOUT_MS = 800;

/** What would come of a report, by the rules that dispatch goes by. `records` reads on the connection that gives up soon. */
export function createForesee(
  { connections, keys, platform, rules }: Pick<Core, "connections" | "keys" | "platform" | "rules">,
  records: Pick<CompletionRecords, "read">,
  rulesFile: string,
): Foresee {
  const gate = createGateStore(connections.ingest, keys);
  return (report) => {
    const current = rules.current();
    return foreseeCompletion(report, {
      read: (id) => within(REDIS_TIMEOUT_MS, records.read(id)),
      held: async () => {
        const { ms, words } = await within(REDIS_TIMEOUT_MS, gate.look());
        return ms > 0
          ? `the gate to the platform is shut for ${Math.ceil(ms / 1_000)} s more: ${words}`
          : undefined;
      },
      platform: platform.pastGate,
      platformTimeoutMs: PLATFORM_TIMEOUT_MS,
      rules: current
        ? { current, needs: rulesNeed, plan: planPublishes, explain: explainRules }
        : `this process has no rules, ${rulesFile} is not there: set RULES_FILE`,
      now: Date.now,
    });
  };
}
