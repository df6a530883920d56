// What a first visit costs and tells: bytes, requests to others, cookies.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, serve } from "./site.mjs";

const MOST = 45_000; // bytes as they are sent, compressed
const PAGES = ["index.html", "cheatsheet/multiplexing.html", "results.html"];
let browser, site;

before(async () => {
  [browser, site] = await Promise.all([launch(), serve()]);
});
after(async () => {
  await browser?.close();
  await site?.close();
});

for (const name of PAGES) {
  test(`${name} is light, asks nobody else and keeps no cookie`, async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const requests = [];
    page.on("request", (request) => requests.push(request));
    await page.goto(site.url + name, { waitUntil: "networkidle" });
    const others = requests.map((r) => r.url()).filter((u) => !u.startsWith(site.url));
    assert.deepEqual(others.filter((u) => !u.startsWith("data:")), []);
    let bytes = 0;
    for (const request of requests.filter((r) => r.url().startsWith(site.url))) {
      const sizes = await request.sizes();
      bytes += sizes.responseBodySize;
    }
    assert.ok(bytes > 1_000);
    assert.ok(bytes <= MOST, `${bytes} bytes, ${MOST} at most`);
    assert.deepEqual(await context.cookies(), []);
    await context.close();
  });
}
