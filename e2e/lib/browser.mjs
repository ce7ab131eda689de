// Headless Chromium, Debian's own, and a page on another origin that embeds a player.
import { createServer } from "node:http";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";

/** How long anything may take on a machine that does much else. */
export const LONG = 120_000;

/** Starts Chromium; it ends with the test. */
export async function startBrowser(t) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    timeout: LONG,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"],
  });
  t.after(() => browser.close());
  return browser;
}

/** A page that notes every console error, uncaught error and failed request. */
export async function openPage(context) {
  context.setDefaultTimeout(LONG);
  const page = await context.newPage();
  page.problems = [];
  page.on("console", (m) => m.type() === "error" && page.problems.push(`console: ${m.text()} ${m.location().url ?? ""}`));
  page.on("pageerror", (e) => page.problems.push(`uncaught: ${e.stack ?? e}`));
  return page;
}

/**
 * A marketer's site on an origin of its own, embedding the given code. Its server
 * also takes what the script's page sends to /left: positions each moment, and in both
 * events of going away. left(), once the tab was closed, is the greatest; of a tab that
 * had no time for its last words, the last of those before.
 */
export async function hostSite(t, embedCode) {
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Acme rockets</title></head>
<body><h1>Our new rocket</h1>${embedCode}<p>Read on below the video.</p></body></html>`;
  const words = [];
  let heard, last = 0;
  const both = new Promise((resolve) => (heard = resolve));
  const left = () => Promise.race([both, sleep(20_000, null, { ref: false })]).then(() => Math.max(...words));
  const server = createServer((req, res) => {
    if (req.url === "/left") {
      let text = "";
      req.on("data", (d) => (text += d)).on("end", () => {
        const [what, position] = text.split(" ");
        words.push(Number(position));
        if (what === "last" && ++last === 2) heard();
      });
      return res.writeHead(204).end();
    }
    if (req.url.startsWith("/favicon")) return res.writeHead(204).end();
    res.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(html);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return { url: `http://localhost:${server.address().port}/landing?utm_source=newsletter&utm_campaign=launch`, left };
}

/** The media element behind the embedded player, however deep it sits. */
export const findVideo = `(() => {
  const walk = (node) => {
    for (const el of node.querySelectorAll("*")) {
      if (el instanceof HTMLMediaElement) return el;
      const found = el.shadowRoot && walk(el.shadowRoot);
      if (found) return found;
    }
    return null;
  };
  return walk(document);
})()`;
