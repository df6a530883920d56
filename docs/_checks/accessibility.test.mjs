// No violation of WCAG 2.2 AA that axe-core can find, on any page, at two widths, in
// light and dark.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { largestFirst, start, WIDTHS } from "./site.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"));
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"];
const AT_A_TIME = 2;
const at = start();

/** Return what axe finds wrong on the page, one line each. */
async function findings(page) {
  await page.evaluate(markAlike);
  return page.evaluate(async (tags) => {
    const alike = { id: "color-contrast", selector: ":not([data-alike])" };
    window.axe.configure({ rules: [alike] });
    const { violations } = await window.axe.run({
      preload: false,
      reporter: "no-passes",
      runOnly: tags,
    });
    return violations.flatMap(({ id, help, nodes }) =>
      nodes.map(({ target }) => `${id}: ${help}: ${target.join(" ")}`),
    );
  }, TAGS);
}

/**
 * Mark, in the page, each element that has no text of its own, or that looks as one
 * before it does: the same text on the same backgrounds. Its contrast is that one's; to
 * have axe work it out for each of 20,000 words in listings takes minutes.
 */
function markAlike() {
  const seen = new Set();
  const numbers = new Map(); // of the looks of an element and all that it is in
  const within = new Map();
  const number = (look) => {
    if (!numbers.has(look)) numbers.set(look, numbers.size);
    return numbers.get(look);
  };
  for (const element of document.querySelectorAll("body, body *")) {
    const style = getComputedStyle(element);
    const box = [
      within.get(element.parentElement),
      ...[style.backgroundColor, style.backgroundImage, style.opacity, style.filter],
      ...[style.position, style.zIndex, style.overflow, style.visibility],
    ];
    within.set(element, number(box.join()));
    const text = [style.color, style.fontSize, style.fontWeight, style.textShadow];
    const look = number([within.get(element), element.tagName, ...text].join());
    const says = hasText(element) || element.matches("input, select, textarea");
    element.toggleAttribute("data-alike", !says || seen.has(look));
    if (says) seen.add(look);
  }

  function hasText(element) {
    const { width, height } = element.getBoundingClientRect();
    const texts = [...element.childNodes].filter((node) => node.nodeType === 3);
    return width > 1 && height > 1 && texts.some((node) => node.data.trim());
  }
}

/** Yield each width in each colour scheme, the page being laid out for it. */
async function* layouts(page) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      yield `${width} pixels, ${colorScheme}`;
    }
  }
}

test("no violation on any page, at any width, in light and dark", async () => {
  const left = largestFirst();
  assert.ok(left.length > 10);
  const found = [];
  const worker = async () => {
    const page = await at.browser.newPage({ reducedMotion: "reduce" });
    for (let name = left.shift(); name; name = left.shift()) {
      await page.goto(at.site.url + name);
      await page.evaluate(String(AXE));
      for await (const layout of layouts(page)) {
        const lines = await findings(page);
        found.push(...lines.map((line) => `${name}, ${layout}: ${line}`));
      }
    }
    await page.close();
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  assert.deepEqual(found, []);
});

for (const [fault, body, expected] of [
  ["an image without words", '<img src="x.png">', /image-alt/],
  ["pale text", '<p style="color: #bbb">pale</p>', /color-contrast/],
  [
    "text that is pale in one of two places",
    "<p>one</p><div style='background: #555'><p>two</p></div>",
    /color-contrast/,
  ],
  ["a small target", "<a href=#x>x</a><br><a href=#y>y</a>", /target-size/],
]) {
  test(`${fault} is found`, async () => {
    const page = await at.browser.newPage();
    await page.setContent(`<!doctype html><html lang=en><title>x</title>${body}`);
    await page.evaluate(String(AXE));
    assert.match((await findings(page)).join("\n"), expected);
    await page.close();
  });
}
