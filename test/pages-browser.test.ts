import { existsSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, chromium, type BrowserContextOptions, type Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { STYLE } from "../src/pages/style.ts";
import { type LocalRelay, openSite, type Site, untilState } from "./support/relay.ts";
import { releaseLater } from "./support/release.ts";

const chrome = [process.env["CHROMIUM_PATH"], "/usr/bin/chromium", "/usr/bin/google-chrome"].find(
  (path) => path !== undefined && existsSync(path),
);
const why = chrome === undefined ? " [not run: no Chromium; set CHROMIUM_PATH]" : "";

describe.skipIf(chrome === undefined)(`the pages in a browser${why}`, () => {
  let site: Site;
  let relay: LocalRelay;
  let browser: Browser;

  beforeAll(async () => {
    site = await openSite({
      rules: {
        targets: { sales: { connection: 2, schema: "public" }, vault: { connection: 3, schema: "vault" } },
        rules: [
          { name: "sales", when: { labels: { to: "sales" } }, publish: [to("sales", "orders")] },
          {
            name: "vault",
            when: { labels: { to: "vault" } },
            publish: [to("vault", "rows", { deadline: "1s" })],
          },
        ],
      },
      simulator: { settings: { publishMs: 30, appearMs: 1, sameTarget: "append" } },
      env: { BOARD_OPERATORS: "ann:secret", BOARD_VIEWERS: "vic:secret", FOLLOW_MAX: "200ms" },
    });
    relay = await site.start();
    browser = await chromium.launch({
      executablePath: chrome ?? "",
      args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"],
    });
    releaseLater(() => browser.close());
  });

  const to = (target: string, table: string, more: object = {}) => ({
    target,
    table,
    action: "load",
    ...more,
  });
  const report = async (target: string): Promise<number> => {
    const id = site.simulator.createJobGroup({ recipeId: 27, webhook: false });
    await relay.report(id, { to: target });
    return id;
  };
  const open = async (username: "ann" | "vic", more: BrowserContextOptions = {}): Promise<Page> => {
    const context = await browser.newContext({ httpCredentials: { username, password: "secret" }, ...more });
    releaseLater(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    return page;
  };
  /** A publish that runs until `end` is called. */
  const slow = async () => {
    site.simulator.addFault({ kind: "stuck", table: "orders", times: 1 });
    const id = await report("sales");
    const { record } = await untilState(site, id, "submitted");
    const end = async () => {
      const [publish] = site.simulator.publishes(id);
      if (!publish) throw new Error(`no publish of ${id}: ${JSON.stringify(record)}`);
      site.simulator.endPublish(publish.jobId);
      await site.ended(id);
    };
    return { id, end };
  };

  it("let a viewer without JavaScript watch a task, find it, and change nothing", async () => {
    const page = await open("vic", { javaScriptEnabled: false, viewport: { width: 375, height: 700 } });
    const { id, end } = await slow();
    await page.goto(relay.url);
    await page.getByRole("heading", { level: 1, name: "1 is publishing now" }).waitFor();
    expect(await page.getByRole("button").count()).toBe(0);
    await page.getByRole("link", { name: "Job groups", exact: true }).click();
    await page.getByLabel("Table").fill("public.orders");
    await page.getByLabel("State").selectOption("open");
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByRole("link", { name: String(id), exact: true }).click();
    await page.getByRole("heading", { name: "publishing public.orders on sales" }).waitFor();
    await end();
    // The page asks for itself again; nobody does anything.
    await page.getByRole("heading", { name: "✓ published public.orders on sales" }).waitFor();
    await page.goto(relay.url);
    await page.getByRole("heading", { level: 1, name: "Everything that finished is published." }).waitFor();
  });

  it("let an operator without JavaScript pause, resume and decide a parked task", async () => {
    const page = await open("ann", { javaScriptEnabled: false });
    await page.goto(relay.url);
    await page.getByRole("button", { name: "Pause sales" }).click();
    await page.getByText("Target sales is paused: nothing starts there").waitFor();
    expect(await site.queue("publish.sales").isPaused()).toBe(true);
    await page.getByRole("button", { name: "Resume sales" }).first().click();
    await page.getByText("Target sales is resumed").waitFor();
    expect(await site.queue("publish.sales").isPaused()).toBe(false);

    site.simulator.addFault({ kind: "stuck", table: "rows", times: 1 });
    const id = await report("vault");
    await untilState(site, id, "parked");
    await page.goto(relay.url);
    await page.getByRole("link", { name: `Job group ${id}: vault.rows` }).click();
    // Nothing takes away what somebody fills in.
    expect(await page.locator("main[data-refresh]").count()).toBe(0);
    await page.getByLabel("The rows are there").check();
    await page.getByRole("textbox", { name: "Why" }).fill("100 rows of it are there");
    await page.getByRole("button", { name: "Decide" }).click();
    await page.getByText("Decided: the task is published").waitFor();
    await page.getByRole("heading", { name: "✓ published vault.rows on vault" }).waitFor();
    expect((await site.tasks(id))[0]?.record.decisions).toMatchObject([{ by: "ann", outcome: "published" }]);
  });

  it("bring themselves up to date with a script, and keep the place to which somebody scrolled", async () => {
    const errors: string[] = [];
    const page = await open("ann", { viewport: { width: 1200, height: 300 } });
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    const { id, end } = await slow();
    await page.goto(`${relay.url}/job-groups/${id}`);
    await page.getByRole("heading", { name: "publishing public.orders" }).waitFor();
    await page.evaluate("scrollTo(0, 200)");
    const from = await page.evaluate<number>("scrollY");
    expect(from).toBeGreaterThan(50);
    await end();
    await page.getByRole("heading", { name: "✓ published public.orders" }).waitFor();
    expect(await page.evaluate("performance.getEntriesByType('navigation').length")).toBe(1);
    expect(await page.evaluate<number>("scrollY")).toBe(from);
    expect(errors).toEqual([]);
  });

  it("refuse what the form of another site sends with an operator's login", async () => {
    const evil = createServer((_req, res) => {
      res.setHeader("content-type", "text/html");
      res.end(`<form method="post" action="${relay.url}/targets/sales/pause"><button>Win</button></form>`);
    }).listen(0, "127.0.0.1");
    await once(evil, "listening");
    releaseLater(async () => evil.close());
    const page = await open("ann");
    await page.goto(relay.url);
    await page.goto(`http://127.0.0.1:${(evil.address() as AddressInfo).port}`);
    await page.getByRole("button", { name: "Win" }).click();
    await page.getByRole("heading", { name: "Refused" }).waitFor();
    expect(await site.queue("publish.sales").isPaused()).toBe(false);
  });

  it("fit a screen of 375 px, and have one heading of the first order and a name for each field", async () => {
    site.simulator.addFault({ kind: "stuck", table: "rows", times: 1 });
    const id = await report("vault");
    await untilState(site, id, "parked");
    const page = await open("ann", { viewport: { width: 375, height: 700 } });
    for (const path of [
      "/",
      "/job-groups",
      "/job-groups?table=a.b.c",
      `/job-groups/${id}`,
      "/job-groups/999999",
    ]) {
      await page.goto(relay.url + path);
      const fields = "main input:not([type=hidden]),main select,main textarea";
      const unnamed = `[...document.querySelectorAll("${fields}")].filter((field) => field.labels.length === 0).length`;
      const width = await page.evaluate<number>("document.documentElement.scrollWidth");
      expect({
        path,
        fits: width <= 375 || width,
        headings: await page.getByRole("heading", { level: 1 }).count(),
        unnamed: await page.evaluate(unnamed),
      }).toEqual({ path, fits: true, headings: 1, unnamed: 0 });
    }
    await page.goto(relay.url);
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Skip to the content");
  });

  it("are linked from the board's menu and from each of its jobs", async () => {
    const id = await report("sales");
    await site.ended(id);
    const page = await open("vic");
    await page.goto(`${relay.url}/board/queue/publish.sales/jobgroup-${id}-2-public-orders`);
    const link = page.getByRole("link", { name: `Story of job group ${id}` }).first();
    await link.waitFor();
    expect(await link.getAttribute("href")).toBe(`/job-groups/${id}`);
    const config = await page.locator("#__UI_CONFIG__").textContent();
    expect(config).toMatch(/"Overview","url":"\/".*"Job groups","url":"\/job-groups"/);
  });
});

it("the colours of the pages have enough contrast, in the light and in the dark", () => {
  const palettes = [...STYLE.matchAll(/:root\{([^}]*--ground[^}]*)\}/g)].map(([, text = ""]) =>
    Object.fromEntries(
      [...text.matchAll(/--([\w-]+):(#[0-9a-f]{3,6})/g)].map(([, name, colour]) => [name, colour]),
    ),
  );
  expect(palettes).toHaveLength(2);
  for (const palette of palettes) {
    const pairs = ["ink", "soft", "link", "good", "wait", "bad", "move"].flatMap((name) => [
      [name, "ground"],
      [name, "card"],
    ]);
    const tags = ["good", "wait", "bad", "move"].map((name) => [name, `${name}-bg`]);
    for (const [ink = "", ground = ""] of [...pairs, ...tags, ["ink", "bad-bg"], ["ink", "wait-bg"]]) {
      const enough = contrast(palette[ink], palette[ground]) >= 4.5;
      expect({ ink, ground, enough }).toEqual({ ink, ground, enough: true });
    }
  }
});

/** As WCAG 2 counts it. */
function contrast(a = "", b = ""): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].toSorted((one, other) => other - one);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const hex = colour.length === 4 ? colour.replaceAll(/[0-9a-f]/g, "$&$&") : colour;
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.039_28 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
