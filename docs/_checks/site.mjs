// What all checks share: the built site, a server for it on loopback, and a browser.
//
// The site is served as a host would: compressed, with a page for what is not there.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, relative, resolve, sep } from "node:path";
import { after, before } from "node:test";
import { gzipSync } from "node:zlib";
import { chromium } from "playwright-core";

export const SITE = resolve(process.env.SITE ?? "build/html");
export const CHROMIUM = process.env.CHROME_PATH ?? "/usr/bin/chromium";
// As root, as in most containers, Chromium has no sandbox of its own.
export const FLAGS = process.getuid() === 0 ? ["--no-sandbox"] : [];
export const WIDTHS = [1280, 390];

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".md": "text/markdown; charset=utf-8",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
};

/** Return the pages of the site, such as "cheatsheet/tcp.html". */
export function pages() {
  return readdirSync(SITE, { recursive: true })
    .filter((name) => name.endsWith(".html") && !name.startsWith("_static"))
    .map((name) => name.split(sep).join("/"))
    .sort();
}

/** Return the same pages, those first that take longest. */
export function largestFirst() {
  const size = (name) => statSync(join(SITE, name)).size;
  return pages().sort((one, other) => size(other) - size(one));
}

/** Serve a folder, the site's if none is named, until close() is called. */
export function serve(folder = SITE) {
  return listen(
    createServer((request, response) => {
      const { pathname } = new URL(request.url, "http://localhost");
      let path = join(folder, decodeURIComponent(pathname));
      try {
        if (relative(folder, path).startsWith("..")) throw new Error("outside");
        if (statSync(path).isDirectory()) path = join(path, "index.html");
        const body = gzipSync(readFileSync(path));
        const type = TYPES[extname(path)] ?? "application/octet-stream";
        response.writeHead(200, {
          "Content-Type": type,
          "Content-Encoding": "gzip",
          "Content-Length": body.length,
        });
        response.end(body);
      } catch {
        response.writeHead(404, { "Content-Type": "text/plain" });
        response.end("not found");
      }
    }),
  );
}

/** Let a server listen on a free port of 127.0.0.1 until close() is called. */
export async function listen(server) {
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () => {
      server.closeAllConnections();
      return new Promise((closed) => server.close(closed));
    },
  };
}

/**
 * Serve the site and start Chromium before the tests of a file; end both after them.
 *
 * What is returned has both once the tests run. Before them `prepare` is called with it.
 */
export function start(prepare = () => {}) {
  const parts = {};
  before(async () => {
    parts.site = await serve();
    parts.browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    await prepare(parts);
  });
  after(async () => {
    await parts.browser?.close();
    await parts.site?.close();
  });
  return parts;
}
