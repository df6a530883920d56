// Valid HTML by the Nu checker, and no link or anchor that leads nowhere.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { LinkChecker } from "linkinator";
import { pages, serve, SITE } from "./site.mjs";

const JAR = createRequire(import.meta.url)("vnu-jar");

/** Return the errors that the Nu checker finds in files, one line each. */
function errors(files) {
  const done = spawnSync(
    "java",
    ["-Xss8m", "-jar", JAR, "--errors-only", "--format", "gnu", ...files],
    { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
  );
  assert.ok(done.status !== null && !done.error, String(done.error));
  return done.stderr.split("\n").filter(Boolean);
}

/** Return how many links a folder's pages have, and those that lead nowhere. */
async function links(folder) {
  const site = await serve(folder);
  try {
    const result = await new LinkChecker().check({
      path: [site.url],
      recurse: true,
      checkFragments: true,
      concurrency: 20,
      // Only what is the site's own: a test asks nobody else.
      linksToSkip: ["^(?!http://127\\.0\\.0\\.1)"],
    });
    const broken = result.links.filter((link) => link.state === "BROKEN");
    const name = (address) => address?.replace(site.url, "");
    return {
      count: result.links.length,
      broken: broken.map(({ parent, url }) => `${name(parent)}: ${name(url)}`),
    };
  } finally {
    await site.close();
  }
}

/** Call `use` with a folder that has this one page, index.html. */
async function withPage(html, use) {
  const folder = mkdtempSync(join(tmpdir(), "site-"));
  try {
    writeFileSync(join(folder, "index.html"), html);
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("vnu finds no error on any page", () => {
  const files = pages().map((name) => join(SITE, name));
  assert.ok(files.length > 10);
  assert.deepEqual(errors(files), []);
});

test("vnu finds one where there is one", () =>
  withPage("<!doctype html><title>x</title><p><div></p>", (folder) => {
    assert.notEqual(errors([join(folder, "index.html")]).length, 0);
  }));

test("every link and anchor of the site leads somewhere", async () => {
  const { count, broken } = await links(SITE);
  assert.ok(count > 50);
  assert.deepEqual(broken, []);
});

const page = (address) =>
  `<!doctype html><title>x</title><p id="here"><a href="${address}">x</a>`;

for (const address of ["#here", "index.html#here"]) {
  test(`a link to ${address} leads somewhere`, () =>
    withPage(page(address), async (folder) =>
      assert.deepEqual((await links(folder)).broken, []),
    ));
}

for (const address of ["missing.html", "#missing", "index.html#missing"]) {
  test(`a link to ${address}, which is not there, is found`, () =>
    withPage(page(address), async (folder) =>
      assert.match((await links(folder)).broken[0] ?? "", /missing/),
    ));
}
