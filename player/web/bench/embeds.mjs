// What ten embeds cost a page before anyone plays, beside the same page with
// lite-youtube-embed: script time on the main thread at a quarter of the speed,
// layout shift, requests. Ours do more once the page has been at rest for a second
// (asking for what is known of each video, reporting that it was shown), which is
// measured by itself.
import { setTimeout as pause } from "node:timers/promises";
import { median, report, startWorld } from "./world.mjs";

const ROUNDS = Number(process.env.ROUNDS ?? 21);
const THROTTLE = 4;
const LIMIT_MS = 15;
const TEN = Array.from({ length: 10 });

const shell = (content) => (origin) => `<!doctype html><html lang=en><meta charset=utf-8><title>Ten videos</title><link rel=icon href="data:,">
<style>body { margin: 0 auto; max-width: 640px } vitascope-player:not(:defined), lite-youtube { display: block; aspect-ratio: 16/9 } p { height: 40px }</style>
${content(origin)}`;

const pages = {
  "/ours.html": shell((o) => `<script async type=module src="${o}/player.js"></script>` + TEN.map(() => `<p>Text</p><vitascope-player media-id=bench00001></vitascope-player>`).join("")),
  "/lite.html": shell((o) => `<link rel=stylesheet href="${o}/peer/lite.css"><script async type=module src="${o}/peer/lite.js"></script>` +
    TEN.map(() => `<p>Text</p><lite-youtube videoid=ogfYd705cRs style="background-image:url(${o}/hls/poster.jpg)" playlabel="Play: Bench"></lite-youtube>`).join("")),
};

// Everything in which scripts run, or are made ready to: compiling, evaluating,
// callbacks, microtasks, collecting garbage. Nested slices count once.
const SCRIPT = /^(v8\.(evaluateModule|callFunction|callAsConstructor|run|compileModule|compile)|EvaluateScript|FunctionCall|RunMicrotasks|TimerFire|DocumentModuleScriptFetcher::NotifyFinished|M(in|aj)orGC)$/;

// Processor time of the page's main thread in script, ms, until the code that asks for
// configs is asked for and from then on: other work on the machine is not counted.
function scriptMs(events, url) {
  const page = events.find((e) => e.name === "ParseHTML" && e.args?.beginData?.url === url);
  const slices = events
    .filter((e) => e.ph === "X" && e.pid === page.pid && e.tid === page.tid && SCRIPT.test(e.name))
    .toSorted((a, b) => a.ts - b.ts || b.dur - a.dur);
  const asks = events.find((e) => e.name === "ResourceSendRequest" && e.pid === page.pid && /\/rest-\w+\.js/.test(e.args?.data?.url))?.ts ?? Infinity;
  const sums = { first: 0, later: 0, longest: 0 };
  let end = 0;
  for (const { ts, dur, tdur } of slices) {
    if (ts < end) continue;
    end = ts + dur;
    sums[end < asks ? "first" : "later"] += (tdur ?? 0) / 1000; // none when too short to be told
    if (end >= asks) sums.longest = Math.max(sums.longest, (tdur ?? 0) / 1000);
  }
  return sums;
}

const world = await startWorld(pages, { video: false });

async function once(path, rate) {
  const context = await world.browser.newContext({ viewport: { width: 800, height: 600 } });
  try {
    const tab = await context.newPage();
    const requests = [];
    let [asked, reported] = [0, 0];
    tab.on("request", (r) => (asked += new URL(r.url()).searchParams.get("ids")?.split(",").length ?? 0));
    tab.on("requestfinished", (r) => r.url().endsWith("/beacons/v1") && (reported += [JSON.parse(r.postData())].flat().length));
    tab.on("request", (r) => r.url().startsWith(world.origin) && requests.push(r.resourceType()));
    const cdp = await context.newCDPSession(tab);
    const events = [];
    cdp.on("Tracing.dataCollected", ({ value }) => events.push(...value));
    await cdp.send("Emulation.setCPUThrottlingRate", { rate });
    await cdp.send("Tracing.start", { transferMode: "ReportEvents", categories: "devtools.timeline,v8,v8.execute" });
    await tab.goto(world.origin + path, { waitUntil: "networkidle" });
    const counted = requests.length;
    // To the last report, and what its answer causes.
    if (path === "/ours.html") while (reported < asked || asked === 0) await pause(50);
    await pause(500);
    const done = new Promise((resolve) => cdp.once("Tracing.tracingComplete", resolve));
    await cdp.send("Tracing.end");
    await done;
    await cdp.send("Emulation.setCPUThrottlingRate", { rate: 1 });
    // Then the whole page is seen, as a reader comes by all of it.
    const shift = await tab.evaluate(async () => {
      let sum = 0;
      new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => (sum += value))).observe({ type: "layout-shift", buffered: true });
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      for (let y = 0; y < document.body.scrollHeight; y += 350) {
        scrollTo(0, y);
        await frame();
        await frame();
      }
      return sum;
    });
    const of = (type) => requests.slice(0, counted).filter((each) => each === type).length;
    return { ...scriptMs(events, world.origin + path), shift, scripts: of("script"), images: of("image"), others: of("fetch") };
  } finally {
    await context.close();
  }
}

try {
  const runs = Object.fromEntries(Object.keys(pages).map((path) => [path, { [THROTTLE]: [], 1: [] }]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const path of Object.keys(runs)) for (const rate of [THROTTLE, 1]) runs[path][rate].push(await once(path, rate));
  }
  const all = (path) => runs[path][THROTTLE];
  const ms = (path, rate, when = "first") => median(runs[path][rate].map((r) => r[when]));
  const least = (path) => Math.min(...all(path).map((r) => r.first)).toFixed(1);
  const lite = ms("/lite.html", THROTTLE);
  report({
    measure: "facade_script", ours: ms("/ours.html", THROTTLE), peer: LIMIT_MS, unit: "ms", goal: 1,
    note: `10 embeds, processor at a quarter, to the posters and the page's rest, median of ${ROUNDS} (least ${least("/ours.html")}); lite-youtube-embed 0.3.4 ${lite.toFixed(1)} (least ${least("/lite.html")}); ` +
      `not throttled ${ms("/ours.html", 1).toFixed(1)} and ${ms("/lite.html", 1).toFixed(1)}; at most ${LIMIT_MS} ms`,
  });
  report({
    measure: "facade_script_at_rest", ours: ms("/ours.html", THROTTLE, "later"), peer: 0, unit: "ms",
    note: `what those in view do after a second at rest, in idle time: ask for their configs, report that they were shown; longest piece ${ms("/ours.html", THROTTLE, "longest").toFixed(1)}; not throttled ${ms("/ours.html", 1, "later").toFixed(1)}; lite-youtube-embed reports nothing`,
  });
  const worst = (path) => Math.max(...all(path).map((r) => r.shift));
  report({ measure: "facade_shift", ours: worst("/ours.html"), peer: 0, unit: "CLS", note: `10 embeds, all scrolled by, largest; lite-youtube-embed ${worst("/lite.html")}` });
  const [ours, theirs] = [all("/ours.html")[0], all("/lite.html")[0]];
  report({
    measure: "facade_requests", ours: ours.scripts, peer: theirs.scripts, unit: "scripts", goal: 1,
    note: `of one page with 10 embeds; beside them ${ours.images} posters of those in view, and ${ours.others} other requests until the page is at rest`,
  });
} finally {
  await world.close();
}
