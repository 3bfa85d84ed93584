import { expect, test } from "vitest";
import { eventually } from "./support/eventually.ts";
import { nextRequest, openSite, statesOf } from "./support/relay.ts";

const load = { table: "orders", action: "load", settleAfter: "1s", backoff: "100ms" };
const openTwo = () =>
  openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" }, finance: { connection: 3, schema: "public" } },
      rules: [
        {
          name: "all",
          when: "all",
          publish: [
            { target: "sales", ...load },
            { target: "finance", ...load },
          ],
        },
      ],
    },
    // The platform stops no second publish here: only the relay does.
    simulator: { settings: { sameTarget: "append", concurrent: "append" } },
  });
type Site = Awaited<ReturnType<typeof openTwo>>;

/** The task in this state, as soon as there is one. */
const taskIn = (site: Site, state: string) =>
  eventually(async () => (await site.tasks(2)).find(({ record }) => record.state === state), {
    what: `a task is ${state}`,
  });

const stateOf = async (site: Site, target: string) =>
  (await site.tasks(2)).find(({ plan }) => plan.target === target)?.record.state;

test("a publish whose target is paused in the middle of it is seen to its end, and its job group goes on", {
  timeout: 90_000,
}, async () => {
  const site = await openTwo();
  site.simulator.set({ publishMs: 2_000 });
  const first = await site.startProcess();
  await first.report(2);
  const { plan } = await taskIn(site, "submitted");
  await site.queue(`publish.${plan.target}`).pause();
  first.process.signal("SIGTERM");
  await first.process.exited;
  site.simulator.set({ publishMs: 100 });
  expect(await stateOf(site, plan.target)).toBe("submitted");

  await site.start();
  expect(statesOf(await site.ended(2, 2, 60_000))).toEqual(["finance published", "sales published"]);
  expect(site.puts(2)).toHaveLength(2);

  // Its own job, once it may run, finds that and sends nothing.
  await site.queue(`publish.${plan.target}`).resume();
  const job = await eventually(
    async () => {
      const found = await site.onlyJob(`publish.${plan.target}`);
      return (await found.getState()) === "completed" ? found : undefined;
    },
    { what: "the job has ended" },
  );
  expect(job.returnvalue).toMatchObject({ outcome: "published" });
  expect(site.puts(2)).toHaveLength(2);
});

test("a task whose process died before its PUT keeps nobody, though its target is paused then", {
  timeout: 90_000,
}, async () => {
  const site = await openTwo();
  const first = await site.startProcess();
  site.simulator.addFault({ kind: "slow", on: "jobs", ms: 3_000, times: 1 });
  const asked = nextRequest(site.simulator, ({ kind }) => kind === "jobs");
  await first.report(2);
  await asked;
  const { plan } = await taskIn(site, "admitted");
  first.process.signal("SIGKILL");
  await first.process.exited;
  await site.queue(`publish.${plan.target}`).pause();
  await site.start();
  const other = plan.target === "sales" ? "finance" : "sales";
  await eventually(async () => (await stateOf(site, other)) === "published", {
    timeoutMs: 40_000,
    what: "the other target is published",
  });
  expect(site.puts(2)).toHaveLength(1);
  await site.queue(`publish.${plan.target}`).resume();
  expect(statesOf(await site.ended(2, 2, 30_000))).toEqual(["finance published", "sales published"]);
});
