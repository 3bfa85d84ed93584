import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createVerify, type SignatureScheme, sign } from "../src/producers/signatures.ts";

const BODY = Buffer.from('{"jobId":"31","jobStatus":"Complete"}');
const NOW = 1_767_225_600_000;
const now = () => NOW;
const STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

describe("the designer-cloud scheme", () => {
  const verify = createVerify({ scheme: "designer-cloud", secrets: ["old", "new"], now });
  const mac = (time: number | string, secret = "new", body = BODY) =>
    createHmac("sha256", secret).update(`${time}.`).update(body).digest("hex");
  const given = (value: string) => verify({ "x-webhook-signature": value }, BODY);

  it("lets in what is signed with any of the secrets", () => {
    expect(given(`t=${NOW},sha256=${mac(NOW, "old")}`)).toBeUndefined();
    expect(given(`t=${NOW},sha256=${mac(NOW, "new")}`)).toBeUndefined();
  });

  it("takes the time in seconds too", () => {
    const seconds = NOW / 1_000;
    expect(given(`t=${seconds},sha256=${mac(seconds)}`)).toBeUndefined();
    expect(given(`t=${seconds - 301},sha256=${mac(seconds - 301)}`)).toContain("301 s behind");
  });

  it("refuses a time that is more than 5 minutes away, before or after", () => {
    for (const away of [-300_000, 300_000])
      expect(given(`t=${NOW + away},sha256=${mac(NOW + away)}`)).toBeUndefined();
    expect(given(`t=${NOW - 301_000},sha256=${mac(NOW - 301_000)}`)).toContain(
      "301 s behind this relay's clock",
    );
    expect(given(`t=${NOW + 301_000},sha256=${mac(NOW + 301_000)}`)).toContain(
      "301 s ahead of this relay's clock",
    );
  });

  it("refuses a changed body, time or signature, and does not say by how much", () => {
    const good = mac(NOW);
    const changed = verify({ "x-webhook-signature": `t=${NOW},sha256=${good}` }, Buffer.from("{}"));
    expect(changed).toContain("does not match");
    for (const value of [
      `t=${NOW + 1},sha256=${good}`,
      `t=${NOW},sha256=${"0".repeat(64)}`,
      `t=${NOW},sha256=${good.slice(0, 62)}`,
      `t=${NOW},sha256=`,
      `t=${NOW},sha256=zz`,
      `t=${NOW},sha256=${mac(NOW, "stranger")}`,
    ]) {
      expect(given(value)).toBe(changed);
    }
    expect(changed).not.toContain(good);
    expect(changed).not.toMatch(/\bold\b|\bnew\b/);
  });

  it("says what is missing or malformed", () => {
    expect(verify({}, BODY)).toContain("x-webhook-signature is missing");
    for (const value of [
      "",
      "x",
      `sha256=${mac(NOW)}`,
      `t=${NOW}`,
      `t=soon,sha256=${mac("soon")}`,
      `t=-1,sha256=aa`,
    ]) {
      expect(given(value)).toContain("must read t=<time>,sha256=<hex>");
    }
  });

  it("reads another header when it is renamed", () => {
    const renamed = createVerify({ scheme: "designer-cloud", secrets: ["new"], header: "X-Trifacta", now });
    expect(renamed({ "x-trifacta": `t=${NOW},sha256=${mac(NOW)}` }, BODY)).toBeUndefined();
    expect(renamed({ "x-webhook-signature": `t=${NOW},sha256=${mac(NOW)}` }, BODY)).toContain("x-trifacta");
  });
});

describe("the header scheme", () => {
  const verify = createVerify({ scheme: "header", secrets: ["old", "new"] });

  it("lets in any of the secrets, in x-webhook-secret or the header it is renamed to", () => {
    expect(verify({ "x-webhook-secret": "old" }, BODY)).toBeUndefined();
    expect(verify({ "x-webhook-secret": "new" }, BODY)).toBeUndefined();
    const renamed = createVerify({ scheme: "header", secrets: ["new"], header: "X-My-Key" });
    expect(renamed({ "x-my-key": "new" }, BODY)).toBeUndefined();
  });

  it("refuses another one or none, without telling the secrets", () => {
    for (const value of ["", "ne", "neww", "NEW"]) {
      expect(verify({ "x-webhook-secret": value }, BODY)).toContain("must be one of WEBHOOK_SECRETS");
    }
    expect(verify({}, BODY)).toContain("x-webhook-secret is missing");
  });
});

describe("published examples", () => {
  it("Standard Webhooks", () => {
    const headers = {
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    };
    const body = Buffer.from('{"test": 2432232314}');
    const verify = createVerify({
      scheme: "standard-webhooks",
      secrets: [STANDARD_SECRET],
      now: () => 1_614_265_330_000,
    });
    expect(verify(headers, body)).toBeUndefined();
    expect(verify({ ...headers, "webhook-id": "other" }, body)).toContain("does not match");
    expect(verify({ ...headers, "webhook-timestamp": "1614265331" }, body)).toContain("does not match");
    const rotated = `v1,AAAA v1a,BBBB ${headers["webhook-signature"]}`;
    expect(verify({ ...headers, "webhook-signature": rotated }, body)).toBeUndefined();
    const later = createVerify({ scheme: "standard-webhooks", secrets: [STANDARD_SECRET], now });
    expect(later(headers, body)).toContain("behind this relay's clock");
  });

  it("GitHub", () => {
    const verify = createVerify({ scheme: "github", secrets: ["It's a Secret to Everybody"] });
    const good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    expect(verify({ "x-hub-signature-256": good }, Buffer.from("Hello, World!"))).toBeUndefined();
    expect(verify({ "x-hub-signature-256": good }, Buffer.from("Hello, World?"))).toContain("does not match");
    expect(verify({ "x-hub-signature-256": good.slice(7) }, Buffer.from(""))).toContain(
      "must read sha256=<hex>",
    );
  });
});

describe("every scheme", () => {
  const secretOf = (scheme: SignatureScheme) => (scheme === "standard-webhooks" ? STANDARD_SECRET : "s3cret");
  const schemes: SignatureScheme[] = ["designer-cloud", "standard-webhooks", "github", "header"];

  it.each(schemes)("%s verifies what it signs", (scheme) => {
    const secret = secretOf(scheme);
    const headers = sign(scheme, secret, BODY, { timeMs: NOW });
    expect(createVerify({ scheme, secrets: [secret], now })(headers, BODY)).toBeUndefined();
  });

  it.each(schemes)("%s refuses everything while it has no secret", (scheme) => {
    for (const secrets of [[], [""]]) {
      const verify = createVerify({ scheme, secrets, now });
      expect(verify(sign(scheme, secretOf(scheme), BODY, { timeMs: NOW }), BODY)).toContain(
        "set WEBHOOK_SECRETS",
      );
      expect(verify({ "x-webhook-secret": "" }, BODY)).toContain("set WEBHOOK_SECRETS");
    }
  });

  it("none lets everything in", () => {
    expect(createVerify({ scheme: "none", secrets: [] })({}, BODY)).toBeUndefined();
    expect(sign("none", "", BODY)).toEqual({});
  });

  it("a secret that is no base64 is refused at the start, for it would make an empty key", () => {
    expect(() => createVerify({ scheme: "standard-webhooks", secrets: ["whsec_!!!"] })).toThrow("base64");
  });
});
