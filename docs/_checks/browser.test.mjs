// What a reader does with the site, in Chromium: search, copy, follow links, filter,
// switch to dark, print, read offline and from a folder.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { SITE, start } from "./site.mjs";

const PAGE = "cheatsheet/multiplexing.html";
const SNIPPET = readFileSync(resolve("snippets/epoll_server.py"), "utf8");
let context, page, site;

start(async (parts) => {
  site = parts.site;
  context = await parts.browser.newContext({ viewport: { width: 1280, height: 900 } });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  page = await context.newPage();
  page.setDefaultTimeout(10_000);
});
/** Search for words, as typed into the field, and return the addresses found. */
async function search(words, start) {
  await page.goto(start);
  await page.locator("input.sidebar-search").fill(words);
  await page.keyboard.press("Enter");
  await page.locator("#search-results li a").first().waitFor();
  return page
    .locator("#search-results li a")
    .evaluateAll((links) => links.map((link) => link.href));
}

for (const [where, start] of [
  ["on the web", () => site.url],
  ["from a folder", () => pathToFileURL(join(SITE, "index.html")).href],
]) {
  test(`search finds a section, ${where}`, async () => {
    const found = await search("epoll", start());
    assert.ok(
      found.some((url) => url.includes("/cheatsheet/multiplexing.html")),
      found.join("\n"),
    );
  });
}

test("copy gives exactly the file", async () => {
  await page.goto(site.url + PAGE);
  const listing = page.locator("section#simple-asynchronous-tcp-server-epoll");
  const block = listing.locator("div.highlight-python").first();
  await block.hover();
  await block.locator("button.copybtn").click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied.trimEnd(), SNIPPET.trimEnd());
});

test("copy takes commands without prompts and without output", async () => {
  await page.goto(site.url + PAGE);
  const section = page.locator("section#simple-asynchronous-tcp-server-epoll");
  const block = section.locator("div.highlight-console").first();
  await block.hover();
  await block.locator("button.copybtn").click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied.trimEnd(), "python snippets/epoll_server.py");
});

for (const width of [1280, 390]) {
  test(`a permalink shows its title below the header, ${width} pixels`, async () => {
    await page.setViewportSize({ width, height: 900 });
    try {
      await page.goto(`${site.url}${PAGE}#high-level-api-selectors`);
      const title = page.locator("section#high-level-api-selectors > h2");
      await title.waitFor();
      const place = async () => (await title.boundingBox()).y;
      let top = await place(); // it may scroll there smoothly
      for (let last = NaN; top !== last; await page.waitForTimeout(200)) {
        last = top;
        top = await place();
      }
      const header = page.locator("header.mobile-header");
      const bar = (await header.isVisible()) ? await header.boundingBox() : null;
      const edge = bar ? bar.y + bar.height : 0;
      assert.ok(top >= edge && top < 450, `title at ${top}, header ends at ${edge}`);
    } finally {
      await page.setViewportSize({ width: 1280, height: 900 });
    }
  });
}

for (const [width, how] of [
  [1280, "beside"],
  [390, "below"],
]) {
  test(`consoles stand ${how} each other, ${width} pixels`, async () => {
    await page.setViewportSize({ width, height: 900 });
    try {
      await page.goto(site.url + PAGE);
      const consoles = page.locator(".consoles").first().locator(".highlight-console");
      const [one, next] = await Promise.all(
        [0, 1].map((n) => consoles.nth(n).boundingBox()),
      );
      if (how === "beside") assert.ok(next.x >= one.x + one.width);
      else assert.ok(next.y >= one.y + one.height);
    } finally {
      await page.setViewportSize({ width: 1280, height: 900 });
    }
  });
}

for (const colorScheme of ["light", "dark"]) {
  test(`what is typed differs from what comes back, ${colorScheme}`, async () => {
    await page.emulateMedia({ colorScheme });
    try {
      await page.goto(site.url + PAGE);
      const block = page.locator(".highlight-console").filter({ hasText: "nc " }).first();
      const look = (part) =>
        part.evaluate((element) => {
          const { color, fontWeight } = getComputedStyle(element);
          return { color, fontWeight };
        });
      const typed = await look(block.locator(".hll .go").first());
      const output = await look(block.locator("pre > .go").first());
      assert.deepEqual(await look(block.locator("pre")), typed); // a command is typed
      assert.notEqual(typed.color, output.color);
      assert.notEqual(typed.fontWeight, output.fontWeight);
    } finally {
      await page.emulateMedia({ colorScheme: null });
    }
  });
}

test("the grid can be narrowed down", async () => {
  await page.goto(`${site.url}results.html`);
  const rows = page.locator("table.checks tbody tr");
  const all = await rows.count();
  assert.ok(all > 10, `${all} rows: build the site with the results of the tests`);
  await page.getByLabel("Show the checks with").fill("ctrl-c");
  const left = await rows.filter({ visible: true }).allTextContents();
  assert.ok(left.length > 0 && left.length < all);
  for (const text of left) assert.match(text, /ctrl-c/i);
  await page.getByLabel("Show the checks with").fill("");
  assert.equal(await rows.filter({ visible: true }).count(), all);
});

test("dark stays dark on the next page", async () => {
  await page.goto(site.url);
  const background = () =>
    page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const before_ = await background();
  const button = page.locator("button.theme-toggle").filter({ visible: true }).first();
  for (let tries = 0; tries < 3 && (await background()) === before_; tries += 1) {
    await button.click();
    await page.waitForTimeout(50);
  }
  const dark = await background();
  assert.notEqual(dark, before_);
  await page.goto(site.url + PAGE);
  assert.equal(await background(), dark);
  await page.evaluate(() => localStorage.clear());
});

test("everything can be reached by the keyboard, and is seen to be", async () => {
  await page.goto(site.url + PAGE);
  const reached = new Set();
  for (let n = 0; n < 400; n += 1) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const style = getComputedStyle(element);
      const seen = style.outlineStyle !== "none" || style.boxShadow !== "none";
      return { name: `${element.tagName} ${element.className}`.trim(), seen };
    });
    if (found === null) break;
    assert.ok(found.seen, `${found.name} has the focus, and nothing shows it`);
    reached.add(found.name.split(" ")[0]);
  }
  for (const name of ["A", "PRE", "BUTTON", "INPUT"]) {
    assert.ok(reached.has(name), `${name} is never reached: ${[...reached]}`);
  }
});

test("print shows all code and no chrome", async () => {
  await page.goto(site.url + PAGE);
  await page.emulateMedia({ media: "print" });
  await page.setViewportSize({ width: 700, height: 1000 }); // A4, less its margins
  try {
    const cut = await page.evaluate(() =>
      [...document.querySelectorAll("pre")]
        .filter((pre) => pre.scrollWidth > pre.clientWidth + 1)
        .map((pre) => pre.textContent.slice(0, 60)),
    );
    assert.deepEqual(cut, []);
    for (const chrome of [".sidebar-drawer", ".toc-drawer", "button.copybtn"]) {
      const visible = await page.locator(chrome).filter({ visible: true }).count();
      assert.equal(visible, 0, chrome);
    }
    const text = await page.locator("article").innerText();
    assert.ok(text.includes("class EchoServer:"));
  } finally {
    await page.emulateMedia({ media: null });
    await page.setViewportSize({ width: 1280, height: 900 });
  }
});

test("a page that was opened works offline", async () => {
  await page.goto(site.url + PAGE);
  await context.setOffline(true);
  try {
    await page.locator('a[href="#high-level-api-selectors"]').first().click();
    assert.match(page.url(), /#high-level-api-selectors$/);
    await page.goto(pathToFileURL(join(SITE, PAGE)).href);
    assert.match(await page.locator("h1").innerText(), /Multiplexing/);
  } finally {
    await context.setOffline(false);
  }
});

test("no page of a folder asks the network for anything", async () => {
  const asked = [];
  const watcher = await context.newPage();
  watcher.on("request", (request) => asked.push(request.url()));
  await watcher.goto(pathToFileURL(join(SITE, PAGE)).href);
  await watcher.waitForLoadState("networkidle");
  assert.deepEqual(asked.filter((url) => url.startsWith("http")), []);
  await watcher.close();
});
