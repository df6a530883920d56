// No violation of WCAG 2.2 AA that axe-core can find, on any page, at two widths, in
// light and dark.

import { AxeBuilder } from "@axe-core/playwright";
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, pages, serve, WIDTHS } from "./site.mjs";

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"];
const AT_A_TIME = 2;
let browser, site;

before(async () => {
  [browser, site] = await Promise.all([launch(), serve()]);
});
after(async () => {
  await browser?.close();
  await site?.close();
});

/** Return what axe finds wrong on the page, one line each. */
async function findings(page) {
  const { violations } = await new AxeBuilder({ page }).withTags(TAGS).analyze();
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target }) => `${id}: ${help}: ${target.join(" ")}`),
  );
}

for (const colorScheme of ["light", "dark"]) {
  for (const width of WIDTHS) {
    test(`no violation at ${width} pixels, ${colorScheme}`, async () => {
      const left = pages();
      assert.ok(left.length > 10);
      const found = [];
      const worker = async () => {
        const context = await browser.newContext({
          colorScheme,
          viewport: { width, height: 900 },
        });
        const page = await context.newPage();
        for (let name = left.pop(); name; name = left.pop()) {
          await page.goto(site.url + name);
          for (const line of await findings(page)) found.push(`${name}: ${line}`);
        }
        await context.close();
      };
      await Promise.all(Array.from({ length: AT_A_TIME }, worker));
      assert.deepEqual(found, []);
    });
  }
}

test("a page with a fault is found out", async () => {
  const page = await (await browser.newContext()).newPage();
  await page.setContent('<html lang="en"><title>x</title><img src="x.png"></html>');
  assert.match((await findings(page)).join("\n"), /image-alt/);
  await page.context().close();
});
