import { chunkedBody, cut, type Header, headText, PATH, signed } from "./wire.ts";
import type { Hostile, Ids } from "./hostile.ts";
import type { Random } from "./random.ts";

/** What a server that does not understand a request may say, and nothing else. */
const NO_REQUEST = [400, 401, 404, 405, 408, 411, 413, 414, 415, 417, 426, 431];

/** Requests whose end, length or lines can be read in two ways; and what is no request at all. */
export function drawSmuggling(random: Random, ids: Ids): Hostile {
  const roll = random.next();
  if (roll < 0.35) return twoLengths(random, ids);
  if (roll < 0.5) return brokenChunks(random, ids);
  if (roll < 0.7) return oddLines(random, ids);
  if (roll < 0.85) return secondRequest(random, ids);
  return noRequest(random);
}

const LINE = `POST ${PATH} HTTP/1.1`;
const COMMON: readonly Header[] = [
  ["host", "relay"],
  ["connection", "close"],
  ["content-type", "application/json"],
];
const good = (id: number): Buffer => Buffer.from(`{"jobId":"${id}","jobStatus":"Complete"}`);

/** Must be refused by the HTTP parser, whatever the signature says. */
function twoLengths(random: Random, { poison }: Ids): Hostile {
  const body = good(poison);
  const n = body.length;
  const framing = random.pick<readonly Header[]>([
    [
      ["content-length", String(n)],
      ["transfer-encoding", "chunked"],
    ],
    [
      ["transfer-encoding", "chunked"],
      ["content-length", String(n)],
    ],
    [
      ["content-length", String(n)],
      ["content-length", String(n)],
    ],
    [
      ["content-length", String(n)],
      ["content-length", "0"],
    ],
    [["content-length", `+${n}`]],
    [["content-length", `-${n}`]],
    [["content-length", `0x${n.toString(16)}`]],
    [["content-length", `${n} ${n}`]],
    [["content-length", `${n},${n}`]],
    [["content-length", `${n}.0`]],
    [["content-length", "99999999999999999999999"]],
    [["content-length", "9007199254740991"]],
    [
      ["transfer-encoding", "identity"],
      ["content-length", String(n)],
    ],
    [["transfer-encoding", "xchunked"]],
    [["transfer-encoding", "gzip"]],
    [["transfer-encoding", "chunked, identity"]],
    [
      ["transfer-encoding", "chunked"],
      ["transfer-encoding", "identity"],
    ],
    [["transfer-encoding", "\x0bchunked"]],
  ]);
  return {
    kind: "two lengths",
    signed: true,
    chunks: cut(Buffer.concat([headText(LINE, [...COMMON, signed(body), ...framing]), body]), random),
    statuses: NO_REQUEST,
    maybeSilent: true,
  };
}

function brokenChunks(random: Random, { poison }: Ids): Hostile {
  const body = good(poison);
  const size = body.length.toString(16);
  const text = body.toString();
  const payload = random.pick([
    `zz\r\n${text}\r\n0\r\n\r\n`,
    `-${size}\r\n${text}\r\n0\r\n\r\n`,
    `0x${size}\r\n${text}\r\n0\r\n\r\n`,
    `FFFFFFFFFFFFFFFFF\r\n${text}\r\n0\r\n\r\n`,
    `${size}\r\n${text}x\r\n0\r\n\r\n`,
    `${size}\r\n${text}0\r\n\r\n`,
    `${size} \r\n${text}\r\n0\r\n\r\n`,
    `\r\n${size}\r\n${text}\r\n0\r\n\r\n`,
    `${size};${"e".repeat(40_000)}\r\n${text}\r\n0\r\n\r\n`,
    `${size}\r\n${text}\r\n0\r\n${"x-t: y\r\n".repeat(5_000)}\r\n`,
    `${size}\n${text}\n0\n\n`,
  ]);
  return {
    kind: "broken chunks",
    signed: true,
    chunks: cut(
      Buffer.concat([
        headText(LINE, [...COMMON, signed(body), ["transfer-encoding", "chunked"]]),
        Buffer.from(payload),
      ]),
      random,
    ),
    statuses: [202, ...NO_REQUEST],
    maybeSilent: true,
    // The parser may let some of it pass: the bytes of the body are those that were signed.
    legal: { jobGroupId: poison, must: false },
  };
}

/** Odd in their lines alone: the parser may take or refuse them. */
function oddLines(random: Random, { poison }: Ids): Hostile {
  const body = good(poison);
  const [name, value] = signed(body);
  const rest: readonly Header[] = [["content-length", String(body.length)]];
  const lines = (extra: string): string =>
    [...COMMON, [name, value] as const, ...rest].map(([a, b]) => `${a}: ${b}\r\n`).join("") + extra;
  const head = random.pick([
    () => `${LINE}\r\n${lines("x-folded: a\r\n b\r\n")}\r\n`,
    () => `${LINE}\r\n${lines("x-space : a\r\n")}\r\n`,
    () => `${LINE}\r\n${lines("x-nul: a\0b\r\n")}\r\n`,
    () => `${LINE}\r\n${lines("x-cr: a\rb\r\n")}\r\n`,
    () => `${LINE}\r\n${lines("no colon\r\n")}\r\n`,
    () => `${LINE}\r\n${lines(": no name\r\n")}\r\n`,
    () => `${LINE}\r\n${lines("h\xe9: a\r\n")}\r\n`,
    () => `${LINE}\r\n${lines(`x-large: ${"a".repeat(random.between(16_000, 100_000))}\r\n`)}\r\n`,
    () => `${LINE}\r\n${lines("a:b\r\n".repeat(random.between(1_000, 30_000)))}\r\n`,
    () => `${LINE}\n${lines("").replaceAll("\r\n", "\n")}\n`,
    () => `${LINE}\r\n${lines("host: other\r\n")}\r\n`,
    () => `${LINE}\r\n${lines("").replace("host: relay\r\n", "")}\r\n`,
    () => `${LINE}\r\n${lines("expect: something\r\n")}\r\n`,
    () => `${LINE}\r\n${lines("upgrade: websocket\r\n").replace("close", "upgrade, close")}\r\n`,
    () => `${LINE}\r\n${lines("content-type: text/plain\r\n")}\r\n`,
    () => `POST  ${PATH}  HTTP/1.1\r\n${lines("")}\r\n`,
    () => `POST ${PATH} HTTP/1.0\r\n${lines("")}\r\n`,
    () => `POST ${PATH} HTTP/1.2\r\n${lines("")}\r\n`,
    () => `POST ${PATH} HTTP/9.9\r\n${lines("")}\r\n`,
    () => `POST ${PATH}\r\n${lines("")}\r\n`,
    () => `post ${PATH} HTTP/1.1\r\n${lines("")}\r\n`,
    () => `BREW ${PATH} HTTP/1.1\r\n${lines("")}\r\n`,
    () => `CONNECT ${PATH} HTTP/1.1\r\n${lines("")}\r\n`,
    () => `\r\n\r\n${LINE}\r\n${lines("")}\r\n`,
    () => `POST ${PATH}\x00 HTTP/1.1\r\n${lines("")}\r\n`,
    () => `POST ${PATH}\xff HTTP/1.1\r\n${lines("")}\r\n`,
  ])();
  return {
    kind: "odd lines",
    signed: true,
    chunks: cut(Buffer.concat([Buffer.from(head, "latin1"), body]), random),
    statuses: [202, ...NO_REQUEST],
    maybeSilent: true,
    legal: { jobGroupId: poison, must: false },
  };
}

/** A signed report that is legal, and behind its end another one that nobody signed. */
function secondRequest(random: Random, { poison, legal }: Ids): Hostile {
  const first = good(legal);
  const hidden = good(poison);
  const isChunked = random.chance(0.5);
  const isOpen = random.chance(0.5);
  const framing: Header = isChunked
    ? ["transfer-encoding", "chunked"]
    : ["content-length", String(first.length)];
  const common = isOpen ? COMMON.filter(([name]) => name !== "connection") : COMMON;
  const head = headText(LINE, [...common, signed(first), framing]);
  const behind = random.pick([
    // The signature of the first must not let in the second.
    () => [...COMMON, signed(first), ["content-length", String(hidden.length)] as const],
    () => [...COMMON, ["content-length", String(hidden.length)] as const],
  ])();
  const second = Buffer.concat([headText(LINE, behind), hidden]);
  const body = isChunked ? chunkedBody(first, random) : first;
  return {
    kind: "second request",
    signed: true,
    chunks: cut(Buffer.concat([head, body, second]), random),
    statuses: [202, 401],
    legal: { jobGroupId: legal, must: true },
  };
}

function noRequest(random: Random): Hostile {
  const bytes = random.pick([
    () => random.bytes(random.between(1, 2_000)),
    () => Buffer.from("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "latin1"),
    () => Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    () => Buffer.from("GET /\r\n"),
    () => Buffer.from("*1\r\n$8\r\nFLUSHALL\r\n"),
    () => Buffer.from("EHLO relay\r\n"),
    () => Buffer.from("\r\n".repeat(random.between(1, 5_000))),
    () => Buffer.alloc(random.between(1, 70_000)),
  ])();
  return {
    kind: "no request",
    signed: false,
    chunks: cut(bytes, random),
    statuses: NO_REQUEST,
    maybeSilent: true,
    abandoned: true,
  };
}
