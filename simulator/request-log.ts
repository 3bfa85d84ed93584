/** One request to a platform route. */
export interface LoggedRequest {
  readonly n: number;
  /** Arrival, epoch milliseconds. */
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly kind: string;
  readonly requestId: string;
  readonly jobGroupId?: number;
  /** The parsed body of a PUT or POST. */
  body?: unknown;
  token: "ok" | "missing" | "unknown" | "expired";
  /** The answer's status, or what became of the connection. */
  result?: number | "dropped" | "reset" | "hung" | "client-left";
  answeredAt?: number;
  /** The fault that struck. */
  fault?: string;
  /** Set when this request started a publish, whatever was answered. */
  publishJobId?: number;
}

export interface LogFilter {
  kind?: string | undefined;
  jobGroupId?: number | undefined;
  /** Only requests after number n. */
  after?: number | undefined;
  limit?: number | undefined;
}

const CAP = 200_000;
const CAP_OTHERS = 50_000;

/** What arrived, oldest first. Publishes have room of their own, so that polling never pushes them out. */
export function createRequestLog() {
  let publishes: LoggedRequest[] = [];
  let others: LoggedRequest[] = [];
  let byKind: Record<string, number> = {};
  let count = 0;

  return {
    add(request: Omit<LoggedRequest, "n">): LoggedRequest {
      const entry: LoggedRequest = { n: ++count, ...request };
      byKind[entry.kind] = (byKind[entry.kind] ?? 0) + 1;
      const [log, cap] = entry.kind === "publish" ? [publishes, CAP] : [others, CAP_OTHERS];
      log.push(entry);
      // In one go and rarely: a shift per request would cost as much as the list is long.
      if (log.length > cap * 1.1) log.splice(0, log.length - cap);
      return entry;
    },
    list({ kind, jobGroupId, after = 0, limit = Infinity }: LogFilter = {}): LoggedRequest[] {
      const all =
        kind === "publish"
          ? publishes
          : kind === undefined
            ? [...publishes, ...others].sort((a, b) => a.n - b.n)
            : others;
      const found = all.filter(
        (entry) =>
          entry.n > after &&
          (kind === undefined || entry.kind === kind) &&
          (jobGroupId === undefined || entry.jobGroupId === jobGroupId),
      );
      return limit === Infinity ? found : found.slice(0, limit);
    },
    counts: (): Record<string, number> => ({ ...byKind }),
    clear(): void {
      publishes = [];
      others = [];
      byKind = {};
    },
  };
}
