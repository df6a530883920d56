// Lighthouse, mobile: performance 98, accessibility, best practices and SEO 100.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import * as launcher from "chrome-launcher";
import lighthouse from "lighthouse";
import { CHROMIUM, FLAGS, listen, serve } from "./site.mjs";

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

/** Return the score of each category, and what took from it. */
async function measure(address, categories) {
  const { lhr } = await lighthouse(address, {
    port: chrome.port,
    logLevel: "error",
    onlyCategories: categories,
  });
  const faults = Object.values(lhr.audits)
    .filter((audit) => audit.score !== null && audit.score < 1)
    .map((audit) => `${audit.id} ${audit.score} ${audit.displayValue ?? ""}`);
  const score = (category) => Math.round(lhr.categories[category].score * 100);
  const scores = Object.fromEntries(categories.map((name) => [name, score(name)]));
  return { scores, told: `${JSON.stringify(scores)}: ${faults.join("; ")}` };
}

/**
 * Return the first run if it is good enough, else the median of three: a processor that
 * others use as well takes from the score of a run, and never adds to it.
 */
async function performance(address, first) {
  const runs = [first];
  if (first.scores.performance < LEAST.performance) {
    for (let n = 0; n < 2; n += 1) runs.push(await measure(address, ["performance"]));
  }
  runs.sort((one, other) => one.scores.performance - other.scores.performance);
  return runs[Math.floor(runs.length / 2)];
}

for (const name of PAGES) {
  test(`${name} is good enough on a phone`, async () => {
    const address = site.url + name;
    const first = await measure(address, Object.keys(LEAST));
    for (const category of Object.keys(LEAST)) {
      const { scores, told } =
        category === "performance" ? await performance(address, first) : first;
      assert.ok(scores[category] >= LEAST[category], told);
    }
  });
}

test("a page that is not good enough is found out", async () => {
  const poor = await listen(
    createServer((_request, response) => {
      response.writeHead(200, { "Content-Type": "text/html" });
      response.end("<p style='color: #ccc'>x</p>");
    }),
  );
  try {
    const { scores } = await measure(poor.url, ["accessibility", "seo"]);
    for (const [category, score] of Object.entries(scores)) {
      assert.ok(score < LEAST[category], `${category} ${score}`);
    }
  } finally {
    await poor.close();
  }
});
