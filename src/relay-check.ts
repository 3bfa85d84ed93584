import { type ExplainDeps, explainJobGroup, type Explanation } from "./processors/explain-job-group.ts";
import { foreseeCompletion } from "./processors/foresee-completion.ts";
import type { JudgeDeps } from "./processors/judge-job-group.ts";
import { within } from "./producers/accept-report.ts";
import type { Foresee } from "./producers/webhook-check.ts";
import type { CompletionRecords } from "./queues/completion-record.ts";
import { createGateStore } from "./queues/gate-store.ts";
import { lookAtNewestRules } from "./queues/target-look.ts";
import type { Core } from "./relay-core.ts";
import { createStandings } from "./relay-standing.ts";
import { rulesNeed } from "./rules/lookups.ts";
import { explainRules } from "./rules/match-rules.ts";
import { planPublishes } from "./rules/plan-publishes.ts";
import { undecidedRules } from "./rules/undecided.ts";

const PLATFORM_TIMEOUT_MS = 5_000;
/** As for a webhook: within a second a sender knows that Redis is away. */
const REDIS_TIMEOUT_MS = 800;

type Parts = Pick<Core, "connections" | "keys" | "queues" | "platform" | "rules">;
type Records = Pick<CompletionRecords, "read">;

/** What would come of a report, by the rules that dispatch goes by. `records` reads on the connection that gives up soon. */
export function createForesee(core: Parts, records: Records, rulesFile: string): Foresee {
  return (report) => foreseeCompletion(report, judgeDepsOf(core, records, rulesFile, "behind the gate"));
}

/** Explains a job group. A command asks the platform past the gate: it asks once, for a person. */
export function createExplain(
  core: Parts,
  records: Records,
  rulesFile: string,
  asks: Asks = "behind the gate",
): (jobGroupId: number) => Promise<Explanation> {
  const { connections, keys } = core;
  const redis = connections.ingest;
  const gate = createGateStore(redis, keys);
  const standings = createStandings(core);
  // The rules may be others each time.
  const deps = (): ExplainDeps => ({
    ...judgeDepsOf(core, records, rulesFile, asks),
    gate: () => within(REDIS_TIMEOUT_MS, gate.look()),
    targets: (names) => within(REDIS_TIMEOUT_MS, standings(names)),
    newestRules: () => within(REDIS_TIMEOUT_MS, lookAtNewestRules(redis, keys)),
  });
  return (jobGroupId) => explainJobGroup(jobGroupId, deps());
}

/** While the gate is shut the platform is left alone, or it is asked all the same. */
export type Asks = "behind the gate" | "past the gate";

export function judgeDepsOf(
  { connections, keys, platform, rules }: Parts,
  records: Records,
  rulesFile: string,
  asks: Asks,
): JudgeDeps {
  const gate = createGateStore(connections.ingest, keys);
  const current = rules.current();
  return {
    read: (id) => within(REDIS_TIMEOUT_MS, records.read(id)),
    held: async () => {
      if (asks === "past the gate") return undefined;
      const { ms, words } = await within(REDIS_TIMEOUT_MS, gate.look());
      return ms > 0
        ? `the gate to the platform is shut for ${Math.ceil(ms / 1_000)} s more: ${words}`
        : undefined;
    },
    platform: platform.pastGate,
    platformTimeoutMs: PLATFORM_TIMEOUT_MS,
    rules: current
      ? { current, needs: rulesNeed, plan: planPublishes, undecided: undecidedRules, explain: explainRules }
      : `this process has no rules, ${rulesFile} is not there: set RULES_FILE, or write one: publish-relay init`,
    now: Date.now,
  };
}
