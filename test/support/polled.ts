import { eventually } from "./eventually.ts";
import { type Door, openSite, type Site } from "./relay.ts";

export const NO_WEBHOOKS = { WEBHOOK_SECRETS: "" };

const RULES = {
  targets: { sales: { connection: 2, schema: "public", concurrency: 50 } },
  rules: [
    {
      name: "all",
      when: "all",
      publish: [{ target: "sales", table: "orders_{jobGroupId}", action: "load" }],
    },
  ],
};

/** A site whose relays poll. */
export const openPolled = (env: Readonly<Record<string, string>>): Promise<Site> =>
  openSite({ rules: RULES, simulator: { settings: { appearMs: 10, publishMs: 50 } }, env });

/** The value that `/metrics` shows for a name without labels. */
export async function metric({ url }: Door, name: string): Promise<number | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const value = new RegExp(`^publish_relay_${name} (\\S+)$`, "m").exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
}

/** Resolves once a turn of the poller has begun after this moment and has ended. */
export async function turnFromNow(site: Site): Promise<{ words: string }> {
  const from = Date.now();
  return eventually(
    async () => {
      const jobs = await site.queue("poll").getJobs(["completed", "failed"]);
      return jobs.find(({ processedOn = 0 }) => processedOn >= from)?.returnvalue as { words: string };
    },
    { timeoutMs: 15_000, what: "a turn of the poller" },
  );
}

/** Resolves once a turn of the poller has read the list. */
export async function turned(site: Site): Promise<void> {
  await eventually(
    async () => {
      const jobs = await site.queue("poll").getJobs(["completed"]);
      return jobs.some(({ returnvalue }) => (returnvalue as { pages?: number } | null)?.pages);
    },
    { what: "a turn of the poller that read the list" },
  );
}

/** Who reported a job group, and when, in their order. */
export async function reportsOf(relay: Door, id: number): Promise<{ source: string; at: number }[]> {
  const story = (await relay.story(id)) as { completion?: { reports: { source: string; at: string }[] } };
  return (story.completion?.reports ?? []).map(({ source, at }) => ({ source, at: Date.parse(at) }));
}
