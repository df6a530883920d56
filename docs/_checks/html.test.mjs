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

test("vnu finds no error on any page", () => {
  const files = pages().map((name) => join(SITE, name));
  assert.ok(files.length > 10);
  assert.deepEqual(errors(files), []);
});

test("vnu finds one where there is one", () => {
  const folder = mkdtempSync(join(tmpdir(), "vnu-"));
  try {
    const file = join(folder, "wrong.html");
    writeFileSync(file, "<!doctype html><title>x</title><p><div></p>");
    assert.notEqual(errors([file]).length, 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("every link and anchor of the site leads somewhere", async () => {
  const site = await serve();
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
    assert.ok(result.links.length > 50);
    assert.deepEqual(
      broken.map((link) => `${link.parent}: ${link.url} (${link.status})`),
      [],
    );
  } finally {
    await site.close();
  }
});
