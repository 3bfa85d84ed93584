import { describe, expect, it } from "vitest";
import { createLoginThrottle, networkOf } from "../src/http/login-throttle.ts";
import { createRankedLine } from "../src/http/ranked-line.ts";

function open() {
  let nowMs = 1_000_000;
  const throttle = createLoginThrottle(() => nowMs);
  return {
    throttle,
    pass: (ms: number) => {
      nowMs += ms;
    },
    /** Fails once, as soon as it may; how long it had to wait before. */
    fail: (from: string, name: string) => {
      const waitMs = throttle.begin(from, name);
      if (waitMs > 0) {
        nowMs += waitMs;
        throttle.begin(from, name);
      }
      return waitMs;
    },
  };
}

describe("the wait after wrong passwords", () => {
  it("begins with the sixth, doubles up to 30 s, and is forgotten after 10 minutes", () => {
    const { throttle, fail, pass } = open();
    const waits = Array.from({ length: 13 }, () => fail("192.0.2.1", "ann") / 1_000);
    expect(waits).toEqual([0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30]);
    expect(throttle.begin("192.0.2.1", "ann")).toBe(30_000);
    pass(10 * 60_000 + 1);
    expect(throttle.begin("192.0.2.1", "ann")).toBe(0);
  });

  it("is over with a right one", () => {
    const { throttle, fail, pass } = open();
    for (let n = 0; n < 8; n++) fail("192.0.2.1", "ann");
    pass(30_000);
    expect(throttle.begin("192.0.2.1", "ann")).toBe(0);
    throttle.succeeded("192.0.2.1", "ann");
    expect(throttle.begin("192.0.2.1", "ann")).toBe(0);
  });

  it("does not come of passwords that were not looked at", () => {
    const { throttle } = open();
    for (let n = 0; n < 100; n++) {
      expect(throttle.begin("192.0.2.1", "ann")).toBe(0);
      throttle.undo("192.0.2.1", "ann");
    }
    expect(throttle.failuresFrom("192.0.2.1")).toBe(0);
  });

  it("comes for an address as a whole with its 21st, whatever the names", () => {
    const { throttle } = open();
    for (let n = 0; n < 20; n++) expect(throttle.begin("192.0.2.1", `name${n}`)).toBe(0);
    expect(throttle.begin("192.0.2.1", "another")).toBe(1_000);
    expect(throttle.begin("192.0.2.2", "another")).toBe(0);
  });

  it("comes after one try when a name is under attack from many addresses, and never before it", () => {
    const { throttle } = open();
    for (let n = 0; n < 50; n++) expect(throttle.begin(`198.51.100.${n}`, "ann")).toBe(0);
    expect(throttle.begin("192.0.2.1", "ann")).toBe(0);
    expect(throttle.begin("192.0.2.1", "ann")).toBe(1_000);
    expect(throttle.begin("192.0.2.1", "vic")).toBe(0);
  });

  it("takes all addresses of one IPv6 network for one", () => {
    expect(networkOf("2001:db8::1")).toBe(networkOf("2001:db8:0:0:ffff::2"));
    expect(networkOf("2001:db8:0:1::1")).not.toBe(networkOf("2001:db8::1"));
    expect(networkOf("::1")).toBe("0:0:0:0::/64");
    expect(networkOf("fe80::1%eth0")).toBe("fe80:0:0:0::/64");
    expect(networkOf("192.0.2.1")).toBe("192.0.2.1");
    const { throttle } = open();
    for (let n = 0; n < 5; n++) throttle.begin(`2001:db8::${n}`, "ann");
    expect(throttle.begin("2001:db8::ffff", "ann")).toBe(1_000);
  });

  it("is remembered for 10,000 at most: the oldest are forgotten first", () => {
    const { throttle } = open();
    for (let n = 0; n < 5; n++) throttle.begin("192.0.2.1", "ann");
    for (let n = 0; n < 6_000; n++) throttle.begin(`10.0.${n >> 8}.${n & 255}`, "vic");
    expect(throttle.begin("192.0.2.1", "ann")).toBe(0);
  });
});

describe("the line for passwords that are hashes", () => {
  it("takes the lowest rank first, runs no more at once than it may, and pushes out the highest when it is full", async () => {
    const line = createRankedLine(1, 3);
    const order: number[] = [];
    let open = () => {};
    const held = new Promise<void>((resolve) => {
      open = resolve;
    });
    const join = (rank: number) =>
      line(rank, async () => {
        order.push(rank);
        await held;
        return rank;
      });
    const all = [9, 5, 7, 0, 3].map(join);
    open();
    expect(await Promise.all(all)).toEqual([9, 5, undefined, 0, 3]);
    expect(order).toEqual([9, 0, 3, 5]);
  });

  it("goes on after work that failed", async () => {
    const line = createRankedLine(1, 3);
    await expect(line(0, () => Promise.reject(new Error("no memory")))).rejects.toThrow("no memory");
    expect(await line(0, async () => "next")).toBe("next");
  });
});
