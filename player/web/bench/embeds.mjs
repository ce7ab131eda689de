// What ten embeds cost a page before anyone plays, beside the same page with
// lite-youtube-embed: script time on the main thread at a quarter of the speed,
// layout shift, requests.
import { median, report, startWorld } from "./world.mjs";

const ROUNDS = Number(process.env.ROUNDS ?? 5);
const TEN = Array.from({ length: 10 });

const shell = (content) => (origin) => `<!doctype html><html lang=en><meta charset=utf-8><title>Ten videos</title><link rel=icon href="data:,">
<style>body { margin: 0 auto; max-width: 640px } vitascope-player:not(:defined), lite-youtube { display: block; aspect-ratio: 16/9 } p { height: 40px }</style>
${content(origin)}`;

const pages = {
  "/none.html": shell(() => TEN.map(() => "<p>Text</p><div style='aspect-ratio:16/9'></div>").join("")),
  "/ours.html": shell((o) => `<script async type=module src="${o}/player.js"></script>` + TEN.map(() => `<p>Text</p><vitascope-player media-id=bench00001></vitascope-player>`).join("")),
  "/lite.html": shell((o) => `<link rel=stylesheet href="${o}/peer/lite.css"><script async type=module src="${o}/peer/lite.js"></script>` +
    TEN.map(() => `<p>Text</p><lite-youtube videoid=ogfYd705cRs style="background-image:url(${o}/hls/poster.jpg)" playlabel="Play: Bench"></lite-youtube>`).join("")),
};

const world = await startWorld(pages);

async function once(path) {
  const context = await world.browser.newContext({ viewport: { width: 800, height: 600 } });
  try {
    const tab = await context.newPage();
    const requests = [];
    tab.on("request", (r) => r.url().startsWith(world.origin) && requests.push(new URL(r.url()).pathname));
    await tab.addInitScript(() => {
      window.shift = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.shift += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
    });
    const cdp = await context.newCDPSession(tab);
    // CPU time of the thread, not of the clock: other work on the machine is not counted.
    await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
    await cdp.send("Emulation.setCPUThrottlingRate", { rate: 4 });
    await tab.goto(world.origin + path, { waitUntil: "networkidle" });
    const script = async () => (await cdp.send("Performance.getMetrics")).metrics.find((m) => m.name === "ScriptDuration").value * 1000;
    const loaded = await script();
    // Then the whole page is seen, as a reader comes by all of it.
    for (let y = 0; y < 4200; y += 350) {
      await tab.evaluate((top) => new Promise((done) => requestAnimationFrame(() => (scrollTo(0, top), requestAnimationFrame(done)))), y);
    }
    await tab.waitForLoadState("networkidle");
    return { loaded, seen: await script(), shift: await tab.evaluate(() => window.shift), scripts: requests.filter((p) => p.endsWith(".js")).length };
  } finally {
    await context.close();
  }
}

try {
  const runs = { "/none.html": [], "/ours.html": [], "/lite.html": [] };
  for (let round = 0; round < ROUNDS; round++) for (const path of Object.keys(runs)) runs[path].push(await once(path));
  for (const [when, measure, words] of [["loaded", "facade_script", "to the page's rest"], ["seen", "facade_script_seen", "to when all of the page was scrolled by"]]) {
    const ms = (path) => median(runs[path].map((r) => r[when]));
    const empty = ms("/none.html");
    const [ours, lite] = [ms("/ours.html") - empty, ms("/lite.html") - empty];
    const note = `10 embeds, CPU at a quarter, ${words}, less the same page without any (${empty.toFixed(1)} ms), median of ${ROUNDS}; lite-youtube-embed 0.3.4 ${lite.toFixed(1)} ms`;
    report({ measure, ours, peer: when === "loaded" ? 15 : lite, unit: "ms", ...(when === "loaded" && { goal: 1 }), note: when === "loaded" ? `${note}; at most 15 ms` : note });
  }
  report({ measure: "facade_shift", ours: Math.max(...runs["/ours.html"].map((r) => r.shift)), peer: 0, unit: "CLS", note: `10 embeds, largest; lite-youtube-embed ${Math.max(...runs["/lite.html"].map((r) => r.shift))}` });
  report({ measure: "facade_requests", ours: runs["/ours.html"][0].scripts, peer: runs["/lite.html"][0].scripts, unit: "scripts", goal: 1, note: "scripts of one page with 10 embeds" });
} finally {
  await world.close();
}
