// What the player benches share: one HLS asset, a server for it, for our built
// player and for the peers' from npm, all with the same headers and the same
// brotli; a Chromium; and one JSON line per measure.
import { execFile } from "node:child_process";
import { appendFileSync, existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompressSync, constants } from "node:zlib";
import { chromium } from "playwright-core";

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL("../../../", import.meta.url));
const dist = join(root, "player/web/dist");

/** Rungs as the product's ladder has them. */
const RUNGS = [
  { name: "v360", size: "640x360", bps: 700_000 },
  { name: "v720", size: "1280x720", bps: 2_400_000 },
];
const SECONDS = 30;
/** As our packager writes them: segments of 6 s, in fragments of 2 s. */
const FRAGMENT = 2;
const FRAGMENTS = 3;

const types = {
  ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".html": "text/html; charset=utf-8",
  ".m3u8": "application/vnd.apple.mpegurl", ".mp4": "video/mp4", ".m4s": "video/mp4", ".jpg": "image/jpeg", ".vtt": "text/vtt", ".json": "application/json",
};
const squeezed = new Set([".js", ".mjs", ".css", ".html", ".m3u8", ".vtt", ".json"]);

/** The peers' files, as npm has them. */
const PEERS = {
  "/peer/hls.js": require.resolve("hls.js/dist/hls.min.js"),
  "/peer/video.js": join(dirname(require.resolve("video.js/package.json")), "dist/video.min.js"),
  "/peer/video.css": join(dirname(require.resolve("video.js/package.json")), "dist/video-js.min.css"),
  "/peer/mux.js": join(dirname(require.resolve("@mux/mux-player")), "mux-player.js"),
  "/peer/lite.js": join(dirname(require.resolve("lite-youtube-embed/package.json")), "src/lite-yt-embed.js"),
  "/peer/lite.css": join(dirname(require.resolve("lite-youtube-embed/package.json")), "src/lite-yt-embed.css"),
};

async function makeHLS(dir) {
  const streams = ["a:0,agroup:aud,default:yes", ...RUNGS.map((_, i) => `v:${i},agroup:aud`)].join(" ");
  const rungs = RUNGS.flatMap(({ size, bps }, i) => [
    `-s:v:${i}`, size, `-b:v:${i}`, String(bps), `-maxrate:v:${i}`, String(Math.round(bps * 1.15)), `-bufsize:v:${i}`, String(bps),
  ]);
  await run("ffmpeg", [
    "-v", "error", "-f", "lavfi", "-i", `mandelbrot=s=1280x720:r=30`, "-f", "lavfi", "-i", `sine=f=440:d=${SECONDS}`, "-t", String(SECONDS),
    "-map", "1:a", ...RUNGS.flatMap(() => ["-map", "0:v"]), "-c:a", "aac", "-b:a", "128k", "-ac", "2",
    "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "60", "-keyint_min", "60", "-sc_threshold", "0", ...rungs,
    "-f", "hls", "-hls_time", String(FRAGMENT), "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4", "-hls_flags", "independent_segments",
    "-hls_segment_filename", join(dir, "v%v_%d.m4s"), "-hls_fmp4_init_filename", "init_%v.mp4",
    "-master_pl_name", "multivariant.m3u8", "-var_stream_map", streams, join(dir, "v%v.m3u8"),
  ]);
  for (let v = 0; v <= RUNGS.length; v++) await join3(dir, `v${v}`);
}

const makePoster = (dir) => run("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "mandelbrot=s=1280x720", "-frames:v", "1", "-q:v", "6", join(dir, "poster.jpg")]);

// The media is made once for a folder that BENCH_MEDIA names, else each time.
async function media(dir, withVideo) {
  await mkdir(dir, { recursive: true });
  if (!existsSync(join(dir, "poster.jpg"))) await makePoster(dir);
  if (!withVideo) return "";
  if (!existsSync(join(dir, "multivariant.m3u8"))) await makeHLS(dir);
  return readFile(join(dir, "multivariant.m3u8"), "utf8");
}

// Joins each three of a rendition's fragments to one segment, and its playlist.
async function join3(dir, v) {
  const list = await readFile(join(dir, `${v}.m3u8`), "utf8");
  const durations = [...list.matchAll(/#EXTINF:([\d.]+)/g)].map(([, s]) => Number(s));
  let text = list.slice(0, list.indexOf("#EXTINF")).replace(/TARGETDURATION:\d+/, `TARGETDURATION:${FRAGMENT * FRAGMENTS}`);
  for (let n = 0; n * FRAGMENTS < durations.length; n++) {
    const part = durations.slice(n * FRAGMENTS, (n + 1) * FRAGMENTS);
    const files = await Promise.all(part.map((_, i) => readFile(join(dir, `${v}_${n * FRAGMENTS + i}.m4s`))));
    await writeFile(join(dir, `${v}s${n}.m4s`), Buffer.concat(files));
    text += `#EXTINF:${part.reduce((a, b) => a + b, 0).toFixed(3)},\n${v}s${n}.m4s\n`;
  }
  await writeFile(join(dir, `${v}.m3u8`), `${text}#EXT-X-ENDLIST\n`);
}

// What our server puts into its config: the files each rung starts with.
function start(origin, multivariant) {
  const url = (name) => `${origin}/hls/${name}`;
  const bandwidths = [...multivariant.matchAll(/#EXT-X-STREAM-INF:.*?BANDWIDTH=(\d+).*\n(.*)/g)];
  const files = (v) => [`${v}.m3u8`, `init_${v.slice(1)}.mp4`, `${v}s0.m4s`];
  return bandwidths
    .map(([, bps, playlist]) => ({ bitrate: Number(bps), v: playlist.trim().replace(".m3u8", "") }))
    .toSorted((a, b) => b.bitrate - a.bitrate)
    .map(({ bitrate, v }, i, all) => {
      const [list, init, first] = files(v);
      const [sound, soundInit, soundFirst] = files("v0");
      // The lowest is for every connection.
      return { bitrate: i < all.length - 1 ? bitrate : 0, urls: ["multivariant.m3u8", list, sound, init, soundInit, first, soundFirst].map(url) };
    });
}

/** Starts everything; pages maps paths to HTML, made from the origin. */
export async function startWorld(pages, { video = true } = {}) {
  const kept = process.env.BENCH_MEDIA;
  const dir = kept ?? (await mkdtemp(join(tmpdir(), "vitascope-bench-player-")));
  const multivariant = await media(dir, video);
  const cache = new Map();
  let origin;
  const body = async (path) => {
    if (pages[path]) return [pages[path](origin), ".html"];
    if (path.endsWith("/poster.jpg")) return [await readFile(join(dir, "poster.jpg")), ".jpg"];
    if (path === "/embed/medias.json") return [JSON.stringify({ configs: Array.from({ length: 10 }, config) }), ".json"];
    if (path.startsWith("/embed/medias/")) return [JSON.stringify(config()), ".json"];
    if (PEERS[path]) return [await readFile(PEERS[path]), extname(path)];
    if (path.startsWith("/hls/")) return [await readFile(join(dir, path.split("/").pop())), extname(path)];
    return [await readFile(join(dist, path.replace("/assets/player/", "assets/"))), extname(path)];
  };
  const config = () => ({
    media_id: "bench00001", name: "Bench", state: "ready", duration_seconds: SECONDS, width: 1280, height: 720, has_video: true, has_audio: true,
    poster_url: `${origin}/hls/poster.jpg`, storyboard_url: "", hls_url: `${origin}/hls/multivariant.m3u8`, beacon_url: `${origin}/beacons/v1`,
    view_token: "t", view_id: "v", start: start(origin, multivariant),
  });
  const server = createServer(async (req, res) => {
    const path = normalize(new URL(req.url, "http://x").pathname);
    res.setHeader("Access-Control-Allow-Origin", "*");
    res.setHeader("Timing-Allow-Origin", "*");
    if (req.method === "POST") return res.writeHead(204).end();
    try {
      if (!cache.has(path)) {
        const [bytes, type] = await body(path);
        const raw = Buffer.from(bytes);
        const small = squeezed.has(type) ? brotliCompressSync(raw, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }) : null;
        cache.set(path, { raw, small, type });
      }
      const { raw, small, type } = cache.get(path);
      res.setHeader("Content-Type", types[type] ?? "application/octet-stream");
      res.setHeader("Cache-Control", /(config|medias)\.json$/.test(path) ? "no-store" : "public, max-age=600");
      if (small) res.setHeader("Content-Encoding", "br");
      return res.end(small ?? raw);
    } catch {
      return res.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  origin = `http://127.0.0.1:${server.address().port}`;
  // Compressed once, before anything is timed.
  const assets = (await readdir(join(dist, "assets"))).filter((name) => /\.(js|css)$/.test(name)).map((name) => `/assets/player/${name}`);
  for (const path of ["/player.js", ...assets, ...Object.keys(PEERS)]) await fetch(origin + path);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
      // Nothing here speaks to anybody else.
      "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    ],
  });
  return {
    origin, browser,
    async close() {
      await browser.close();
      server.closeAllConnections();
      server.close();
      if (!kept) await rm(dir, { recursive: true });
    },
  };
}

/** Prints and keeps one measure. A ratio of at most goal is ok. */
export function report({ measure, ours, peer, unit, goal, note }) {
  const round = (x) => Math.round(x * 10_000) / 10_000;
  const ratio = peer ? ours / peer : 0;
  const line = JSON.stringify({ measure, ours: round(ours), peer: round(peer), unit, ratio: round(ratio), ...(goal && { goal, ok: ratio <= goal }), note });
  console.log(line);
  appendFileSync(join(root, "bench.jsonl"), `${line}\n`);
}

export const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
