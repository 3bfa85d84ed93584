import { drawBody, oddButLegal } from "./bodies.ts";
import type { Hostile, Ids } from "./hostile.ts";
import { createRandom, type Random } from "./random.ts";
import { drawSmuggling } from "./smuggling.ts";
import { cut, frame, type Header, PATH, SECRET, signed } from "./wire.ts";

/** Far away from each other, and from the job groups of good reports. */
const POISON_FROM = 66_000_000;
const LEGAL_FROM = 10_000_000;

/** Draws request `n` of a seed. */
export function drawHostile(seed: number, n: number): Hostile {
  const random = createRandom(Math.imul(seed, 1_000_003) + n);
  const ids = { poison: POISON_FROM + n, legal: LEGAL_FROM + n };
  const roll = random.next();
  if (roll < 0.5) return hostileBody(random, ids);
  if (roll < 0.65) return wrongSignature(random, ids);
  if (roll < 0.78) return wrongHeader(random, ids);
  if (roll < 0.97) return drawSmuggling(random, ids);
  return goneAway(random, ids);
}

const JSON_TYPES = [
  "application/json",
  "application/json; charset=utf-8",
  'APPLICATION/JSON;CHARSET="UTF-8"',
  "application/vnd.x+json",
  "\tapplication/json ; x=1",
];

/** A right signature over a body that is not what it should be, or just odd; also to the route that only checks. */
function hostileBody(random: Random, ids: Ids): Hostile {
  const { kind, bytes, status } = drawBody(random, ids);
  const isCheck = random.chance(0.15);
  const headers: Header[] = [["content-type", random.pick(JSON_TYPES)], ...junk(random), signed(bytes)];
  const query = random.chance(0.1) ? "?a=1&b=%00" : "";
  const request = frame(
    { path: `${PATH}${isCheck ? "/check" : ""}${query}`, headers, body: bytes, chunked: random.chance(0.3) },
    random,
  );
  // A check takes nothing in, and few of them run at once.
  const statuses = isCheck ? (status === 202 ? [200, 429] : [status, 429]) : [status];
  return {
    kind: `${isCheck ? "check" : "body"}: ${kind}`,
    signed: true,
    chunks: cut(request, random),
    statuses,
    ...(status === 202 && !isCheck && { legal: { jobGroupId: ids.legal, must: true } }),
  };
}

/** Headers that mean nothing to the route, or name the delivery in an odd way. */
function junk(random: Random): Header[] {
  const some: Header[] = [
    ["webhook-id", random.pick(["", "x".repeat(4_000), "\xff\xfe", "a\tb", "{}", "$jobId"])],
    ["X-Request-ID", random.bytes(8).toString("base64")],
    ["x-forwarded-for", "127.0.0.1, ::1"],
    ["authorization", "Bearer x"],
    ["cookie", "a=b; __proto__=c"],
    ["__proto__", "x"],
    ["constructor", "x"],
    ["x-http-method-override", "DELETE"],
    ["content-encoding", "identity"],
    ["accept-encoding", "gzip;q=1e309"],
    ["range", "bytes=0-1,2-"],
    ["if-match", "*"],
    ["te", "trailers"],
    ["expect", "100-continue"],
    ["upgrade", "h2c"],
    [random.word(random.between(1, 200)), random.word(random.between(0, 2_000))],
  ];
  // By name: twice the same name is another request than it looks like.
  return [...new Map(Array.from({ length: random.between(0, 4) }, () => random.pick(some)))];
}

/** Well-formed, and not signed by somebody who has the secret now. */
function wrongSignature(random: Random, { poison }: Ids): Hostile {
  const body = Buffer.from(`{"jobId":"${poison}","jobStatus":"Complete"}`);
  const [name, good] = signed(body);
  const now = Date.now();
  const hex = good.slice(good.indexOf("sha256=") + 7);
  const time = /t=(\d+)/.exec(good)?.[1] ?? "";
  const value = random.pick([
    () => undefined,
    () => "",
    () => signed(body, "stranger")[1],
    () => signed(body, "")[1],
    () => signed(body, SECRET.slice(0, -1))[1],
    () => signed(Buffer.concat([body, Buffer.from(" ")]))[1],
    () => signed(Buffer.alloc(0))[1],
    () => signed(body, SECRET, now - random.between(301_000, 10_000_000_000))[1],
    () => signed(body, SECRET, now + random.between(302_000, 10_000_000_000))[1],
    () => `t=${Number(time) + 1},sha256=${hex}`,
    () => `t=${time},sha256=${hex.slice(0, 62)}`,
    () => `t=${time},sha256=${hex}00`,
    () => `t=${time},sha1=${hex}`,
    () => `sha256=${hex}`,
    () => `t=${time}`,
    () => `t=${time}.0,sha256=${hex}`,
    () => `t=-${time},sha256=${hex}`,
    () => `t=1e12,sha256=${hex}`,
    () => `t=${"9".repeat(random.between(1, 400))},sha256=${hex}`,
    () => `t=,sha256=`,
    () => `t=${time},${`sha256=${"0".repeat(64)},`.repeat(random.between(1, 90))}`,
    () => ",=,".repeat(random.between(1, 2_000)),
    () => Buffer.from(Array.from({ length: 40 }, () => random.between(0x80, 0xff))).toString("latin1"),
    () => SECRET,
    () => `Bearer ${SECRET}`,
  ])();
  const path = random.chance(0.2)
    ? `${PATH}/check`
    : random.chance(0.1)
      ? `${PATH}?x-webhook-signature=${good}`
      : PATH;
  const headers: Header[] = [
    ["content-type", "application/json"],
    ...(value === undefined ? [] : [[name, value] as const]),
    // What other schemes would take.
    ...(random.chance(0.2) ? [["x-webhook-secret", SECRET] as const] : []),
    ...(random.chance(0.1) ? [["x-hub-signature-256", `sha256=${hex}`] as const] : []),
  ];
  const request = frame({ path, headers, body, chunked: random.chance(0.2) }, random);
  return { kind: "wrong signature", signed: false, chunks: cut(request, random), statuses: [401] };
}

/** Rightly signed, and of a type, method or path that is not taken. */
function wrongHeader(random: Random, { poison }: Ids): Hostile {
  const body = Buffer.from(`{"jobId":"${poison}","jobStatus":"Complete"}`);
  const signature = signed(body);
  const json: Header = ["content-type", "application/json"];
  const [kind, status, parts] = random.pick([
    () => ["type", 415, { headers: [["content-type", random.pick(WRONG_TYPES)]] }] as const,
    () =>
      [
        "charset",
        415,
        { headers: [["content-type", `application/json; charset=${random.pick(CHARSETS)}`]] },
      ] as const,
    () => ["encoding", 415, { headers: [json, ["content-encoding", random.pick(ENCODINGS)]] }] as const,
    () =>
      [
        "method",
        405,
        {
          headers: [json],
          method: random.pick(["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "QUERY"]),
        },
      ] as const,
    () => ["path", 404, { headers: [json], path: random.pick(PATHS) }] as const,
  ])();
  const request = frame(
    {
      ...parts,
      headers: [...(parts.headers as readonly Header[]), signature],
      body,
      chunked: random.chance(0.2),
    },
    random,
  );
  return {
    kind: `wrong ${kind}`,
    signed: true,
    chunks: cut(request, random),
    // The parser may find that a method or path is none.
    statuses: kind === "method" || kind === "path" ? [status, 400] : [status],
  };
}

const WRONG_TYPES = [
  "",
  "text/plain",
  "text/json",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "application/jsonp",
  "application/json, text/plain",
  "application/xml",
  "application/ json",
  "json",
  "*/*",
  "application/json\x80",
  "x".repeat(8_000),
];
const CHARSETS = [
  "latin1",
  "utf-16",
  "UTF-7",
  "utf-8; charset=utf-16",
  '"utf-16"',
  "",
  "\xff",
  "utf-8x",
  "us-ascii",
  "x".repeat(4_000),
];
const ENCODINGS = [
  "gzip",
  "br",
  "deflate",
  "zstd",
  "gzip, identity",
  "identity, identity",
  "x",
  "",
  "*",
  "aes128gcm",
].filter(Boolean);
const PATHS = [
  `${PATH}/`,
  `/${PATH}`,
  `${PATH}//check`,
  `${PATH}/check/`,
  `${PATH}/CHECK`,
  `${PATH.toUpperCase()}`,
  `${PATH}%2fcheck`,
  `${PATH}%00`,
  `${PATH};a=b`,
  `/x/..${PATH}/..`,
  `/%77ebhooks/designer-cloud`,
  `/webhooks/./designer-cloud`,
  `/webhooks/../webhooks/designer-cloud`,
  `http://relay${PATH}`,
  `http://evil.example${PATH}`,
  "*",
  "/",
  "/__proto__",
  "/constructor",
  "/webhooks/designer-cloud#x",
  `/${"a".repeat(8_000)}`,
  `/${"../".repeat(1_000)}etc/passwd`,
];

/** Rightly signed, and its sender goes away in the middle of the head or of the body. */
function goneAway(random: Random, { poison }: Ids): Hostile {
  const body = Buffer.from(oddButLegal(random, poison).trimEnd());
  const whole = frame({ headers: [["content-type", "application/json"], signed(body)], body }, random);
  return {
    kind: "gone away",
    signed: true,
    chunks: cut(whole.subarray(0, random.between(1, whole.length - 1)), random),
    statuses: [400, 408],
    maybeSilent: true,
    abandoned: true,
  };
}
