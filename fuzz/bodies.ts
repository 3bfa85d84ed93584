import type { Ids } from "./hostile.ts";
import type { Random } from "./random.ts";

/** A body, and the status of a request that is well-formed and signed but for it. */
export interface Body {
  readonly kind: string;
  readonly bytes: Buffer;
  /** 202: it is odd and legal. */
  readonly status: 200 | 202 | 400 | 413;
}

type Make = (random: Random, ids: Ids) => Body | string;

/** Draws a hostile body. */
export function drawBody(random: Random, ids: Ids): Body {
  const kind = random.pick(KINDS);
  const made = MAKERS[kind](random, ids);
  return typeof made === "string" ? { kind, bytes: Buffer.from(made), status: 400 } : made;
}

const body = (kind: string, text: string | Buffer, status: Body["status"]): Body => ({
  kind,
  bytes: typeof text === "string" ? Buffer.from(text) : text,
  status,
});

const MAKERS = {
  legal: (random, { legal }) => body("legal", oddButLegal(random, legal), 202),
  test: (random) =>
    body(
      "test",
      random.pick([
        '{"jobId":"$jobId","jobStatus":"$jobStatus"}',
        '{"jobGroupId":"$jobId","env":"\u{1f4a9}"}',
        '{"test":true}',
        '{"type":"TEST","data":{"a":[1]}}',
        '{"event":"ping","zen":"x"}',
      ]),
      200,
    ),
  brokenJson: (random, { poison }) => {
    const good = `{"jobId":"${poison}","note":"x"}`;
    return random.pick([
      good.slice(0, random.between(1, good.length - 1)),
      `${good}}`,
      `${good}${good}`,
      `\ufeff${good}`,
      good.replaceAll('"', "'"),
      good.replace("}", ",}"),
      `{"jobId":${poison},"n":NaN}`,
      `{"jobId":${poison},"n":0x1F}`,
      `{"jobId":0${poison}}`,
      `/* a */ ${good}`,
      `${good}\u0000`,
      `{"jobId":"${poison}\n"}`,
      `jobId=${poison}&jobStatus=Complete`,
      `<jobId>${poison}</jobId>`,
      "",
      " \r\n\t ",
    ]);
  },
  notUtf8: (random, { poison }) => {
    const good = `{"jobId":"${poison}","note":"`;
    return random.pick([
      () => body("notUtf8", Buffer.concat([Buffer.from(good), WRONG_UTF8(random), Buffer.from('"}')]), 400),
      () => body("notUtf8", Buffer.from(`${good}"}`, "utf16le"), 400),
      () =>
        body(
          "notUtf8",
          Buffer.concat([Buffer.from([0xff, 0xfe]), random.bytes(random.between(1, 400))]),
          400,
        ),
    ])();
  },
  notObject: (random, { poison }) =>
    random.pick([
      `${poison}`,
      `"${poison}"`,
      `[{"jobId":${poison}}]`,
      "null",
      "true",
      "[]",
      "{}",
      '""',
      "-0",
      "1e309",
    ]),
  wrongId: (random, { poison }) => {
    const field = random.pick(["jobId", "jobGroupId"]);
    const id = random.pick([
      `-${poison}`,
      `${poison}.5`,
      `"${poison}.0"`,
      `" ${poison}"`,
      `"${poison} "`,
      `"+${poison}"`,
      `"0${poison}"`,
      `"0x${poison.toString(16)}"`,
      `"${poison}n"`,
      `"${poison}\\u0000"`,
      `"${poison}\\n"`,
      `"${poison},${poison}"`,
      `[${poison}]`,
      `["${poison}"]`,
      `{"$gt":0}`,
      `{"valueOf":${poison}}`,
      `{"toString":"${poison}"}`,
      "true",
      "null",
      '""',
      "0",
      '"0"',
      "-0",
      "1e309",
      "-1e309",
      "9007199254740993",
      '"9007199254740992"',
      "1e21",
      `"${"9".repeat(random.between(16, 5_000))}"`,
      "9".repeat(random.between(17, 5_000)),
      `"\\uff11\\uff12"`,
      '"$jobID"',
      '"$jobId "',
      '"${jobId}"',
      `"jobgroup-${poison}"`,
      `"${poison}:x"`,
      `"../${poison}"`,
    ]);
    return `{"${field}":${id},"jobStatus":"Complete"}`;
  },
  twoIds: (random, { poison }) => `{"jobId":"${poison}","jobGroupId":${poison + random.between(1, 9)}}`,
  noId: (random) =>
    random.pick([
      '{"jobStatus":"Complete"}',
      '{"labels":{"jobId":"31"}}',
      '{"JobId":"31"}',
      '{"job_id":31}',
      '{"data":{"jobId":31}}',
      '{"constructor":{"jobId":31}}',
      '{"test":"yes"}',
      '{"type":["test"]}',
      '{"type":{"toString":1}}',
      '{"event":null}',
    ]),
  prototype: (random, { poison }) =>
    random.pick([
      `{"__proto__":{"polluted":true},"jobId":"${poison}"}`,
      `{"jobId":"${poison}","__proto__":"x"}`,
      `{"jobId":"${poison}","\\u005f_proto__":[]}`,
      `{"jobId":"${poison}","labels":{"__proto__":{"admin":true}}}`,
      `{"__proto__":{"jobId":"${poison}"}}`,
      `{"jobId":"$jobId","labels":{"__proto__":"x"}}`,
    ]),
  deep: (random, { poison }) => {
    const depth = random.between(1_001, 15_000);
    const [open, close] = random.pick([
      ["[", "]"],
      ['{"a":', "}"],
    ] as const);
    const fits = Math.min(depth, Math.floor(60_000 / (open.length + close.length)));
    const nest = `${open.repeat(fits)}1${close.repeat(fits)}`;
    return random.pick([
      `{"jobId":"${poison}","deep":${nest}}`,
      `{"jobId":${nest}}`,
      `{"jobId":"${poison}","labels":{"deep":${nest}}}`,
      `{"jobId":"${poison}","labels":${nest}}`,
      `{"jobId":"${poison}","jobStatus":${nest}}`,
      nest,
      open.repeat(fits),
    ]);
  },
  labels: (random, { poison }) =>
    random.pick([
      () => JSON.stringify({ jobId: poison, ...many(random, random.between(51, 2_000)) }),
      () => JSON.stringify({ jobId: poison, labels: many(random, random.between(51, 2_000)) }),
      () => JSON.stringify({ jobId: poison, ...many(random, 26), labels: many(random, 26, "l") }),
      () => JSON.stringify({ jobId: poison, [random.word(random.between(101, 9_000))]: 1 }),
      () => JSON.stringify({ jobId: poison, "": "x" }),
      () => JSON.stringify({ jobId: poison, note: "v".repeat(random.between(1_001, 60_000)) }),
      () => JSON.stringify({ jobId: poison, labels: [1] }),
      () => JSON.stringify({ jobId: poison, labels: "x" }),
      () => JSON.stringify({ jobId: poison, labels: 7 }),
    ])(),
  halfCharacter: (random, { poison }) => {
    const half = random.pick([
      "\\ud800",
      "\\udbff",
      "\\udc00",
      "a\\udfff",
      "\\ud83d\\ud83d",
      "\\udc00\\ud800",
    ]);
    return random.pick([
      `{"jobId":"${poison}","note":"${half}"}`,
      `{"jobId":"${poison}","${half}":"x"}`,
      `{"jobId":"${poison}","labels":{"a":"${half}"}}`,
      `{"jobId":"${poison}","jobStatus":"${half}"}`,
    ]);
  },
  status: (random, { poison }) =>
    `{"jobId":"${poison}","${random.pick(["status", "jobStatus"])}":${random.pick(["1", "true", "[]", "{}", `"${"S".repeat(101)}"`, "1e309"])}}`,
  tooLarge: (random, { poison }) =>
    body("tooLarge", `{"jobId":"${poison}"}${" ".repeat(random.between(65_537, 200_000))}`, 413),
} satisfies Record<string, Make>;

type Kind = keyof typeof MAKERS;
/** As often as they stand here. */
const KINDS: readonly Kind[] = (Object.keys(MAKERS) as Kind[]).flatMap((kind) =>
  kind === "tooLarge" ? [kind] : kind === "legal" ? [kind, kind] : [kind, kind, kind],
);

const WRONG_UTF8 = (random: Random): Buffer =>
  random.pick([
    Buffer.from([0xff]),
    Buffer.from([0xc0, 0xaf]),
    Buffer.from([0xe2, 0x82]),
    Buffer.from([0xed, 0xa0, 0x80]),
    Buffer.from([0xf5, 0x80, 0x80, 0x80]),
    Buffer.from([0x80]),
  ]);

const many = (random: Random, count: number, prefix = "k"): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, random.between(0, 9)]));

/** What stands in the rules file for job groups: nothing. These are taken, and end as skipped. */
export function oddButLegal(random: Random, id: number): string {
  const label = random.pick([
    '"env":"prod"',
    '"constructor":{"prototype":{"polluted":true}}',
    '"prototype":"x","toString":"y","hasOwnProperty":1',
    '"n":1e308,"m":-0,"k":123456789012345678901234567890',
    '"emoji":"\u{1f469}\u200d\u{1f680}","rtl":"\u202egpj.exe","zero":"a\u200bb"',
    '"nul":"a\\u0000b","esc":"\\u001b[31m"',
    '"crlf":"a\\r\\nx-injected: 1"',
    '"script":"<script>alert(1)</script>"',
    '"redis":"*1\\r\\n$8\\r\\nFLUSHALL\\r\\n"',
    '"lua":"\']] redis.call(\'FLUSHALL\') --"',
    '"path":"../../etc/passwd","sql":"\'; drop table x;--"',
    '"nested":{"__proto__":{"a":1},"half":"\\ud800"}',
    '"test":true,"type":"test","event":"ping"',
    '"none":null',
    `"long":"${"v".repeat(1_000)}"`,
    `"1":"a","2":"b","0":"c"`,
    `"labels":{"labels":{"labels":1},"jobId":"x"}`,
    '"merged":true',
  ]);
  const named = random.pick([
    `"jobId":"${id}"`,
    `"jobId":${id}`,
    `"jobGroupId":"${id}"`,
    `"jobId":${id}.0`,
    `"jobId":1,"jobId":${id}`,
  ]);
  const status = random.pick([
    '"jobStatus":"Complete"',
    '"status":"Failed"',
    '"jobStatus":"$jobStatus"',
    '"status":null',
  ]);
  const space = random.pick(["", " ", "\n", "\t\r\n"]);
  return `${space}{${space}${named},${space}${status},${label}${space}}${space}`;
}
