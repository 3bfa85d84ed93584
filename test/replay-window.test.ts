import { stripVTControlCharacters, styleText } from "node:util";
import { setTimeout as wait } from "node:timers/promises";
import { pino } from "pino";
import { expect, test } from "vitest";
import { readConfig } from "../src/config.ts";
import { createLook, type Look } from "../src/look.ts";
import { runReplay } from "../src/replay-command.ts";
import { runCommand } from "./support/command-line.ts";
import { API_TOKEN, openSite, type Site } from "./support/relay.ts";
import { allEnded, inShort, replay } from "./support/replays.ts";

const open = (settings: object = {}) =>
  openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" } },
      rules: [
        {
          name: "orders",
          when: { recipe: "orders" },
          publish: [{ target: "sales", table: "orders", action: "load", attempts: 1 }],
        },
      ],
    },
    simulator: { settings: { publishMs: 20, sameTarget: "append", touchOnPublish: true, ...settings } },
  });

/** A moment between what was and what comes; the platform tells its times in milliseconds. */
async function between(): Promise<number> {
  await wait(5);
  const now = Date.now();
  await wait(5);
  return now;
}

const ask = (url: string, body: unknown, token = API_TOKEN) =>
  fetch(`${url}/v1/replays`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });

/** How each job group of the answer stands. */
const standing = (lines: readonly { jobGroupId: number; state: string }[]) =>
  Object.fromEntries(lines.map(({ jobGroupId, state }) => [jobGroupId, state]));

test("a time means when job groups finished: those that nobody reported, and those that a publish touched later", async () => {
  const site = await open();
  const make = () => site.simulator.createJobGroup();
  const relay = await site.start();
  const early = make();
  const since = await between();
  const published = make();
  const failed = make();
  const unheard = make();
  const until = await between();
  site.simulator.addFault({ kind: "status", status: 403, jobGroupId: failed });
  for (const id of [published, failed]) await relay.report(id);
  await Promise.all([published, failed].map((id) => site.ended(id)));
  const late = make();
  site.simulator.clearFaults();

  const all = await replay(site, { since, until });
  expect(all.ok).toBe(true);
  expect(standing(all.lines)).toEqual({ [published]: "published", [failed]: "failed", [unheard]: "new" });
  const recent = await replay(site, { since: until });
  expect(standing(recent.lines)).toEqual({ [late]: "new" });
  const broken = await replay(site, { since, until, failed: true, yes: true });
  expect(standing(broken.lines)).toEqual({ [failed]: "failed" });
  await allEnded(site, [failed]);
  expect([early, published, failed, unheard, late].map((id) => site.puts(id).length)).toEqual([
    0, 1, 2, 0, 0,
  ]);
});

test("what began after the end of the time is neither asked for nor counted", async () => {
  const site = await open();
  const relay = await site.start();
  const since = await between();
  const early = site.simulator.createJobGroup();
  const until = await between();
  for (let n = 0; n < 1_001; n++) site.simulator.createJobGroup({ webhook: false });

  const whole = await ask(relay.url, { since: new Date(since).toISOString() });
  expect(whole.status).toBe(422);
  const { detail } = (await whole.json()) as { detail: string };
  expect(detail).toBe(
    "There are 1002 job groups, and a call may have 1000: narrow the time, or ask for what failed alone",
  );

  const narrow = { since: new Date(since).toISOString(), until: new Date(until).toISOString() };
  const answer = await ask(relay.url, narrow);
  expect(answer.status).toBe(200);
  expect(((await answer.json()) as { lines: unknown }).lines).toMatchObject([{ jobGroupId: early }]);
  const asked = site.simulator.requests({ kind: "jobGroup" }).map(({ jobGroupId }) => jobGroupId);
  expect(asked.filter((id) => id !== early)).toEqual([]);
});

test("what failed is also a dispatch that failed", async () => {
  const site = await open();
  const id = site.simulator.createJobGroup();
  site.simulator.addFault({ kind: "status", status: 403, on: "jobGroup", jobGroupId: id });
  const relay = await site.start();
  await relay.report(id);
  await site.dispatched(id);
  site.simulator.clearFaults();
  expect(await relay.story(id)).toMatchObject({ completion: { outcome: "failed" } });
  const { lines } = await replay(site, { since: Date.now() - 60_000, failed: true, yes: true });
  expect(inShort(lines)).toEqual(["sales new -> publish"]);
  await site.ended(id);
  expect(site.puts(id)).toHaveLength(1);
  expect(await relay.story(id)).toMatchObject({
    completion: { outcome: "dispatched", reports: [{ source: "webhook" }, { source: "replay" }] },
  });
});

test("a replay of some tasks leaves the others to the webhook that may still come", async () => {
  const site = await openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" }, finance: { connection: 3, schema: "public" } },
      rules: [
        {
          name: "both",
          when: "all",
          publish: [
            { target: "sales", table: "orders", action: "load" },
            { target: "finance", table: "orders", action: "load" },
          ],
        },
      ],
    },
    simulator: { settings: { publishMs: 20, sameTarget: "append", concurrent: "append" } },
  });
  const id = site.simulator.createJobGroup();
  const relay = await site.start();
  await replay(site, { jobGroupIds: [id], target: "sales", yes: true });
  await site.ended(id);
  expect(await relay.report(id)).toMatchObject({ status: 202, duplicate: false });
  await site.ended(id, 2);
  expect(site.puts(id)).toHaveLength(2);
});

test("over HTTP: a dry run unless it is said otherwise, and what is wrong is told", async () => {
  const site = await open();
  const relay = await site.start();
  const id = site.simulator.createJobGroup();
  const dry = await ask(relay.url, { since: "1h" });
  expect(dry.status).toBe(200);
  const told = (await dry.json()) as { dryRun: boolean; lines: { jobGroupId: number; done?: boolean }[] };
  expect(told.lines.find(({ jobGroupId }) => jobGroupId === id)).toMatchObject({
    state: "new",
    does: "publish",
  });
  expect(await site.tasks(id)).toEqual([]);

  const done = await ask(relay.url, { jobGroupIds: [id], dryRun: false, by: "ada" });
  expect(done.status).toBe(202);
  expect(await done.json()).toMatchObject({ dryRun: false, lines: [{ jobGroupId: id, done: true }] });
  const [task] = await site.ended(id);
  expect(task?.record.decisions).toMatchObject([{ by: "ada (API token 1)" }]);
  expect(site.puts(id)).toHaveLength(1);

  for (const [body, status, words] of [
    [{}, 400, "say jobGroupIds or since"],
    [{ jobGroupIds: [1], since: "1h" }, 400, "say jobGroupIds or since"],
    [{ jobGroupIds: [1], until: "1h" }, 400, "until goes with since"],
    [{ since: "yesterday" }, 400, "since: must be a time with its zone"],
    [{ jobGroupIds: [1], dry: false }, 400, "dry"],
    [{ jobGroupIds: [1], rule: "order" }, 422, 'There is no rule "order"'],
  ] as const) {
    const refused = await ask(relay.url, body);
    expect([body, refused.status]).toEqual([body, status]);
    expect(refused.headers.get("content-type")).toBe("application/problem+json");
    expect(((await refused.json()) as { detail: string }).detail).toContain(words);
  }
  expect((await ask(relay.url, { jobGroupIds: [id] }, "wrong")).status).toBe(401);
});

test("for people there is a row for each task, what it means to force it, and the way to do it", async () => {
  const site = await open();
  const id = site.simulator.createJobGroup();
  const relay = await site.start();
  await relay.report(id);
  await site.ended(id);
  const told = (more: object, look?: Look) => say(site, { jobGroupIds: [id], force: true, ...more }, look);
  expect(await told({})).toMatch(
    /^ {2}\d+ +sales +public\.orders +load +refused +nothing +.*rows will be in the table twice.*--reason/m,
  );
  const forced = await told({ reason: "the table was emptied" });
  expect(forced.split("\n")[0]).toMatch(/^ {2}JOB GROUP +TARGET +TABLE +ACTION +STATE +WITH --YES +WORDS$/);
  expect(forced).toMatch(
    / load +published +publish +sent again by force: its rows will be in the table twice/,
  );
  expect(forced).toContain(
    "Would replay 1 task of 1 job group (1 published). This was a dry run: --yes does it.",
  );
  const terminal = createLook({ isTTY: true, columns: 80 }, undefined);
  const painted = (await told({ reason: "the table was emptied" }, terminal)).split("\n");
  const rows = painted.slice(0, -2).map(stripVTControlCharacters);
  expect(rows.filter((line) => line.length > 80)).toEqual([]);
  expect(painted.join()).toContain(styleText("green", "published", { validateStream: false }));
  expect(await told({ yes: true, reason: "the table was emptied" })).toMatch(
    /^ {2}JOB GROUP .* DONE +WORDS\n.* published +publish \(queued\) .*\n\nReplayed 1 task of 1 job group \(1 published\)\.$/,
  );
});

async function say(site: Site, args: object, look?: Look): Promise<string> {
  const all = { failed: false, force: false, yes: false, json: false, ...args };
  return (await runReplay(all, readConfig({ ...site.env }), pino({ level: "silent" }), look)).text;
}

test.each([
  ["nothing to replay", [], "name job groups, or say --since"],
  ["ids and a time", ["31", "--since", "2h"], "take one of them"],
  ["an end before the beginning", ["--since", "1h", "--until", "2h"], "--until must be later than --since"],
  ["an end without a beginning", ["31", "--until", "2h"], "--until goes with --since"],
  ["no time", ["--since", "yesterday"], "It must be a time with its zone"],
  ["no id", ["jobgroup-31"], "whole number"],
])("wrong usage ends with 2 and says what: %s", async (_, args, words) => {
  const { code, output } = await runCommand(["replay", ...args]);
  expect(output).toContain(words);
  expect(code).toBe(2);
});

test.each([
  [
    "a job group that is not there",
    undefined,
    /^the platform does not know job group 99999: is it the right id/,
  ],
  [
    "one that was cancelled",
    "Canceled",
    /^it has nothing to publish: job group \d+ canceled on the platform$/,
  ],
  ["one that runs", "InProgress", /^Job group \d+ is "InProgress": replay it when it has ended$/],
] as const)("a replay says of %s what it means for a replay, which looks once", async (_, status, words) => {
  const site = await open();
  await site.start();
  const id = status === undefined ? 99_999 : site.simulator.createJobGroup({ status });
  const { lines } = await replay(site, { jobGroupIds: [id] });
  expect(lines).toMatchObject([{ state: "refused", words: expect.stringMatching(words) }]);
});

test("a replay is read as it was given", async () => {
  const { output } = await runCommand(["replay", "31", "32", "--target", "sales", "--failed", "--yes"]);
  expect(output).toBe(
    'replay {"failed":true,"force":false,"yes":true,"json":false,"target":"sales","jobGroupIds":[31,32]}',
  );
  const timed = await runCommand(["replay", "--since", "2026-11-24T08:00:00Z"]);
  expect(timed.output).toContain(`"since":${Date.parse("2026-11-24T08:00:00Z")}`);
});

test("what hangs on a name that the platform does not tell is refused, and nothing is sent on a guess", async () => {
  const site = await open({ recipes: [{ id: 27, name: null, flowId: 11 }] });
  const id = site.simulator.createJobGroup();
  await site.start();
  const { lines, ok } = await replay(site, { jobGroupIds: [id], yes: true });
  expect(ok).toBe(false);
  expect(lines.map(({ state, does }) => `${state} -> ${does}`)).toEqual(["refused -> nothing"]);
  expect(lines[0]?.words).toMatch(
    /^Rule "orders" cannot be judged .* no name .*To mend it, give it a name .*then replay/,
  );
  expect(lines[0]?.words).not.toContain("would");
  expect(await site.tasks(id)).toEqual([]);
});
