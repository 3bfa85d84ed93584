import { describe, expect, test } from "vitest";
import { ConfigError, readConfig } from "../src/config.ts";

function problems(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const PROXY = {
  AUTH_PROXY_HEADER: "X-Forwarded-Email",
  TRUST_PROXY: "10.0.0.0/8, ::1, ::ffff:10.0.0.0/104, fd00::/8, ::/128",
};

test("a proxy's header, its addresses, and names without a password are read", () => {
  const config = readConfig({ ...PROXY, BOARD_OPERATORS: "ann@x.example, oli:pa:ss", BOARD_VIEWERS: "*" });
  expect(config).toMatchObject({
    boardOperators: [{ name: "ann@x.example" }, { name: "oli", password: "pa:ss" }],
    boardViewers: [{ name: "*" }],
    boardDangerous: false,
    authProxyHeader: "x-forwarded-email",
    trustProxy: ["10.0.0.0/8", "::1", "::ffff:10.0.0.0/104", "fd00::/8", "::/128"],
  });
  expect(readConfig({ BOARD_DANGEROUS: "true" }).boardDangerous).toBe(true);
});

describe("nonsense ends the start, and the words say what to set", () => {
  test.each<[Record<string, string>, string]>([
    [{ BOARD_OPERATORS: "ann" }, "BOARD_OPERATORS must be name:password pairs"],
    [{ BOARD_VIEWERS: "*" }, "BOARD_VIEWERS must be name:password pairs"],
    [{ BOARD_OPERATORS: ":x" }, "BOARD_OPERATORS must be name:password pairs"],
    [{ BOARD_OPERATORS: "ann:" }, "BOARD_OPERATORS must be name:password pairs"],
    [{ BOARD_OPERATORS: "ann:scrypt.15.8.1.cut" }, "BOARD_OPERATORS has a password that begins with scrypt."],
    [{ BOARD_VIEWERS: "*:x" }, "BOARD_VIEWERS must not give * a password"],
    [{ BOARD_DANGEROUS: "yes" }, "BOARD_DANGEROUS must be true or false"],
    [{ ...PROXY, BOARD_OPERATORS: "*" }, "BOARD_OPERATORS must name each operator"],
    [{ ...PROXY, BOARD_OPERATORS: "ann:x" }, "AUTH_PROXY_HEADER is set, and no name without a password"],
    [PROXY, "AUTH_PROXY_HEADER is set, and no name without a password"],
    [{ ...PROXY, BOARD_VIEWERS: "*", TRUST_PROXY: "" }, "AUTH_PROXY_HEADER is set without TRUST_PROXY"],
    [{ ...PROXY, BOARD_VIEWERS: "*", AUTH_PROXY_HEADER: "X Email" }, "AUTH_PROXY_HEADER must be the name"],
    [
      { ...PROXY, BOARD_VIEWERS: "*", AUTH_PROXY_HEADER: "Authorization" },
      "AUTH_PROXY_HEADER must be a header",
    ],
    ...["proxy.example", "10.0.0.0/33", "0.0.0.0/0", "::/0", "10.0.0", "fd00::/129", "10.0.0.1/", "/8"].map(
      (range): [Record<string, string>, string] => [{ TRUST_PROXY: range }, "TRUST_PROXY must be addresses"],
    ),
    ...[
      "0.0.0.0/1",
      "10.0.0.0/7",
      "::ffff:0:0/96",
      "0:0:0:0:0:ffff:a00:0/103",
      "::/64",
      "2000::/3",
      "fc00::/7",
    ].map((range): [Record<string, string>, string] => [{ TRUST_PROXY: range }, "none wider than /8"]),
  ])("%j", (env, words) => {
    const told = problems(env);
    expect(told).toHaveLength(1);
    expect(told[0]).toContain(words);
  });
});
