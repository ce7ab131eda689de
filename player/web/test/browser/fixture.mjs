// A stand-in for the server: the built player, one real video as demuxed CMAF
// HLS, embed configs in every state, and a collector that keeps what it gets.
// A second origin serves the pages that embed it.
import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

const run = promisify(execFile);
const dist = fileURLToPath(new URL("../../dist/", import.meta.url));

const types = {
  ".js": "text/javascript", ".css": "text/css", ".m3u8": "application/vnd.apple.mpegurl",
  ".mp4": "video/mp4", ".m4s": "video/mp4", ".vtt": "text/vtt", ".jpg": "image/jpeg",
};

/** Encodes a clip of a few seconds with a counter and a tone into dir/hls. */
export async function makeHLS(dir, seconds = 30) {
  const gop = ["-g", "50", "-keyint_min", "50", "-sc_threshold", "0"];
  const packaging = [
    "-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4",
    "-hls_flags", "independent_segments", "-hls_segment_filename", join(dir, "v%v_%d.m4s"),
    "-hls_fmp4_init_filename", "init_%v.mp4", "-master_pl_name", "multivariant.m3u8",
    "-var_stream_map", "a:0,agroup:aud,default:yes v:0,agroup:aud v:1,agroup:aud",
  ];
  await run("ffmpeg", [
    "-v", "error", "-f", "lavfi", "-i", `testsrc2=s=1280x720:r=25:d=${seconds}`,
    "-f", "lavfi", "-i", `sine=f=440:d=${seconds}`,
    "-map", "1:a", "-map", "0:v", "-map", "0:v", "-c:a", "aac", "-b:a", "96k", "-ac", "2",
    "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", ...gop,
    "-s:v:0", "640x360", "-b:v:0", "500k", "-s:v:1", "1280x720", "-b:v:1", "1500k",
    ...packaging, join(dir, "v%v.m3u8"),
  ]);
  await run("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=1280x720:d=1", "-frames:v", "1", join(dir, "poster.jpg")]);
  await run("ffmpeg", [
    "-v", "error", "-f", "lavfi", "-i", `testsrc2=s=160x90:r=1:d=${seconds}`, "-vf", "fps=1/3,tile=10x1",
    "-frames:v", "1", join(dir, "storyboard.jpg"),
  ]);
}

const stamp = (s) => `00:00:${String(s).padStart(2, "0")}.000`;

function storyboard(seconds) {
  let vtt = "WEBVTT\n";
  for (let i = 0; i * 3 < seconds; i++) {
    vtt += `\n${stamp(i * 3)} --> ${stamp(Math.min(seconds, i * 3 + 3))}\nstoryboard.jpg#xywh=${i * 160},0,160,90\n`;
  }
  return vtt;
}

// The same video with captions in two languages, as WebVTT renditions.
async function captioned(dir, path, seconds, res) {
  const name = path.split("/").pop();
  res.setHeader("Content-Type", types[extname(name)] ?? "text/plain");
  if (name === "multivariant.m3u8") {
    const media = ["English", "Deutsch"].map((language, i) =>
      `#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="${language}",LANGUAGE="${["en", "de"][i]}",DEFAULT=NO,AUTOSELECT=YES,URI="subs_${i}.m3u8"`);
    const text = await readFile(join(dir, name), "utf8");
    return res.end(text.replaceAll(/(#EXT-X-STREAM-INF:.*)/g, '$1,SUBTITLES="subs"').replace("#EXTM3U", ["#EXTM3U", ...media].join("\n")));
  }
  if (name.startsWith("subs_") && name.endsWith(".m3u8")) {
    return res.end(`#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:${seconds}\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:${seconds},\n${name.replace("m3u8", "vtt")}\n#EXT-X-ENDLIST\n`);
  }
  if (name.startsWith("subs_")) {
    return res.end(`WEBVTT\n\n00:00:00.000 --> ${stamp(seconds)}\n${name.includes("0") ? "Hello, and welcome" : "Hallo und willkommen"}\n`);
  }
  return res.end(await readFile(join(dir, name)));
}

// The same video with sound in two languages, which is the same sound.
async function spoken(dir, res) {
  const text = await readFile(join(dir, "multivariant.m3u8"), "utf8");
  res.setHeader("Content-Type", types[".m3u8"]);
  return res.end(text.replace(/^#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="([^"]*)".*URI="([^"]*)".*$/m, (_, group, uri) =>
    [["English", "en", "YES", ""], ["Deutsch", "de", "NO", "?de"]].map(([name, language, by, query]) =>
      `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="${group}",NAME="${name}",LANGUAGE="${language}",DEFAULT=${by},AUTOSELECT=YES,CHANNELS="2",URI="${uri}${query}"`).join("\n")));
}

async function listen(handler) {
  const server = createServer(handler);
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { server, origin: `http://127.0.0.1:${server.address().port}` };
}

/** Starts both origins and a browser; fresh() forgets what a test has set and sent, close() ends them all. */
export async function start({ seconds = 30 } = {}) {
  const dir = await mkdtemp(join(tmpdir(), "vitascope-player-"));
  await makeHLS(dir, seconds);
  const world = { test: 0 };
  const fresh = () => Object.assign(world, {
    bodies: [], refused: [], leads: [], refuse: 0, media: {}, pages: {}, headers: {}, missing: "", requests: [], asked: [], test: world.test + 1,
  });
  fresh();

  const ours = await listen(async (req, res) => {
    let path = normalize(new URL(req.url, "http://x").pathname);
    // What a page of an earlier test has left with the browser may come at any time.
    const [word, test] = /^\/test(\d+)(?=\/)/.exec(path) ?? [""];
    if (word && Number(test) !== world.test) return res.writeHead(204, { "Access-Control-Allow-Origin": "*" }).end();
    path = path.slice(word.length);
    world.requests.push(path);
    res.setHeader("Access-Control-Allow-Origin", "*");
    if (path === "/beacons/v1") return collect(world, req, res);
    if (path === "/embed/medias.json") return configs(world, ours.origin, new URL(req.url, "http://x").searchParams.get("ids").split(","), seconds, res);
    if (path === "/leads") return lead(world, req, res);
    if (path.startsWith("/embed/medias/") && path.endsWith("/poster.jpg")) return poster(world, dir, path.split("/")[3], req, res);
    if (path.startsWith("/embed/medias/")) return config(world, ours.origin, path.split("/")[3], seconds, req, res);
    if (world.pages[path]) return page(world, path, res);
    if (path.endsWith("/storyboard.vtt")) return res.setHeader("Content-Type", "text/vtt").end(storyboard(seconds));
    if (world.missing && path.endsWith(world.missing)) return res.writeHead(404).end();
    if (path.endsWith("/spoken/multivariant.m3u8")) return spoken(dir, res);
    if (path.includes("/captioned/")) return captioned(dir, path, seconds, res);
    const file = path.startsWith("/hls/") ? join(dir, path.split("/").pop())
      : join(dist, path.replace("/assets/player/", "assets/"));
    return send(file, req, res);
  });
  const theirs = await listen((req, res) => page(world, new URL(req.url, "http://x").pathname, res));

  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    timeout: LONG,
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--autoplay-policy=no-user-gesture-required",
    ],
  });
  return {
    world, browser, ours: ours.origin, theirs: theirs.origin, fresh,
    events: () => world.bodies.flatMap((b) => b.events),
    async close() {
      await browser.close();
      for (const { server } of [ours, theirs]) {
        server.closeAllConnections();
        server.close();
      }
      await rm(dir, { recursive: true });
    },
  };
}

function page(world, path, res) {
  if (!world.pages[path]) return res.writeHead(404).end();
  if (path.endsWith(".css")) return res.setHeader("Content-Type", "text/css").end(world.pages[path]);
  if (path.endsWith(".js")) return res.setHeader("Content-Type", "text/javascript").end(world.pages[path]);
  for (const [name, value] of Object.entries(world.headers)) res.setHeader(name, value);
  res.setHeader("Content-Type", "text/html; charset=utf-8");
  return res.end(world.pages[path].replace("<meta charset=utf-8>", '$&<link rel=icon href="data:,">'));
}

async function collect(world, req, res) {
  let body = "";
  for await (const part of req) body += part;
  if (world.refuse > 0) {
    world.refuse--;
    world.refused.push(body);
    return res.writeHead(503, { "Retry-After": "1" }).end();
  }
  for (const batch of [JSON.parse(body)].flat()) world.bodies.push({ ...batch, raw: body, type: req.headers["content-type"] });
  return res.writeHead(204).end();
}

async function text(req) {
  let body = "";
  for await (const part of req) body += part;
  return body;
}

async function lead(world, req, res) {
  world.leads.push(JSON.parse(await text(req)));
  return res.writeHead(204).end();
}

// As the server does: nothing for what has none, or is not for everybody.
async function poster(world, dir, id, req, res) {
  const media = world.media[id];
  if (!media) return res.writeHead(404).end();
  if (media.password || media.poster_url === "" || media.hls_url === "") return res.writeHead(204).end();
  return send(join(dir, "poster.jpg"), req, res);
}

async function config(world, origin, id, seconds, req, res) {
  world.asked.push(id);
  const { password, ...media } = world.media[id] ?? {};
  if (!world.media[id]) return res.writeHead(404).end();
  const given = req.method === "POST" ? JSON.parse(await text(req)).password : undefined;
  if (password && given !== password) {
    const type = `/problems/password-${given === undefined ? "required" : "wrong"}`;
    return res.writeHead(401, { "Content-Type": "application/problem+json" }).end(JSON.stringify({ type, status: 401 }));
  }
  return res.setHeader("Content-Type", "application/json").end(JSON.stringify(known(world, origin, id, seconds, media)));
}

// As the server does: null for what is not for everybody.
function configs(world, origin, ids, seconds, res) {
  world.asked.push(...ids);
  const all = ids.map((id) => (world.media[id] && !world.media[id].password ? known(world, origin, id, seconds, world.media[id]) : null));
  return res.setHeader("Content-Type", "application/json").end(JSON.stringify({ configs: all }));
}

function known(world, origin, id, seconds, media) {
  return {
    media_id: id, name: "Counter & tone", state: "ready", duration_seconds: seconds, width: 1280, height: 720,
    has_video: true, has_audio: true, poster_url: `${origin}/hls/${id}/poster.jpg`,
    storyboard_url: `${origin}/hls/${id}/storyboard.vtt`, hls_url: `${origin}/hls/${id}/multivariant.m3u8`,
    beacon_url: `${origin}/test${world.test}/beacons/v1`, view_token: `token-${id}`, view_id: `view-${id}`, ...media,
  };
}

async function send(file, req, res) {
  const found = await stat(file).catch(() => null);
  if (!found?.isFile()) return res.writeHead(404).end();
  res.setHeader("Content-Type", types[extname(file)] ?? "application/octet-stream");
  const range = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? "");
  if (!range) return res.end(await readFile(file));
  const [from, to] = [Number(range[1]), range[2] ? Number(range[2]) : found.size - 1];
  res.writeHead(206, { "Content-Range": `bytes ${from}-${to}/${found.size}` });
  return createReadStream(file, { start: from, end: to }).pipe(res);
}

/** How long anything may take on a machine that does much else. */
export const LONG = 120_000;

/** A page of a browser context of its own, on which nothing is given up before LONG. */
export async function openPage(browser, options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(LONG);
  return context.newPage();
}

/** Polls until check gives something, or fails after ms. */
export async function until(check, what, ms = LONG) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`gave up waiting for ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
