import { beforeAll, describe, expect, it } from "vitest";
import { html } from "../src/pages/html.ts";
import { evidenceList } from "../src/pages/evidence.ts";
import { span } from "../src/pages/words.ts";
import { eventually } from "./support/eventually.ts";
import { API_TOKEN, type LocalRelay, openSite, type Site, untilState } from "./support/relay.ts";

const BAD = `<script>alert("x")</script>`;
const as = (name: string) => `Basic ${Buffer.from(`${name}:secret`).toString("base64")}`;

const publication = (target: string, table: string, more: object = {}) => ({
  target,
  table,
  action: "load",
  ...more,
});

/** One target for each reason to be held up. */
const RULES = {
  targets: {
    sales: { connection: 2, schema: "public" },
    slow: { connection: 2, schema: "slow", rateLimit: { max: 1, per: "1m" } },
    broken: { connection: 3, schema: "public" },
    archive: { connection: 2, schema: "archive" },
    vault: { connection: 2, schema: "vault" },
  },
  rules: [
    { name: `sales ${BAD}`, when: { labels: { to: "sales" } }, publish: [publication("sales", "orders")] },
    { name: "slow", when: { labels: { to: "slow" } }, publish: [publication("slow", "orders")] },
    {
      name: "broken",
      when: { labels: { to: "broken" } },
      publish: [publication("broken", "orders", { attempts: 50, backoff: "100ms" })],
    },
    {
      name: "busy",
      when: { labels: { to: "archive" } },
      publish: [publication("archive", "one"), publication("archive", "two")],
    },
    {
      name: "parks",
      when: { labels: { to: "vault" } },
      publish: [publication("vault", "rows", { deadline: "1s" })],
    },
  ],
};

let site: Site;
let relay: LocalRelay;
/** A job group that went to sales. */
let sold: number;

const get = (path: string, who = "ann") =>
  fetch(relay.url + path, { headers: { authorization: as(who) }, redirect: "manual" });
const text = async (path: string, who = "ann") => plain(await (await get(path, who)).text());
/** What a person reads, on one line. */
const plain = (page: string) =>
  page
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll("&#39;", "'")
    .replaceAll(/\s+/g, " ");
const post = (
  path: string,
  fields: Record<string, string>,
  { who = "ann", ...headers }: Record<string, string> = {},
) =>
  fetch(relay.url + path, {
    method: "POST",
    redirect: "manual",
    headers: { authorization: as(who), origin: relay.url, ...headers },
    body: new URLSearchParams(fields),
  });
const report = async (to: string, more: object = {}): Promise<number> => {
  const id = site.simulator.createJobGroup({ recipeId: 27, webhook: false });
  await relay.report(id, { to, ...more });
  return id;
};
const until = (path: string, words: RegExp) =>
  eventually(
    async () => {
      const page = await text(path);
      if (!words.test(page)) throw new Error(page);
      return page;
    },
    { timeoutMs: 15_000, everyMs: 150, what: `${path} says ${words}` },
  );
/** `Since 12:00:01 (4 s ago).` as epoch milliseconds. */
const since = (page: string, after: string): number => {
  const [, time] = new RegExp(`${after}.*?[Ss]ince (\\d\\d:\\d\\d:\\d\\d)`).exec(page) ?? [];
  if (!time) throw new Error(`no time after ${after}: ${page}`);
  return Date.parse(`${new Date().toISOString().slice(0, 10)}T${time}Z`);
};
/** A time is told to the second, and a pause is noticed within two. */
const near = (at: number, planted: number) => expect(Math.abs(at - planted)).toBeLessThan(3_500);

beforeAll(async () => {
  site = await openSite({
    rules: RULES,
    simulator: {
      settings: { publishMs: 60, appearMs: 1, sameTarget: "append", concurrent: "append" },
    },
    env: {
      BOARD_OPERATORS: "ann:secret",
      BOARD_VIEWERS: "vic:secret",
      ENVIRONMENT: "prod",
      FOLLOW_MAX: "200ms",
    },
  });
  relay = await site.start();
});

describe("the overview", () => {
  it("says that everything is published when it is, and counts what the platform counts, whatever became of the jobs", async () => {
    expect(await text("/")).toContain("Everything that finished is published.");
    sold = await report("sales");
    const ids = [sold, await report("sales"), await report("slow")];
    for (const id of ids) await site.ended(id);
    await site.queue("publish.sales").obliterate({ force: true });
    const page = await until("/", /Everything that finished is published/);
    const arrived = site.simulator.tables().reduce((sum, table) => sum + table.applications.length, 0);
    expect(arrived).toBe(3);
    expect(page).toContain(`Published, last hour ${arrived} `);
    expect(page).toMatch(/sales ✓ ok no limit 0 of 4 0 .*? job group \d+/);
    expect(page).toContain("prod");
  });

  it("names a paused target, since when, and resumes it by its button", async () => {
    const planted = Date.now();
    const paused = await post("/targets/sales/pause", { back: "/" });
    expect(paused.status).toBe(303);
    expect(paused.headers.get("location")).toBe("/?done=paused-sales");
    const id = await report("sales");
    const page = await until("/", /ann paused it. 1 task waits, and nothing starts/);
    near(since(page, "Target sales is paused"), planted);
    expect(page).toMatch(/Not everything is published: 1 waits/);
    const story = await until(`/job-groups/${id}`, /Target sales is paused: resume it/);
    near(since(story, "The target is paused"), planted);
    expect(await text("/job-groups?state=open")).toContain("Target sales is paused: resume it");
    expect(await text("/?done=paused-sales")).toContain("Target sales is paused: nothing starts there");
    expect((await post("/targets/sales/pause", { reason: "x".repeat(1_001) })).status).toBe(413);
    await post("/targets/sales/pause", { reason: "the cluster is resized" });
    await until("/", /ann paused it: the cluster is resized. 1 task waits/);
    await post("/targets/sales/resume", { reason: "it is done" });
    const headers = { authorization: `Bearer ${API_TOKEN}` };
    const trail = await (await fetch(`${relay.url}/v1/audit?limit=1`, { headers })).json();
    expect(trail).toMatchObject({ entries: [{ action: "resume", outcome: "done", reason: "it is done" }] });
    expect(await text("/?done=resumed-sales")).toContain("Target sales is resumed");
    for (const untrue of ["paused-sales", "probed-sales", "resumed-nobody", "published", "again"]) {
      expect(await (await get(`/?done=${untrue}`)).text()).not.toContain('class="notice good"');
    }
    await site.ended(id);
    await until("/", /Everything that finished is published/);
  });

  it("names the pace as the reason, and when the last one starts", async () => {
    const planted = Date.now();
    const id = await report("slow");
    const page = await until(
      "/",
      /1 task waits for the pace of target slow.*Target slow starts no more than 1 per 1m: 1 wait for their turn/,
    );
    near(since(page, "for the pace of target slow"), planted);
    expect(page).toMatch(/Nothing to do: this is rateLimit in the rules/);
    await until(`/job-groups/${id}`, /Target slow starts no more than 1 per 1m/);
  });

  it("names a job group that is busy, and the publish that it is busy with", async () => {
    for (const table of ["one", "two"])
      site.simulator.addFault({ kind: "long", table, ms: 60_000, times: 1 });
    const planted = Date.now();
    const id = await report("archive");
    const page = await until(
      "/",
      /1 task for archive waits because the job group is busy.*one table at a time: archive\.(one|two) on archive is first/,
    );
    near(since(page, "because the job group is busy"), planted);
    const story = await text(`/job-groups/${id}`);
    expect(story).toMatch(/The job group is busy.* is first/);
    near(since(story, "The job group is busy.*It has waited"), planted);
  });

  it("names an open breaker with its last failure, and lets one publish probe", async () => {
    const fault = site.simulator.addFault({
      kind: "fail",
      connection: 3,
      errorMessage: "disk full on node 2",
    });
    const planted = Date.now();
    const ids = await Promise.all([1, 2, 3, 4, 5].map(() => report("broken")));
    const page = await until("/", /The breaker of target broken is open/);
    near(since(page, "The breaker of target broken is open"), planted);
    expect(page).toMatch(/disk full on node 2/);
    const story = await until(`/job-groups/${ids[0]}`, /The breaker of target broken is open after \d/);
    near(since(story, "The breaker is open"), planted);
    site.simulator.clearFaults(fault);
    const probed = await post("/targets/broken/probe", { back: `/job-groups/${ids[0]}` });
    expect(probed.headers.get("location")).toBe(`/job-groups/${ids[0]}?done=probed-broken`);
    for (const id of ids) await site.ended(id);
    expect(await text("/")).not.toContain("The breaker of target broken is open");
  });

  it("names a refused token as what shuts the gate, and since when", async () => {
    const planted = Date.now();
    site.simulator.set({ tokens: [{ token: "another" }] });
    const id = await report("sales");
    const page = await until("/", /The gate to the platform is shut/);
    near(since(page, "The gate to the platform is shut"), planted);
    expect(page).toMatch(/Needs you The gate to the platform is shut.*401.*DESIGNER_CLOUD_TOKEN_FILE/);
    site.simulator.set({ tokens: [{ token: "simulator-token" }] });
    await site.ended(id);
    await eventually(async () => !(await text("/")).includes("The gate to the platform is shut"));
  }, 40_000);
});

describe("a parked task", () => {
  it("is decided on its page by an operator, with a reason, and by no viewer", async () => {
    site.simulator.addFault({ kind: "stuck", table: "rows", times: 1 });
    const id = await report("vault", { note: BAD });
    await untilState(site, id, "parked");
    const path = `/job-groups/${id}/tasks/jobgroup-${id}-2-vault-rows/decision`;
    expect(await until("/", /1 task is parked and waits for your decision/)).toContain(
      "did not end within its deadline",
    );
    const seen = await text(`/job-groups/${id}`, "vic");
    expect(seen).toContain("You may look, not decide");
    expect(seen).toContain("What was sent");
    expect(seen).not.toContain("The rows are there");

    const refused = await post(path, { outcome: "published", reason: "x" }, { who: "vic" });
    expect(refused.status).toBe(403);
    const empty = await post(path, { outcome: "published", reason: "  " });
    expect(empty.status).toBe(400);
    const form = await empty.text();
    expect(form).toContain("Write why: the reason is kept with the task.");
    expect(form).toMatch(/value="published" required checked/);
    expect((await post(path, { outcome: "published", reason: "\u200B" })).status).toBe(400);
    const nothing = await post(path, { reason: `rows & ${BAD}` });
    expect(nothing.status).toBe(400);
    expect(await nothing.text()).toContain("rows &#38; &#60;script&#62;");
    expect((await site.tasks(id))[0]?.record.state).toBe("parked");

    const done = await post(path, { outcome: "published", reason: "100 rows are there" });
    expect(done.headers.get("location")).toBe(`/job-groups/${id}?done=published`);
    expect((await site.tasks(id))[0]?.record).toMatchObject({
      state: "published",
      decisions: [{ by: "ann", outcome: "published", reason: "100 rows are there" }],
    });
    // What a person found in the table says nothing of how fresh it is.
    expect(await text("/")).toMatch(/vault ✓ ok no limit 0 of 4 0 nothing published/);
    expect(await text(`/job-groups/${id}?done=published`)).toContain("Decided: the task is published.");
    expect(await text(`/job-groups/${id}?done=again`)).not.toContain("Decided: the task");

    const late = await post(path, { outcome: "again", reason: "once more" });
    expect(late.status).toBe(409);
    expect(plain(await late.text())).toMatch(
      /Your decision was not taken. Task \S+ is published, not parked/,
    );
    const strange = await post(`/job-groups/${id}/tasks/jobgroup-1-2-vault-rows/decision`, {
      outcome: "again",
      reason: "once more",
    });
    expect(strange.status).toBe(400);
    expect(await strange.text()).toContain("This task is of another job group.");
    const told = (await text(`/job-groups/${id}`)).replaceAll("&#34;", '"');
    expect(told).toContain('ann decided "published". Reason: 100 rows are there');
    expect(told).toMatch(/What people did.* ann resolve: published: asked.* ann resolve: published: done/);
    const headers = { authorization: `Bearer ${API_TOKEN}` };
    const trail = await (await fetch(`${relay.url}/v1/audit?jobGroup=${id}`, { headers })).json();
    expect(trail).toMatchObject({
      entries: expect.arrayContaining([
        expect.objectContaining({ who: "ann", role: "operator", from: "127.0.0.1", outcome: "done" }),
        expect.objectContaining({
          action: "resolve",
          outcome: "refused",
          detail: expect.stringContaining("Write why"),
        }),
      ]),
    });
  });
});

describe("the pages' guard", () => {
  it("lets nobody in without a login, and viewers change nothing", async () => {
    for (const path of ["/", "/job-groups", "/job-groups/1", "/job-groups/1.json", "/pages/x.css"]) {
      const answer = await get(path, "nobody");
      expect({ path, status: answer.status }).toEqual({ path, status: 401 });
      expect(answer.headers.get("www-authenticate")).toContain("Basic");
    }
    expect((await post("/targets/sales/pause", {}, { who: "vic" })).status).toBe(403);
    expect(await site.queue("publish.sales").isPaused()).toBe(false);
    expect(await text("/", "vic")).not.toContain("Pause");
  });

  it("refuses forms of other sites, and what is no form", async () => {
    const foreign = [
      { origin: "https://evil.example" },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ];
    for (const headers of foreign) expect((await post("/targets/sales/pause", {}, headers)).status).toBe(403);
    expect((await post("/targets/sales/pause", {}, { "content-type": "text/plain" })).status).toBe(415);
    expect((await get("/targets/sales/pause")).status).toBe(405);
    expect(await site.queue("publish.sales").isPaused()).toBe(false);
  });

  it("leads back to no other site, and shows no message but its own", async () => {
    for (const back of ["https://evil.example/", "//evil.example", "/board", "/job-groups/1?x=<b>"]) {
      const answer = await post("/targets/archive/pause", { back });
      expect(answer.headers.get("location")).toBe("/?done=paused-archive");
    }
    await post("/targets/archive/resume", {});
    for (const done of [`paused-${BAD}`, "constructor", "hasOwnProperty-x", "nothing"]) {
      const page = await (await get(`/?done=${encodeURIComponent(done)}`)).text();
      expect(page).not.toContain('class="notice good"');
    }
  });

  it("sends security headers that allow no inline script or style, and keeps nothing in caches", async () => {
    const { headers } = await get("/");
    expect(headers.get("content-security-policy")).toContain("script-src 'self';style-src 'self';");
    expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-frame-options")).toBe("DENY");
    const page = await (await get("/")).text();
    expect(page).not.toMatch(/ style="| on[a-z]+="/);
    const [style] = /\/pages\/style-[0-9a-f]+\.css/.exec(page) ?? [];
    const asset = await get(style ?? "");
    expect(asset.headers.get("content-type")).toContain("text/css");
    expect(asset.headers.get("cache-control")).toContain("immutable");
  });
});

describe("job groups are found", () => {
  const ids = async (query: string) =>
    [
      ...(await (await get(`/job-groups?${query}`)).text()).matchAll(
        /<th scope="row"><a href="\/job-groups\/(\d+)"/g,
      ),
    ].map(([, id]) => Number(id));

  it("by table, target, rule and state, which must fit one task", async () => {
    const first = await ids("table=public.orders&target=sales");
    expect(first).toContain(sold);
    expect(await ids("table=PUBLIC.Orders&target=sales&state=published")).toEqual(first);
    expect(await ids("table=slow.orders")).not.toContain(first[0]);
    expect(await ids("table=nobody.orders")).toEqual([]);
    expect(await ids(`rule=${encodeURIComponent(`sales ${BAD}`)}`)).toEqual(first);
    expect(await text("/job-groups?target=nobody")).toContain("No job group fits.");
  });

  it("by an id, which leads to the story", async () => {
    expect((await get(`/job-groups?job=${sold}`)).headers.get("location")).toBe(`/job-groups/${sold}`);
    const task = await get(`/job-groups?job=jobgroup-${sold}-2-public-orders`);
    expect(task.headers.get("location")).toBe(`/job-groups/${sold}#jobgroup-${sold}-2-public-orders`);
    expect((await get("/job-groups/999999")).status).toBe(404);
    expect((await get(`/job-groups/${sold}.json`)).headers.get("content-type")).toBe("application/json");
  });

  it("and whoever writes nonsense is told what to change", async () => {
    const wrong = [
      ["table=a.b.c", "Write the table as orders, or with its schema as public.orders."],
      ["job=abc", "Write a job group's id like 31"],
      ["state=gone", 'There is no state "gone": use'],
      ["before=x", "start again from the first page"],
    ] as const;
    for (const [query, words] of wrong) {
      const answer = await get(`/job-groups?${query}`);
      expect(answer.status).toBe(400);
      expect((await answer.text()).replaceAll("&#39;", "'").replaceAll("&#34;", '"')).toContain(words);
    }
  });

  it("with everything escaped that others named", async () => {
    for (const path of [
      "/",
      "/job-groups",
      "/job-groups?rule=" + encodeURIComponent(BAD),
      `/job-groups/${sold}`,
    ]) {
      expect(await (await get(path)).text()).not.toContain("<script>");
    }
    expect(await (await get(`/job-groups/${sold}`)).text()).toContain("sales &#60;script&#62;");
  });
});

it("without Redis each page says so, and comes again", async () => {
  const { startPrivateRedis } = await import("./support/redis.ts");
  const redis = await startPrivateRedis();
  const other = await openSite({ rules: RULES, redisUrl: redis.url });
  const door = await other.start();
  await redis.kill();
  await eventually(async () => (await fetch(`${door.url}/`)).status === 503);
  const answer = await fetch(`${door.url}/job-groups`);
  expect(answer.headers.get("retry-after")).toBe("5");
  expect(await answer.text()).toContain('http-equiv="refresh" content="5;url=/job-groups"');
  await redis.start();
  await eventually(async () => (await fetch(`${door.url}/`)).status === 200);
});

it("a process without the role web has no pages", async () => {
  const other = await site.start({ ROLES: "dispatch" });
  expect((await fetch(`${other.url}/`)).status).toBe(404);
  expect((await fetch(`${other.url}/job-groups`)).status).toBe(404);
});

it("text is escaped, spans and evidence read as people say them", () => {
  expect(html`<a title="${`"'&<>\``}">${[BAD, html`<b>`, false, undefined, 3]}</a>`.text).toBe(
    '<a title="&#34;&#39;&#38;&#60;&#62;&#96;">&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62;<b>3</a>',
  );
  expect([50, 400, 4_000, 90_000, 3_700_000, 90_000_000].map(span)).toEqual([
    "under 0.1 s",
    "0.4 s",
    "4 s",
    "1 min 30 s",
    "1 h 1 min",
    "1 d 1 h",
  ]);
  expect(html`${"a\u202Eb\u2066\u200B\u0007c\n\u{1F469}\u200D\u{1F4BB}"}`.text).toBe(
    "a‹U+202E›b‹U+2066›‹U+200B›‹U+0007›c\n\u{1F469}\u200D\u{1F4BB}",
  );
  const list = evidenceList({ listed: { jobs: [{ id: 7, status: BAD }], tables: [] } }, 0).text;
  expect(plain(list)).toContain("Publish jobs id status 7 &#60;script&#62;");
  expect(plain(list)).toContain("Tables none");
});
