import { mkdirSync } from "node:fs";
import { chromium, type Page } from "playwright-core";
import { openScene } from "./scene.ts";

/** Takes the pictures of docs/images: `npm run screenshots [-- folder]`. Needs a Chromium (CHROMIUM_PATH). */
const folder = process.argv[2] ?? "docs/images";
const everything = process.argv[2] !== undefined;
mkdirSync(folder, { recursive: true });

const scene = await openScene({ ENVIRONMENT: "prod" });
const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu"],
});

interface Shot {
  readonly dark?: boolean;
  readonly width?: number;
  readonly height?: number;
  /** The whole page, however long. */
  readonly whole?: boolean;
  /** This part of the page alone. */
  readonly of?: string;
  /** Waits until the page shows what it is to show. */
  readonly ready?: (page: Page) => Promise<unknown>;
}

async function shoot(
  name: string,
  path: string,
  { dark = false, width = 1200, height = 900, whole = true, of, ready }: Shot = {},
): Promise<void> {
  const page = await browser.newPage({
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
  });
  await page.goto(scene.url + path);
  await ready?.(page);
  const fullPage = whole && !path.startsWith("/board");
  const file = { path: `${folder}/${name}.png` };
  await (of === undefined ? page.screenshot({ ...file, fullPage }) : page.locator(of).screenshot(file));
  await page.close();
}

const tasks = (page: Page) =>
  page
    .getByText("jobGroup")
    .first()
    .waitFor({ timeout: 5_000 })
    .catch(() => undefined);

try {
  await shoot("overview", "/", { width: 1000, height: 900, whole: false });
  await shoot("story", `/job-groups/${scene.parked}`, {
    width: 900,
    of: "section.card:has(form)",
  });
  await shoot("board", "/board/queue/publish.sales?status=prioritized", {
    width: 1100,
    height: 700,
    whole: false,
    ready: tasks,
  });
  if (everything) {
    await shoot("overview-whole", "/");
    await shoot("story-whole", `/job-groups/${scene.parked}`);
    await shoot("overview-dark", "/", { dark: true });
    await shoot("overview-phone", "/", { width: 375, height: 800 });
    await shoot("story-dark", `/job-groups/${scene.parked}`, { dark: true });
    await shoot("story-busy", `/job-groups/${scene.busy}`);
    await shoot("story-phone", `/job-groups/${scene.parked}`, { width: 375, height: 800 });
    await shoot("story-published", `/job-groups/${scene.published}`);
    await shoot("groups", "/job-groups");
    await shoot("groups-phone", "/job-groups", { width: 375, height: 800 });
    await shoot("groups-dark", "/job-groups?state=open", { dark: true });
    await shoot("groups-wrong", "/job-groups?table=a.b.c");
    await shoot("board-flow", `/board/queue/job-groups/jobgroup-${scene.parked}`, {
      ready: (page) => page.waitForTimeout(1_500),
    });
    await shoot("board-overview", "/board", { ready: (page) => page.getByText("Targets").first().waitFor() });
  }
} finally {
  await browser.close();
  await scene.close();
}
