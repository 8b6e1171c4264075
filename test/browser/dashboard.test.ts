// The dashboard as people see it: real Chromium, the built files, a real API over a store that the test writes.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { ClusterRecords } from "./cluster-records.ts";
import {
  RunningDashboard,
  buildDashboard,
  builtFolder,
  missingBrowser,
  openBrowser,
} from "./running-dashboard.ts";
import { PATIENCE_MS } from "../support/patiently.ts";

const missing = missingBrowser();
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** A page on a small cluster, and what went wrong in its console. */
interface Visit extends AsyncDisposable {
  readonly dashboard: RunningDashboard;
  readonly records: ClusterRecords;
  readonly page: Page;
  readonly complaints: readonly string[];
}

describe("dashboard", { skip: missing ?? false }, () => {
  let browser: Browser;
  before(async () => {
    buildDashboard();
    browser = await openBrowser();
  });
  after(() => browser.close());

  async function visit(
    options: BrowserContextOptions = {},
    fill = (records: ClusterRecords) => records.smallCluster(),
  ): Promise<Visit> {
    const dashboard = await RunningDashboard.start();
    const records = new ClusterRecords(dashboard.store);
    await fill(records);
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      reducedMotion: "reduce",
      ...options,
    });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => void (message.type() === "error" && complaints.push(message.text())));
    page.on("pageerror", (error) => void complaints.push(error.message));
    page.on(
      "request",
      (request) =>
        void (request.url().startsWith(dashboard.url) || complaints.push(`asked ${request.url()}`)),
    );
    await page.goto(dashboard.url);
    await page.getByTestId("headline").waitFor();
    return {
      dashboard,
      records,
      page,
      complaints,
      async [Symbol.asyncDispose]() {
        await context.close();
        await dashboard[Symbol.asyncDispose]();
      },
    };
  }

  const headline = (page: Page, text: string): Promise<void> =>
    page.getByRole("heading", { level: 1, name: text, exact: true }).waitFor();
  const badge = (page: Page, text: string | RegExp): Promise<void> =>
    page.getByTestId("live-badge").filter({ hasText: text }).waitFor();

  test("shows the cluster, and asks nobody else for anything", async () => {
    await using it = await visit();
    await headline(it.page, "All 3 machines healthy. 4 of 4 units as desired.");
    await badge(it.page, "live");
    assert.equal(await it.page.title(), "harbour – Keelson");
    assert.equal(await it.page.getByRole("table", { name: "Machines" }).getByRole("row").count(), 4);
    const web = it.page.locator('[data-unit="web@.container"]');
    assert.match((await web.textContent()) ?? "", /3 of 3/);
    assert.equal(await web.getByRole("link").first().getAttribute("href"), "http://10.77.0.11:8080/");
    assert.match(
      (await it.page.locator('[data-operation="01jd0000000000b2"]').textContent()) ?? "",
      /keel undo 01jd0000000000b2 --cluster harbour/,
    );
    assert.deepEqual(it.complaints, []);
  });

  test("teaches when there is nothing yet", async () => {
    await using it = await visit({}, async (records) => {
      await records.machine(1);
      await records.leader(1);
    });
    await headline(it.page, "The machine is healthy. No units yet.");
    await it.page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await it.page
      .getByRole("button", { name: "Copy keel start ./hello.container --cluster harbour" })
      .click();
    await it.page.getByText("Copied").waitFor();
    assert.equal(
      await it.page.evaluate(() => navigator.clipboard.readText()),
      "keel start ./hello.container --cluster harbour",
    );
  });

  test("follows changes without a reload, and keeps what is open and focused", async () => {
    await using it = await visit();
    await it.page.evaluate(() => Object.assign(globalThis, { isSamePage: true }));
    const toggle = it.page.getByRole("button", { name: "web@.container", exact: true });
    await toggle.focus();
    await it.page.keyboard.press("Enter");
    await it.page.getByRole("table", { name: "Instances of web@.container" }).waitFor();

    await it.records.instance("web@3.container", 3, {
      health: "failed",
      active: "failed",
      sub: "failed",
      reason: "exit code 137",
    });
    await headline(it.page, "web@.container is not as desired.");
    assert.match(
      (await it.page.locator('[data-instance="web@3.container"]').textContent()) ?? "",
      /failed.*exit code 137/,
    );
    await it.records.loseMachine(2);
    await headline(it.page, "1 of 3 machines is lost: m2.");
    assert.match((await it.page.locator('[data-machine="m2"]').textContent()) ?? "", /lost/);
    await it.records.unit("new.service");
    await it.page.locator('[data-unit="new.service"]').waitFor();

    assert.equal(await toggle.getAttribute("aria-expanded"), "true");
    assert.ok(await toggle.evaluate((element) => element === document.activeElement));
    assert.ok(await it.page.evaluate(() => "isSamePage" in globalThis));
    assert.deepEqual(it.complaints, []);
  });

  test("says whether the cluster can lose a machine, and which one it cannot", async () => {
    await using it = await visit();
    const losses = it.page.getByTestId("losses");
    await losses.filter({ hasText: "the cluster can lose any one machine." }).waitFor();
    const pinned = "[Service]\nExecStart=/bin/true\n[X-Fleet]\nMachineID=m2\n";
    await it.records.unit("pinned.service", {}, pinned);
    await it.records.instance("pinned.service", 2, {}, pinned);
    await losses.filter({ hasText: "the cluster cannot lose m2: pinned.service would be nowhere" }).waitFor();
    await axeFinds(it.page, "a machine that cannot be lost");
    assert.deepEqual(it.complaints, []);
  });

  test("a unit tells why it is as it is, and the way to it", async () => {
    await using it = await visit();
    await it.records.instance("db.container", 2, {
      health: "failed",
      active: "failed",
      reason: "exit status 127: not found",
      failures: { count: 3, since: Date.now() - 60_000, last: Date.now() - 5000 },
    });
    await it.page.getByRole("button", { name: "db.container", exact: true }).click();
    const told = it.page.locator('[data-reasons="db.container"]');
    await told.getByText(/it failed on m2 .+ \(the program was not found\)\./).waitFor();
    await told.getByText(/it failed 3 times on m2/).waitFor();
    await told.getByText(/^\+.+ active$/).waitFor();
    await it.page.locator('[data-instance="db.container"]').getByText("failed 3 times here").waitFor();
    await axeFinds(it.page, "reasons");
    assert.deepEqual(it.complaints, []);
  });

  test("shows machines that are drained and rollouts that wait", async () => {
    await using it = await visit();
    await it.records.drain(3, "kernel update");
    await it.page.locator('[data-machine="m3"]').getByText("being drained").waitFor();
    await it.page.locator('[data-machine="m3"]').getByText("kernel update").waitFor();
    await it.records.rollout("web@.container", "paused", ["web@1.container"], "by ada");
    await it.page
      .locator('[data-unit="web@.container"]')
      .getByText("rollout paused, 1 of 3 updated: by ada")
      .waitFor();
    await axeFinds(it.page, "drained");
    assert.deepEqual(it.complaints, []);
  });

  test("shows what machines with slots run, what starts next, and what failed there", async () => {
    await using it = await visit({}, async (records) => {
      await records.smallCluster();
      await records.system(1, { version: "1.2.0", slot: "b", onTrial: false, other: "1.1.0", failed: [] });
      await records.system(2, { version: "1.1.0", slot: "a", onTrial: true, next: "1.2.0", failed: [] });
    });
    const row = (name: string): Locator => it.page.locator(`[data-machine="${name}"]`);
    await row("m1").getByText("1.2.0 in slot b, 1.1.0 in the other").waitFor();
    await row("m2").getByText("1.1.0 in slot a, on trial").waitFor();
    await row("m2").getByText("1.2.0 starts next").waitFor();
    assert.doesNotMatch((await row("m3").textContent()) ?? "", /slot/);
    const failed = [{ version: "1.2.0", reason: "keeld did not come up", at: Date.now() }];
    await it.records.system(2, { version: "1.1.0", slot: "a", onTrial: false, failed });
    await row("m2").getByText("1.2.0 failed here: keeld did not come up").waitFor();
    await axeFinds(it.page, "slots");
    await it.page.setViewportSize({ width: 360, height: 800 });
    const overflow = await it.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${overflow} px wider than the window`);
    assert.deepEqual(it.complaints, []);
  });

  test("says when it is old, and resumes where it was", async () => {
    await using it = await visit();
    const revision = Number(await it.page.getByTestId("revision").textContent());
    const resumed = it.page.waitForRequest((request) =>
      request.url().endsWith(`/v1/events?after=${revision}`),
    );
    await it.dashboard.stopDaemon();
    await badge(it.page, /^behind \d+ s – reconnecting/);
    await resumed;
    await badge(it.page, /^stale – reconnecting/);
    await it.page.getByText(/No word from the cluster since/).waitFor();
    const colour = (name: string): Promise<string> =>
      it.page
        .locator(name)
        .first()
        .evaluate((element) => getComputedStyle(element).color);
    assert.equal(
      await colour('[data-machine="m1"] .state-mark'),
      await colour(".section-note"),
      "values are grey",
    );
    await axeFinds(it.page, "stale");

    await it.records.loseMachine(3);
    await it.dashboard.startDaemon();
    await badge(it.page, "live");
    await headline(it.page, "1 of 3 machines is lost: m3.");
  });

  test("says how far it is behind when the daemon does not hear the store", async () => {
    await using it = await visit();
    await it.dashboard.stopStore();
    await badge(it.page, /^behind \d+ s$/);
    await it.dashboard.startStore();
    await badge(it.page, "live");
  });

  test("is accessible in light and dark, wide and narrow, well and in trouble", async () => {
    for (const options of [{}, { colorScheme: "dark" }, { viewport: { width: 360, height: 740 } }] as const) {
      await using it = await visit(options);
      await it.page.getByRole("button", { name: "web@.container", exact: true }).click();
      await axeFinds(it.page, JSON.stringify(options));
      await it.records.loseMachine(2);
      await it.records.alarm("mass-failure", "2 of 3 machines vanished within a minute");
      await it.records.unit(
        "gpu.container",
        {},
        "[Container]\nImage=localhost/x\n[X-Fleet]\nMachineMetadata=gpu=yes\n",
      );
      await headline(it.page, "2 of 3 machines vanished within a minute.");
      await it.page.getByText("no machine fits").first().waitFor();
      await axeFinds(it.page, `${JSON.stringify(options)} in trouble`);
    }
  });

  test("fits from 360 pixels on, with long names too", async () => {
    await using it = await visit({}, async (records) => {
      await records.smallCluster();
      const name = `${"a-very-long-name-".repeat(12)}.service`;
      await records.unit(name);
      await records.instance(name, 1, { health: "failed", reason: "x".repeat(300) });
    });
    await it.page.getByRole("button", { name: "web@.container", exact: true }).click();
    await it.page.getByTestId("losses").waitFor();
    for (const width of [360, 600, 740, 820, 1024]) {
      await it.page.setViewportSize({ width, height: 740 });
      const found = await it.page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        const cards = [...document.querySelectorAll(".card")];
        const fits =
          scrollWidth <= clientWidth && cards.every((card) => card.scrollWidth <= card.clientWidth);
        const beyond = [...document.querySelectorAll("body *")]
          .filter((element) => !fits && element.getBoundingClientRect().right > clientWidth)
          .map((element) => `${element.tagName}.${element.className}: ${element.textContent}`);
        return { fits, beyond };
      });
      assert.deepEqual(found, { fits: true, beyond: [] }, `at ${width} pixels`);
    }
  });

  test("follows the system into the dark", async () => {
    await using it = await visit({ colorScheme: "dark" });
    const background = (): Promise<string> =>
      it.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(await background(), "rgb(14, 19, 24)");
    await it.page.emulateMedia({ colorScheme: "light" });
    await it.page.waitForFunction(
      () => getComputedStyle(document.body).backgroundColor === "rgb(245, 247, 249)",
    );
  });

  test("everything is reached by keyboard", async () => {
    await using it = await visit();
    const focused: string[] = [];
    for (let i = 0; i < 12; i++) {
      await it.page.keyboard.press("Tab");
      focused.push(await it.page.evaluate(() => document.activeElement?.textContent ?? ""));
    }
    assert.match(focused[0] ?? "", /Skip to the content/);
    for (const name of [
      "backup.timer",
      "db.container",
      "report.service",
      "web@.container",
      "10.77.0.11:8080",
    ]) {
      assert.ok(focused.includes(name), `${name} is not among ${focused.join(", ")}`);
    }
  });

  test("is small", () => {
    const assets = join(builtFolder, "assets");
    const bytes = readdirSync(assets).reduce(
      (sum, name) => sum + gzipSync(readFileSync(join(assets, name))).byteLength,
      0,
    );
    assert.ok(bytes < 250_000, `${bytes} bytes gzipped`);
  });
});

/** Fails with what axe finds, in words. */
async function axeFinds(page: Page, where: string): Promise<void> {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { violations } = await (
      globalThis as unknown as {
        axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
      }
    ).axe.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  });
  assert.deepEqual(found, [], where);
}
