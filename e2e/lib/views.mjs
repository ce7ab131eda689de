// Scripted views: what real viewers do, drawn from a seed.
import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { until } from "./api.mjs";
import { openPage } from "./browser.mjs";
import { witness } from "./witness.mjs";

/** A small seeded generator (mulberry32), so that a run can be repeated. */
export function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * A marketer's site whose pages tell what their witness saw: `loads` has one entry
 * per page load, in their order, `left` being whether that is its last word.
 */
export async function witnessedSite(t, embedCode) {
  const loads = new Map();
  const server = createServer((req, res) => {
    if (req.url === "/saw") {
      const script = new URL(req.headers.referer).searchParams.get("script");
      let text = "";
      req.on("data", (d) => (text += d)).on("end", () => {
        const { load, ...saw } = JSON.parse(text);
        if (!loads.get(load)?.left) loads.set(load, { script, ...saw });
      });
      return res.writeHead(204).end();
    }
    if (req.url.startsWith("/favicon")) return res.writeHead(204).end();
    res.writeHead(200, { "Content-Type": "text/html; charset=utf-8" })
      .end(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Acme</title><script>${witness}</script><body>${embedCode}`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return { url: (script) => `http://localhost:${server.address().port}/?script=${script}`, loads };
}

const evaluate = (page, body) => page.evaluate(`(async () => { window.witness.look(); const v = window.witness.video(); ${body} })()`);
const jump = (page, to) => evaluate(page, `
  const done = new Promise((r) => v.addEventListener("seeked", r, { once: true })); v.currentTime = ${to}; await done;`);

async function play(page) {
  await page.getByRole("button", { name: /^Play/ }).first().click({ timeout: 180_000 });
  await page.waitForFunction("window.witness.video()?.currentTime > 0", null, { timeout: 180_000 });
}

/** What viewers do. Each gets a page that plays, and leaves it as it likes. */
export const habits = {
  watches: async ({ wait }) => wait(4, 9),
  seeks: async ({ page, wait, place }) => {
    for (let i = 0; i < 3; i++) {
      await wait(1, 3);
      await jump(page, place());
    }
    await wait(1, 3);
  },
  rewatches: async ({ page, wait }) => {
    await wait(4, 6);
    await jump(page, 1);
    await wait(4, 6);
    await jump(page, 2.5);
    await wait(1, 3);
  },
  skips: async ({ page, wait, place }) => {
    await wait(2, 4);
    await jump(page, 20 + place() / 2);
    await wait(3, 5);
  },
  hurries: async ({ page, wait }) => {
    await wait(1, 2);
    await evaluate(page, "v.playbackRate = 2;");
    await wait(3, 6);
    await evaluate(page, "v.playbackRate = 1;");
    await wait(1, 2);
  },
  pauses: async ({ page, wait }) => {
    await wait(2, 4);
    await evaluate(page, "v.pause();");
    await wait(1, 3);
    await evaluate(page, "await v.play();");
    await wait(2, 4);
  },
  "loses the network": async ({ page, wait, offlineSeconds }) => {
    await wait(3, 5);
    await page.context().setOffline(true);
    await sleep(offlineSeconds * 1000);
    await page.context().setOffline(false);
    await wait(12, 14); // what was held back goes out again
  },
  "opens a second tab": async ({ page, wait, second, site }) => {
    await wait(2, 3);
    const other = await second();
    await wait(3, 5);
    await jump(page, 15);
    await wait(2, 3);
    await leave(other, site);
  },
  reloads: async ({ page, wait }) => {
    await wait(3, 5);
    await page.reload();
    await play(page);
    await wait(3, 5);
  },
  "loses the tab": async ({ page, wait }) => { // the system ends it: no script has a last word
    await wait(3, 6);
    await page.goto("chrome://crash").catch(() => {});
    await page.close();
  },
};

/**
 * Closes a tab as a viewer does. On a machine too busy to run a page's last words in
 * time, Chromium goes without.
 */
async function leave(page, site) {
  const script = new URL(page.url()).searchParams.get("script");
  await page.close({ runBeforeUnload: true });
  const last = () => [...site.loads.values()].findLast((l) => l.script === script)?.left;
  await until(`the last word of ${script}`, last, { timeout: 5_000 }).catch(() => {});
}

/**
 * Runs one script. Returns what ends its browser profile, which waits for that until
 * the figures are in: what the browser still sends after a tab has gone, it sends
 * only while there is a profile.
 */
export async function view({ browser, site, name, habit, rand, seconds, offlineSeconds }) {
  const context = await browser.newContext();
  const open = async (script) => {
    const page = await openPage(context);
    await page.goto(site.url(script));
    await play(page);
    return page;
  };
  const page = await open(name);
  await habits[habit]({
    page, site, offlineSeconds,
    wait: (from, to) => sleep(1000 * (from + rand() * (to - from))),
    place: () => rand() * (seconds - 8),
    second: () => open(`${name}-b`),
  });
  if (!page.isClosed()) await leave(page, site);
  return () => context.close();
}
