import type { IncomingMessage } from "node:http";
import { beforeAll, describe, expect, it } from "vitest";
import { type Access, createGuard, type Guard } from "../src/http/access.ts";
import { hashPassword } from "../src/http/password-hash.ts";

const LOGIN: Access = {
  operators: [
    { name: "ann", password: "pa:ss" },
    { name: "both", password: "as-operator" },
  ],
  viewers: [
    { name: "vic", password: "look" },
    { name: "both", password: "as-viewer" },
  ],
  loopback: false,
};
const LOCAL: Access = { operators: [], viewers: [], loopback: true };
const PROXY: Access = {
  operators: [{ name: "ann@x.example" }, { name: "oli", password: "secret" }],
  viewers: [{ name: "vic@x.example" }],
  loopback: false,
  trustProxy: ["10.0.0.0/8", "fd00::/8"],
  proxyHeader: "x-forwarded-email",
};

const basic = (credentials: string) => ({
  authorization: `Basic ${Buffer.from(credentials).toString("base64")}`,
});
type Headers = Record<string, string>;

function request(headers: Headers, method = "GET", remoteAddress = "192.0.2.1"): IncomingMessage {
  return {
    method,
    headers: { host: "board.example:3000", ...headers },
    socket: { remoteAddress },
  } as unknown as IncomingMessage;
}

/** The role that comes of a request, or the status that it is refused with. */
async function ask(
  access: Access | Guard,
  headers: Headers,
  { method = "GET", from = "192.0.2.1", body = "json" as "json" | "form" } = {},
) {
  const guard = "identify" in access ? access : createGuard(access);
  const req = request(headers, method, from);
  const who = await guard.identify(req);
  if ("status" in who) return who.status;
  const problem = ["GET", "HEAD"].includes(method) ? undefined : guard.mayChange(req, who, body);
  return problem?.status ?? who.role;
}

describe("signing in", () => {
  it("tells operators and viewers by name and password", async () => {
    expect(await ask(LOGIN, basic("ann:pa:ss"))).toBe("operator");
    expect(await ask(LOGIN, basic("vic:look"))).toBe("viewer");
    expect(await ask(LOGIN, basic("both:as-operator"))).toBe("operator");
    expect(await ask(LOGIN, basic("both:as-viewer"))).toBe("viewer");
  });

  it("takes two passwords of one name, so that one can be changed", async () => {
    const operators = ["old", "new"].map((password) => ({ name: "ann", password }));
    for (const { password } of operators) {
      expect(await ask({ ...LOGIN, operators }, basic(`ann:${password}`))).toBe("operator");
    }
    expect(await ask({ ...LOGIN, operators }, basic("ann:other"))).toBe(401);
  });

  it("tells who it is, and from where", async () => {
    expect(await createGuard(LOGIN).identify(request(basic("ann:pa:ss")))).toEqual({
      name: "ann",
      role: "operator",
      from: "192.0.2.1",
    });
  });

  it("is asked of everybody else", async () => {
    for (const credentials of ["ann:pa", "ann:", "ann", "", ":", "vic:pa:ss", "ANN:pa:ss", "constructor:x"]) {
      expect(await ask(LOGIN, basic(credentials))).toBe(401);
    }
    for (const authorization of ["", "Bearer x", "Basic", "Basic %%%", "ann:pa:ss"]) {
      expect(await ask(LOGIN, { authorization })).toBe(401);
    }
    expect(await ask({ ...LOGIN, loopback: true }, { host: "localhost:3000" })).toBe(401);
    expect(await createGuard(LOGIN).identify(request({}))).toMatchObject({
      headers: { "www-authenticate": expect.stringContaining('realm="publish-relay"') },
    });
  });
});

describe("a password that is a hash", () => {
  let guard: Guard;
  let access: Access;
  beforeAll(async () => {
    const password = await hashPassword("pä:ss");
    access = { ...LOGIN, operators: [{ name: "ann", password }] };
    guard = createGuard(access);
  });

  it("lets in whoever knows the password, and not whoever knows the hash", async () => {
    expect(await ask(guard, basic("ann:pä:ss"))).toBe("operator");
    expect(await ask(guard, basic("ann:pass"))).toBe(401);
    expect(await ask(guard, basic(`ann:${await hashPassword("pä:ss")}`))).toBe(401);
    expect(await ask(guard, basic("vic:look"))).toBe("viewer");
  });

  it("costs its time once: a thousand requests more are let in within what ten hashes take", async () => {
    const started = performance.now();
    await hashPassword("x");
    const one = performance.now() - started;
    await ask(guard, basic("ann:pä:ss"));
    const again = performance.now();
    for (let n = 0; n < 1_000; n++) expect(await ask(guard, basic("ann:pä:ss"))).toBe("operator");
    expect(performance.now() - again).toBeLessThan(10 * one);
  });

  it("is looked at before the wrong ones of those who failed already", async () => {
    const fresh = createGuard(access);
    let wrong = 0;
    const attack = async (n: number, address: number): Promise<void> => {
      await ask(fresh, basic(`ann:wrong${n}`), { from: `198.51.100.${address}` });
      wrong++;
    };
    const attacks = Array.from({ length: 16 }, (_, n) => attack(n, n % 4));
    expect(await ask(fresh, basic("ann:pä:ss"), { from: "203.0.113.9" })).toBe("operator");
    // The first of each address, and what had begun.
    expect(wrong).toBeLessThan(8);
    await Promise.all(attacks);
    expect(wrong).toBe(16);
  });
});

describe("wrong passwords", () => {
  it("are answered 429 with a time to wait after a few, from that address alone", async () => {
    const guard = createGuard(LOGIN);
    for (let n = 0; n < 5; n++) expect(await ask(guard, basic(`ann:wrong${n}`))).toBe(401);
    const refused = await guard.identify(request(basic("ann:pa:ss")));
    expect(refused).toMatchObject({ status: 429, headers: { "retry-after": "1" } });
    expect(await ask(guard, basic("ann:pa:ss"), { from: "192.0.2.2" })).toBe("operator");
    // Another name from the same address has tries of its own.
    expect(await ask(guard, basic("vic:look"))).toBe("viewer");
    // No password at all is no try.
    expect(await ask(guard, {})).toBe(401);
  });

  it("do not keep out whoever signed in from that address before", async () => {
    const guard = createGuard(LOGIN);
    expect(await ask(guard, basic("ann:pa:ss"))).toBe("operator");
    for (let n = 0; n < 50; n++) await ask(guard, basic(`ann:wrong${n}`));
    expect(await ask(guard, basic("ann:other"))).toBe(429);
    expect(await ask(guard, basic("ann:pa:ss"))).toBe("operator");
  });

  it("count once when a page sends many requests at a time", async () => {
    const guard = createGuard(LOGIN);
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask(guard, basic("ann:old"))));
    expect(new Set(answers)).toEqual(new Set([401]));
    expect(await ask(guard, basic("ann:pa:ss"))).toBe("operator");
  });
});

describe("a proxy that signs people in", () => {
  const header = (value: string) => ({ "x-forwarded-email": value });
  const from = "10.1.2.3";

  it("names them, and the settings say what they may", async () => {
    expect(await ask(PROXY, header("ann@x.example"), { from })).toBe("operator");
    expect(await ask(PROXY, header("vic@x.example"), { from })).toBe("viewer");
    expect(await ask(PROXY, header("eve@x.example"), { from })).toBe(403);
    const everybody = { ...PROXY, viewers: [{ name: "*" }] };
    expect(await ask(everybody, header("eve@x.example"), { from })).toBe("viewer");
    expect(await ask(everybody, header("ann@x.example"), { from })).toBe("operator");
    expect(await ask(everybody, header("*"), { from })).toBe("viewer");
    // Basic of the proxy's own, sent along, changes nothing.
    expect(await ask(PROXY, { ...header("vic@x.example"), ...basic("oli:secret") }, { from })).toBe("viewer");
  });

  it("is believed from its own addresses alone, in every way to write them", async () => {
    for (const trusted of ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1"]) {
      expect(await ask(PROXY, header("ann@x.example"), { from: trusted })).toBe("operator");
    }
    for (const strange of ["192.0.2.1", "::ffff:192.0.2.1", "11.0.0.1", "fe80::1", "::1", "127.0.0.1", ""]) {
      expect(await ask(PROXY, header("ann@x.example"), { from: strange })).toBe(401);
      const claims = { ...header("ann@x.example"), "x-forwarded-for": "10.1.2.3" };
      expect(await ask(PROXY, claims, { from: strange })).toBe(401);
    }
    const mapped = { ...PROXY, trustProxy: ["::ffff:10.0.0.0/104"] };
    expect(await ask(mapped, header("ann@x.example"), { from })).toBe("operator");
    expect(await ask(mapped, header("ann@x.example"), { from: "11.0.0.1" })).toBe(401);
  });

  it("leaves Basic as it is, for those with a password; a name with a password is none of the proxy's", async () => {
    expect(await ask(PROXY, basic("oli:secret"))).toBe("operator");
    expect(await ask(PROXY, { ...header("ann@x.example"), ...basic("oli:secret") })).toBe("operator");
    expect(await ask(PROXY, header("oli"), { from })).toBe(403);
    expect(await ask(PROXY, basic("ann@x.example:"), { from })).toBe(401);
  });

  it("must send one name", async () => {
    for (const value of ["ann@x.example, eve@x.example", "eve,ann@x.example", "x".repeat(300), " "]) {
      expect(await ask({ ...PROXY, viewers: [{ name: "*" }] }, header(value), { from })).toBe(403);
    }
  });

  it("tells the asker's address, as far as proxies that are believed passed it on", async () => {
    const fromOf = (remote: string, forwarded: string) =>
      createGuard(PROXY).addressOf(request({ "x-forwarded-for": forwarded }, "GET", remote));
    expect(fromOf("10.1.2.3", "203.0.113.9")).toBe("203.0.113.9");
    expect(fromOf("10.1.2.3", "6.6.6.6, 203.0.113.9, 10.9.9.9")).toBe("203.0.113.9");
    expect(fromOf("10.1.2.3", "203.0.113.9:4711")).toBe("203.0.113.9");
    expect(fromOf("10.1.2.3", "[2001:db8::1]:80")).toBe("2001:db8::1");
    expect(fromOf("10.1.2.3", "nonsense")).toBe("10.1.2.3");
    expect(fromOf("10.1.2.3", "10.0.0.1, 10.0.0.2")).toBe("10.0.0.1");
    expect(fromOf("192.0.2.1", "203.0.113.9")).toBe("192.0.2.1");
    expect(fromOf("::ffff:192.0.2.1", "")).toBe("192.0.2.1");
  });
});

describe("a board without a login", () => {
  it("is closed where others can reach it, and says what to set", async () => {
    const access = { ...LOCAL, loopback: false };
    for (const host of ["localhost:3000", "board.example"]) expect(await ask(access, { host })).toBe(403);
    expect(await createGuard(access).identify(request({}))).toMatchObject({
      detail: expect.stringContaining("set BOARD_OPERATORS"),
    });
  });

  it("answers on loopback to loopback's names alone, so that no name can be pointed at it", async () => {
    for (const host of ["localhost", "localhost:3000", "LOCALHOST:1", "127.0.0.1:3000", "[::1]:3000"]) {
      expect(await ask(LOCAL, { host })).toBe("operator");
    }
    for (const host of [
      "evil.example",
      "evil.example:3000",
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "127.0.0.1@evil.example",
      "localhost:3000:1",
      "",
    ]) {
      expect(await ask(LOCAL, { host })).toBe(403);
    }
  });
});

describe("changing something", () => {
  const operator = { ...basic("ann:pa:ss") };
  const methods = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

  it("is for operators", async () => {
    for (const method of methods) {
      expect(await ask(LOGIN, operator, { method })).toBe("operator");
      expect(await ask(LOGIN, basic("vic:look"), { method })).toBe(403);
      expect(await ask(LOGIN, {}, { method })).toBe(401);
    }
    for (const method of ["GET", "HEAD"])
      expect(await ask(LOGIN, basic("vic:look"), { method })).toBe("viewer");
  });

  it("is refused to pages of other origins, also when there is no login", async () => {
    const local = { host: "localhost:3000" };
    for (const method of methods) {
      for (const [access, mine, origin] of [
        [LOGIN, operator, "http://board.example:3000"],
        [LOCAL, local, "http://localhost:3000"],
      ] as const) {
        expect(await ask(access, { ...mine, origin }, { method })).toBe("operator");
        expect(await ask(access, { ...mine, origin, "sec-fetch-site": "same-origin" }, { method })).toBe(
          "operator",
        );
        for (const site of ["cross-site", "same-site", "anything"]) {
          expect(await ask(access, { ...mine, "sec-fetch-site": site }, { method })).toBe(403);
          expect(await ask(access, { ...mine, origin, "sec-fetch-site": site }, { method })).toBe(403);
        }
        for (const foreign of [
          "https://evil.example",
          "null",
          "",
          `${origin}.evil.example`,
          "http://localhost:4000",
        ]) {
          expect(await ask(access, { ...mine, origin: foreign }, { method })).toBe(403);
        }
      }
    }
  });

  it("works behind a proxy that renames the host; once proxies are named, behind those alone", async () => {
    const headers = { ...operator, origin: "https://relay.example", "x-forwarded-host": "relay.example" };
    expect(await ask(LOGIN, headers, { method: "PUT" })).toBe("operator");
    const named = { ...LOGIN, trustProxy: ["10.0.0.7"] };
    expect(await ask(named, headers, { method: "PUT" })).toBe(403);
    expect(await ask(named, headers, { method: "PUT", from: "10.0.0.7" })).toBe("operator");
  });

  it("takes JSON alone, which no plain form can send", async () => {
    const body = (type: string) => ({ ...operator, "content-type": type, "content-length": "2" });
    const post = (headers: Headers) => ask(LOGIN, headers, { method: "POST" });
    for (const type of ["application/json", "application/json; charset=utf-8"]) {
      expect(await post(body(type))).toBe("operator");
    }
    for (const type of [
      "text/plain",
      "text/plain; application/json",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "application/jsonp",
      "",
    ]) {
      expect(await post(body(type))).toBe(415);
    }
    expect(await post({ ...operator, "content-type": "text/plain" })).toBe(415);
    expect(await post({ ...operator, "content-length": "2" })).toBe(415);
    expect(await post({ ...operator, "transfer-encoding": "chunked" })).toBe(415);
    expect(await ask(LOGIN, { ...operator, "content-length": "0" }, { method: "PUT" })).toBe("operator");
  });

  it("by a page's form takes that type alone, and only when the browser says that it is our own page", async () => {
    const form = {
      ...operator,
      "content-type": "application/x-www-form-urlencoded",
      "content-length": "2",
    };
    const post = (headers: Headers) => ask(LOGIN, headers, { method: "POST", body: "form" });
    const ours = { origin: "http://board.example:3000" };
    expect(await post({ ...form, ...ours })).toBe("operator");
    expect(await post({ ...form, "sec-fetch-site": "same-origin" })).toBe("operator");
    expect(await post(form)).toBe(403);
    expect(await post({ ...form, origin: "https://evil.example" })).toBe(403);
    expect(await post({ ...form, ...ours, "sec-fetch-site": "cross-site" })).toBe(403);
    for (const type of ["application/json", "text/plain", "multipart/form-data; boundary=x"]) {
      expect(await post({ ...form, ...ours, "content-type": type })).toBe(415);
    }
  });
});
