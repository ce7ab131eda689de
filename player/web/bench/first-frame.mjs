// Click to first frame, cold cache, on two networks: our player beside hls.js,
// video.js 8 and mux-player on the same HLS. In "click", nothing of any player is
// loaded before the click, as on a page that cares for its speed; in "page", each
// is on the page from the start and plays by itself, counted from navigation.
import { median, report, startWorld } from "./world.mjs";

const NETWORKS = {
  slow_4g: { latency: 150, downloadThroughput: 1.6e6 / 8, uploadThroughput: 750e3 / 8 },
  cable: { latency: 28, downloadThroughput: 5e6 / 8, uploadThroughput: 1e6 / 8 },
};
const ROUNDS = Number(process.env.ROUNDS ?? 3);

const hls = (origin) => `${origin}/hls/multivariant.m3u8`;
const script = (src) => `const s = document.createElement("script"); s.src = "${src}"; s.onload = run; document.head.append(s);`;

/** How each is started: the code that its documentation gives for a page. */
const PLAYERS = {
  vitascope: {
    body: (o) => `<script type=module src="${o}/player.js"></script><vitascope-player media-id=bench00001 muted></vitascope-player>`,
    auto: (o) => `<script type=module src="${o}/player.js"></script><vitascope-player media-id=bench00001 autoplay></vitascope-player>`,
    click: () => `document.querySelector("vitascope-player").shadowRoot.querySelector("button").click()`,
    ready: `document.querySelector("vitascope-player")?.shadowRoot?.querySelector("button")?.hidden === false`,
  },
  "hls.js": {
    body: () => `<video muted playsinline></video>`,
    auto: (o) => `<script src="${o}/peer/hls.js"></script><video muted autoplay playsinline></video><script>const h = new Hls(); h.loadSource("${hls(o)}"); h.attachMedia(document.querySelector("video"))</script>`,
    click: (o) => `function run() { const v = document.querySelector("video"); const h = new Hls(); h.loadSource("${hls(o)}"); h.attachMedia(v); v.play() } ${script(`${o}/peer/hls.js`)}`,
  },
  "video.js 8": {
    body: () => `<video class="video-js" muted playsinline controls width=640 height=360></video>`,
    auto: (o) => `<link rel=stylesheet href="${o}/peer/video.css"><script src="${o}/peer/video.js"></script><video class="video-js" data-setup="{}" muted autoplay playsinline controls width=640 height=360><source src="${hls(o)}" type="application/x-mpegURL"></video>`,
    click: (o) => `const l = document.createElement("link"); l.rel = "stylesheet"; l.href = "${o}/peer/video.css"; document.head.append(l);
      function run() { const p = videojs(document.querySelector("video"), { muted: true }); p.src({ src: "${hls(o)}", type: "application/x-mpegURL" }); p.play() } ${script(`${o}/peer/video.js`)}`,
  },
  "mux-player": {
    body: () => ``,
    auto: (o) => `<script src="${o}/peer/mux.js" defer></script><mux-player src="${hls(o)}" muted autoplay disable-tracking disable-cookies></mux-player>`,
    click: (o) => `document.body.insertAdjacentHTML("beforeend", '<mux-player src="${hls(o)}" muted autoplay disable-tracking disable-cookies></mux-player>'); function run() {} ${script(`${o}/peer/mux.js`)}`,
  },
};

const page = (content) => (origin) => `<!doctype html><html lang=en><meta charset=utf-8><link rel=icon href="data:,">
<style>body { margin: 0; width: 640px } vitascope-player, video, mux-player { display: block; width: 640px; height: 360px }</style>${content(origin)}`;

// Resolves to when the first frame was on screen, on the page's own clock.
const firstFrame = `new Promise((done) => {
  const walk = (node) => {
    for (const el of node.querySelectorAll("*")) {
      if (el instanceof HTMLVideoElement) return el;
      const inner = el.shadowRoot && walk(el.shadowRoot);
      if (inner) return inner;
    }
    return null;
  };
  let seen = null;
  const look = () => {
    const video = walk(document);
    if (video && video !== seen) {
      seen = video;
      const wait = (now, { presentedFrames }) => presentedFrames > 0 ? done(now) : video.requestVideoFrameCallback(wait);
      video.requestVideoFrameCallback(wait);
    }
    requestAnimationFrame(look);
  };
  look();
})`;

const names = Object.keys(PLAYERS);
const paths = Object.fromEntries(names.flatMap((name, i) => [[`/click${i}.html`, page(PLAYERS[name].body)], [`/auto${i}.html`, page(PLAYERS[name].auto)]]));
const world = await startWorld(paths);

async function once(name, network, way) {
  const i = names.indexOf(name);
  const context = await world.browser.newContext({ viewport: { width: 800, height: 600 } });
  try {
    const tab = await context.newPage();
    const cdp = await context.newCDPSession(tab);
    await cdp.send("Network.enable");
    await cdp.send("Network.clearBrowserCache");
    const throttle = () => cdp.send("Network.emulateNetworkConditions", { offline: false, connectionType: "cellular4g", ...NETWORKS[network] });
    if (way === "page") {
      await throttle();
      await tab.goto(`${world.origin}/auto${i}.html`, { waitUntil: "commit" });
      return await tab.evaluate(`Promise.race([${firstFrame}, new Promise((_, no) => setTimeout(no, 60000, new Error("no frame")))])`);
    }
    await tab.goto(`${world.origin}/click${i}.html`, { waitUntil: "load" });
    if (PLAYERS[name].ready) await tab.waitForFunction(PLAYERS[name].ready);
    await throttle();
    return await tab.evaluate(`(async () => { const t = performance.now(); const frame = ${firstFrame}; { ${PLAYERS[name].click(world.origin)} } return (await Promise.race([frame, new Promise((_, no) => setTimeout(no, 60000, new Error("no frame")))])) - t })()`);
  } finally {
    await context.close();
  }
}

try {
  for (const way of ["click", "page"]) {
    for (const network of Object.keys(NETWORKS)) {
      const times = Object.fromEntries(names.map((name) => [name, []]));
      for (let round = 0; round < ROUNDS; round++) {
        for (const name of names) times[name].push(await once(name, network, way));
      }
      const medians = Object.fromEntries(names.map((name) => [name, median(times[name]) / 1000]));
      const { vitascope, ...peers } = medians;
      const best = Math.min(...Object.values(peers));
      report({
        measure: `first_frame${way === "page" ? "_page" : ""}${network === "cable" ? "_cable" : ""}`, ours: vitascope, peer: best, unit: "s", goal: 0.8,
        note: `${way}, ${network}, cold, median of ${ROUNDS}: ${Object.entries(medians).map(([name, s]) => `${name} ${s.toFixed(2)}`).join(", ")}`,
      });
    }
  }
} finally {
  await world.close();
}
