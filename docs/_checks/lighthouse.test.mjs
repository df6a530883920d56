// Lighthouse, mobile: performance 98, accessibility, best practices and SEO 100.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as launcher from "chrome-launcher";
import lighthouse from "lighthouse";
import { CHROMIUM, FLAGS, serve } from "./site.mjs";

const PAGES = ["index.html", "cheatsheet/multiplexing.html", "results.html"];
const LEAST = {
  performance: 98,
  accessibility: 100,
  "best-practices": 100,
  seo: 100,
};
let chrome, site;

before(async () => {
  site = await serve();
  chrome = await launcher.launch({
    chromePath: CHROMIUM,
    chromeFlags: ["--headless=new", ...FLAGS],
  });
});
after(async () => {
  await chrome?.kill();
  await site?.close();
});

for (const name of PAGES) {
  test(`${name} is good enough on a phone`, async () => {
    const { lhr } = await lighthouse(site.url + name, {
      port: chrome.port,
      logLevel: "error",
      onlyCategories: Object.keys(LEAST),
    });
    const faults = Object.values(lhr.audits)
      .filter((audit) => audit.score !== null && audit.score < 1)
      .map((audit) => `${audit.id} ${audit.score} ${audit.displayValue ?? ""}`);
    for (const [category, least] of Object.entries(LEAST)) {
      const score = Math.round(lhr.categories[category].score * 100);
      assert.ok(score >= least, `${category} ${score}: ${faults.join("; ")}`);
    }
  });
}
