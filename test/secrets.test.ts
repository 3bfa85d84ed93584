import { Writable } from "node:stream";
import type { Redis } from "ioredis";
import { pino } from "pino";
import { expect, test } from "vitest";
import { readConfig } from "../src/config.ts";
import { secretsOf } from "../src/config-secrets.ts";
import { sign } from "../src/producers/signatures.ts";
import { createRelay } from "../src/relay.ts";
import { eventually } from "./support/eventually.ts";
import { startScript } from "./support/processes.ts";
import { startReceiver } from "./support/receiver.ts";
import { openRedis, startPrivateRedis } from "./support/redis.ts";
import { openSite } from "./support/relay.ts";
import { releaseLater } from "./support/release.ts";

/** Found nowhere but where they belong. */
const PLANTED = {
  token: "planted/platform+token=of~all",
  address: "planted-password-in-an-address",
  webhook: "planted-webhook-secret",
  api: "planted-api-token",
  operator: "planted-operator-password",
  viewer: "planted-viewer-password",
  redis: "planted-redis-password",
  notify: `whsec_${Buffer.from("planted-notify-secret-of-some-length").toString("base64")}`,
  path: "planted-path-of-a-notify-address",
  login: "planted-login-of-a-notify-address",
  header: "planted-header-of-a-webhook",
  refused: "planted-token-of-a-refused-call",
  query: "planted-query-of-a-request",
} as const;

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** The secret as others may write it; of base64 the part that does not hang on what stands beside it. */
const spellingsOf = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  ...["", "a", "a:"].map((before) => base64(before + secret).slice(4, -4)),
];

const found = (where: string, text: string): string[] =>
  Object.entries(PLANTED)
    .filter(([, secret]) => spellingsOf(secret).some((spelling) => text.includes(spelling)))
    .map(([name, secret]) => `${name} in ${where}: ${around(text, secret)}`);

function around(text: string, secret: string): string {
  const at = Math.max(0, text.indexOf(secret));
  return text.slice(Math.max(0, at - 120), at + 60);
}

async function dump(redis: Redis, key: string): Promise<string> {
  const type = await redis.type(key);
  const read: Record<string, () => Promise<unknown>> = {
    string: () => redis.get(key),
    hash: () => redis.hgetall(key),
    list: () => redis.lrange(key, 0, -1),
    set: () => redis.smembers(key),
    zset: () => redis.zrange(key, "0", "-1"),
    stream: () => redis.xrange(key, "-", "+"),
  };
  const value = await read[type]?.();
  if (value === undefined && type !== "none") throw new Error(`${key} is a ${type}: say how to read it`);
  return `${key} ${JSON.stringify(value)}`;
}

test("no secret shows in the log, on the board, in an answer, in Redis or in a notification", {
  timeout: 90_000,
}, async () => {
  const server = await startPrivateRedis();
  const admin = openRedis(server.url);
  await admin.config("SET", "requirepass", PLANTED.redis);
  const redisUrl = server.url.replace("//", `//:${PLANTED.redis}@`);
  const good = await startReceiver(PLANTED.notify, `/${PLANTED.path}`);
  const down = await startReceiver(PLANTED.notify, `/${PLANTED.path}/2`);
  down.answer(500);
  const load = {
    table: "orders",
    action: "load",
    settleAfter: "1s",
    backoff: "100ms",
    attempts: 2,
    deadline: "2s",
  };
  const site = await openSite({
    redisUrl,
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
    simulator: {
      settings: {
        publishMs: 20,
        appearMs: 1,
        sameTarget: "append",
        concurrent: "append",
        tokens: [{ token: PLANTED.token }],
      },
    },
    env: {
      DESIGNER_CLOUD_TOKEN: PLANTED.token,
      WEBHOOK_SECRETS: PLANTED.webhook,
      API_TOKENS: PLANTED.api,
      BOARD_OPERATORS: `ann:${PLANTED.operator}`,
      BOARD_VIEWERS: `bob:${PLANTED.viewer}`,
      NOTIFY_URLS: [good.url, down.url, down.url.replace("//", `//me:${PLANTED.login}@`)].join(","),
      NOTIFY_SECRET: PLANTED.notify,
      PUBLIC_URL: "https://relay.example.com",
      POLL_INTERVAL: "1s",
    },
  });
  const spellings = [...["", "a", "a:"].map((before) => base64(before + PLANTED.token)), PLANTED.token];
  const said = [
    `Bearer ${PLANTED.token} may not do that`,
    ...spellings,
    encodeURIComponent(PLANTED.token),
    `https://ann:${PLANTED.address}@db.example/x`,
  ].join(" ");
  const echo = { exception: { name: "Bad", message: said } };
  const newGroup = () => site.simulator.createJobGroup({ recipeId: 27, webhook: false });
  const [published, refused, failed, parked] = [newGroup(), newGroup(), newGroup(), newGroup()];
  const { simulator } = site;
  simulator.addFault({ kind: "status", status: 400, body: echo, jobGroupId: refused, connection: 2 });
  simulator.addFault({
    kind: "fail",
    errorMessage: `expired: ${said}`,
    jobGroupId: failed,
    connection: 2,
  });
  simulator.addFault({ kind: "stuck", jobGroupId: parked, connection: 2 });

  // Without the last line of defence: it would hide what is looked for.
  const lines: string[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString());
      done();
    },
  });
  const relay = createRelay(readConfig(site.env), pino({ level: "trace" }, stream));
  releaseLater(() => relay.stop());
  const { port } = await relay.start();
  const url = `http://127.0.0.1:${port}`;
  const answers: string[] = [];
  const ask = async (path: string, init: RequestInit = {}): Promise<number> => {
    const answer = await fetch(url + path, init);
    answers.push(`${answer.status} ${JSON.stringify([...answer.headers])} ${await answer.text()}`);
    return answer.status;
  };
  const report = (id: number, headers: Record<string, string> = {}, secret: string = PLANTED.webhook) => {
    const body = JSON.stringify({ jobId: String(id), jobStatus: "Complete" });
    return ask("/webhooks/designer-cloud", {
      method: "POST",
      body,
      headers: { "content-type": "application/json", ...sign("designer-cloud", secret, body), ...headers },
    });
  };

  const extra = {
    authorization: `Bearer ${PLANTED.header}`,
    "x-webhook-secret": PLANTED.header,
    cookie: PLANTED.header,
  };
  for (const id of [published, refused, failed, parked]) expect(await report(id, extra)).toBe(202);
  expect(await report(99, {}, PLANTED.refused)).toBe(401);
  expect(await ask("/v1/job-groups/1", { headers: { authorization: `Bearer ${PLANTED.refused}` } })).toBe(
    401,
  );
  expect(await ask(`/nothing?token=${PLANTED.query}`)).toBe(404);
  for (const id of [published, refused, failed, parked]) await site.ended(id, 2, 30_000);
  const api = { authorization: `Bearer ${PLANTED.api}` };
  // The gate shuts and opens, with the platform's words in its alarm.
  const shut = simulator.addFault({ kind: "status", status: 401, body: echo, on: "any" });
  await good.next("gate.shut", 20_000);
  simulator.clearFaults(shut);
  await good.next("gate.open", 20_000);
  await good.next("task.failed");
  await good.next("task.parked");
  await eventually(() => down.requests.length > 0, { what: "a try at the receiver that is down" });

  for (const id of [published, refused, failed, parked]) {
    await ask(`/v1/job-groups/${id}`, { headers: api });
    await ask(`/v1/job-groups/${id}/explain`, { headers: api });
  }
  await ask("/v1/openapi.json", { headers: api });
  for (const path of ["/metrics", "/healthz", "/readyz"]) await ask(path);
  const login = { authorization: `Basic ${Buffer.from(`ann:${PLANTED.operator}`).toString("base64")}` };
  expect(await ask("/board/", { headers: login })).toBe(200);
  expect(
    await ask("/board/", { headers: { authorization: `Basic ${btoa(`ann:${PLANTED.refused}`)}` } }),
  ).toBe(401);
  for (const name of [
    "completions",
    "job-groups",
    "publish.sales",
    "publish.finance",
    "parked",
    "poll",
    "notifications",
  ]) {
    expect(await ask(`/board/api/queues?activeQueue=${name}&jobsPerPage=100`, { headers: login })).toBe(200);
    for (const job of await site.queue(name).getJobs()) {
      const here = `/board/api/queues/${name}/${encodeURIComponent(job.id ?? "")}`;
      await ask(here, { headers: login });
      await ask(`${here}/logs`, { headers: login });
    }
  }
  const keys: string[] = [];
  for (const key of await admin.keys("*")) keys.push(await dump(admin, key));
  await relay.stop();

  const told = lines.join("");
  expect(told).toContain('"stage":"notification"');
  expect(told).toContain('"status":401');
  expect(answers.join("\n")).toContain("may not do that");
  expect(keys.join("\n")).toContain("may not do that");
  expect(keys.length).toBeGreaterThan(20);
  expect([
    ...lines.flatMap((line) => found("the log", line)),
    ...answers.flatMap((answer) => found("an answer", answer)),
    ...keys.flatMap((key) => found("Redis", key)),
    ...[...good.requests, ...down.requests].flatMap(({ type, data }) => found(type, JSON.stringify(data))),
  ]).toEqual([]);
  expect(secretsOf(readConfig(site.env)).toSorted()).toEqual(
    expect.arrayContaining([PLANTED.token, PLANTED.redis, PLANTED.notify, `/${PLANTED.path}`, PLANTED.login]),
  );
});

test("a secret that a line of the log would hold is cut out of it", async () => {
  const MAIN = new URL("../src/main.ts", import.meta.url);
  // A path that is also a secret: the start says where its rules file is missing.
  const env = {
    API_TOKENS: "rules-named-like-a-token",
    RULES_FILE: undefined,
    PORT: "0",
    NAMESPACE: "rules-named-like-a-token",
  };
  const relay = startScript(MAIN, { args: ["start"], env: { ...env, REDIS_URL: "redis://127.0.0.1:1" } });
  await relay.line(/"msg":"settings"/);
  expect(relay.output()).toContain('"namespace":"***"');
  expect(relay.output()).not.toContain("rules-named-like-a-token");
  await relay.kill();
});
