import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { type BoardAccess, createAdmit } from "../src/http/board-access.ts";

const OPERATORS = { ann: "pa:ss", both: "as-operator" };
const VIEWERS = { vic: "look", both: "as-viewer" };
const LOGIN: BoardAccess = { operators: OPERATORS, viewers: VIEWERS, loopback: false };
const LOCAL: BoardAccess = { operators: {}, viewers: {}, loopback: true };

const basic = (credentials: string) => ({
  authorization: `Basic ${Buffer.from(credentials).toString("base64")}`,
});

function ask(access: BoardAccess, headers: Record<string, string>, method = "GET") {
  const req = { method, headers: { host: "board.example:3000", ...headers } } as unknown as IncomingMessage;
  const who = createAdmit(access)(req);
  return "status" in who ? who.status : who.role;
}

describe("signing in", () => {
  it("tells operators and viewers by name and password", () => {
    expect(ask(LOGIN, basic("ann:pa:ss"))).toBe("operator");
    expect(ask(LOGIN, basic("vic:look"))).toBe("viewer");
    expect(ask(LOGIN, basic("both:as-operator"))).toBe("operator");
    expect(ask(LOGIN, basic("both:as-viewer"))).toBe("viewer");
  });

  it("is asked of everybody else", () => {
    for (const credentials of ["ann:pa", "ann:", "ann", "", ":", "vic:pa:ss", "ANN:pa:ss", "constructor:x"]) {
      expect(ask(LOGIN, basic(credentials))).toBe(401);
    }
    for (const authorization of ["", "Bearer x", "Basic", "Basic %%%", "ann:pa:ss"]) {
      expect(ask(LOGIN, { authorization })).toBe(401);
    }
    expect(ask({ ...LOGIN, loopback: true }, { host: "localhost:3000" })).toBe(401);
    const refusal = createAdmit(LOGIN)({ method: "GET", headers: {} } as IncomingMessage);
    expect(refusal).toMatchObject({
      headers: { "www-authenticate": expect.stringContaining('realm="publish-relay"') },
    });
  });
});

describe("a board without a login", () => {
  it("is closed where others can reach it, and says what to set", () => {
    const access = { ...LOCAL, loopback: false };
    for (const host of ["localhost:3000", "board.example"]) expect(ask(access, { host })).toBe(403);
    expect(createAdmit(access)({ method: "GET", headers: {} } as IncomingMessage)).toMatchObject({
      detail: expect.stringContaining("set BOARD_OPERATORS"),
    });
  });

  it("answers on loopback to loopback's names alone, so that no name can be pointed at it", () => {
    for (const host of ["localhost", "localhost:3000", "LOCALHOST:1", "127.0.0.1:3000", "[::1]:3000"]) {
      expect(ask(LOCAL, { host })).toBe("operator");
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
      expect(ask(LOCAL, { host })).toBe(403);
    }
  });
});

describe("changing something", () => {
  const operator = { ...basic("ann:pa:ss") };
  const methods = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

  it("is for operators", () => {
    for (const method of methods) {
      expect(ask(LOGIN, operator, method)).toBe("operator");
      expect(ask(LOGIN, basic("vic:look"), method)).toBe(403);
      expect(ask(LOGIN, {}, method)).toBe(401);
    }
    for (const method of ["GET", "HEAD"]) expect(ask(LOGIN, basic("vic:look"), method)).toBe("viewer");
  });

  it("is refused to pages of other origins, also when there is no login", () => {
    const local = { host: "localhost:3000" };
    for (const method of methods) {
      for (const [access, mine, origin] of [
        [LOGIN, operator, "http://board.example:3000"],
        [LOCAL, local, "http://localhost:3000"],
      ] as const) {
        expect(ask(access, { ...mine, origin }, method)).toBe("operator");
        expect(ask(access, { ...mine, origin, "sec-fetch-site": "same-origin" }, method)).toBe("operator");
        for (const site of ["cross-site", "same-site", "anything"]) {
          expect(ask(access, { ...mine, "sec-fetch-site": site }, method)).toBe(403);
          expect(ask(access, { ...mine, origin, "sec-fetch-site": site }, method)).toBe(403);
        }
        for (const foreign of [
          "https://evil.example",
          "null",
          "",
          `${origin}.evil.example`,
          "http://localhost:4000",
        ]) {
          expect(ask(access, { ...mine, origin: foreign }, method)).toBe(403);
        }
      }
    }
  });

  it("works behind a proxy that renames the host", () => {
    const headers = { ...operator, origin: "https://relay.example", "x-forwarded-host": "relay.example" };
    expect(ask(LOGIN, headers, "PUT")).toBe("operator");
  });

  it("takes JSON alone, which no plain form can send", () => {
    const body = (type: string) => ({ ...operator, "content-type": type, "content-length": "2" });
    for (const type of ["application/json", "application/json; charset=utf-8"]) {
      expect(ask(LOGIN, body(type), "POST")).toBe("operator");
    }
    for (const type of [
      "text/plain",
      "text/plain; application/json",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "application/jsonp",
      "",
    ]) {
      expect(ask(LOGIN, body(type), "POST")).toBe(415);
    }
    expect(ask(LOGIN, { ...operator, "content-type": "text/plain" }, "POST")).toBe(415);
    expect(ask(LOGIN, { ...operator, "content-length": "2" }, "POST")).toBe(415);
    expect(ask(LOGIN, { ...operator, "transfer-encoding": "chunked" }, "POST")).toBe(415);
    expect(ask(LOGIN, { ...operator, "content-length": "0" }, "PUT")).toBe("operator");
  });
});
