// What a first visit costs and tells: bytes, requests to others, cookies.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { test } from "node:test";
import { listen, start } from "./site.mjs";

const MOST = 45_000; // bytes as they are sent, compressed
const PAGES = ["index.html", "cheatsheet/multiplexing.html", "results.html", "which.html"];
const at = start();

/** Return the bytes of a first visit, the addresses of others asked, and cookies. */
async function visit(url) {
  const { origin } = new URL(url);
  const context = await at.browser.newContext();
  const page = await context.newPage();
  const requests = [];
  page.on("request", (request) => requests.push(request));
  await page.goto(url, { waitUntil: "networkidle" });
  const own = requests.filter((request) => request.url().startsWith(`${origin}/`));
  const sizes = await Promise.all(own.map((request) => request.sizes()));
  const bytes = sizes.reduce((sum, { responseBodySize }) => sum + responseBodySize, 0);
  const others = requests
    .filter((request) => !own.includes(request))
    .map((request) => request.url())
    .filter((address) => !address.startsWith("data:"));
  const cookies = await context.cookies();
  await context.close();
  return { bytes, others, cookies: cookies.map(({ name }) => name) };
}

for (const name of PAGES) {
  test(`${name} is light, asks nobody else and keeps no cookie`, async () => {
    const { bytes, others, cookies } = await visit(at.site.url + name);
    assert.ok(bytes > 1_000);
    assert.ok(bytes <= MOST, `${bytes} bytes, ${MOST} at most`);
    assert.deepEqual(others, []);
    assert.deepEqual(cookies, []);
  });
}

test("a page that is heavy, asks another or keeps a cookie is found out", async () => {
  const other = await listen(createServer((_request, response) => response.end()));
  const filling = randomBytes(MOST).toString("base64");
  const body = `<script src="${other.url}x.js"></script><!-- ${filling} -->`;
  const headers = { "Content-Type": "text/html", "Set-Cookie": "seen=1" };
  const faulty = await listen(
    createServer((_request, response) => response.writeHead(200, headers).end(body)),
  );
  try {
    const { bytes, others, cookies } = await visit(faulty.url);
    assert.ok(bytes > MOST, `${bytes} bytes`);
    assert.deepEqual(others, [`${other.url}x.js`]);
    assert.deepEqual(cookies, ["seen"]);
  } finally {
    await faulty.close();
    await other.close();
  }
});
