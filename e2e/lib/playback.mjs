// Playing a published presentation in a real browser with hls.js, on a page of
// another origin, as a viewer would: start, switch, seek, to the end.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import { createRequire } from "node:module";

const script = createRequire(import.meta.url).resolve("hls.js/dist/hls.min.js");

/** An origin with nothing but hls.js on a page. */
export async function hostPlayerPage(t) {
  const code = await readFile(script);
  const server = createServer((req, res) => {
    if (req.url === "/hls.js") return res.writeHead(200, { "Content-Type": "text/javascript" }).end(code);
    res.writeHead(200, { "Content-Type": "text/html" }).end('<!doctype html><title>play</title><link rel="icon" href="data:,"><script src="/hls.js"></script><video></video>');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return `http://localhost:${server.address().port}/`;
}

/**
 * Plays url to its end: from the first level, over a forced switch to the last one,
 * and a seek back. Returns what the browser saw of it.
 */
export async function playThrough(context, pageURL, url) {
  const page = await context.newPage();
  try {
    await page.goto(pageURL);
    return await page.evaluate(inPage, url);
  } finally {
    await page.close();
  }
}

/* global Hls, document */
async function inPage(url) {
  const video = document.querySelector("video");
  const hls = new Hls({ startLevel: 0 });
  const seen = { errors: [], switched: false };
  let fail;
  const failed = new Promise((_, reject) => (fail = reject));
  hls.on(Hls.Events.ERROR, (_, data) => {
    seen.errors.push(data.details);
    if (data.fatal) fail(new Error(`fatal: ${data.details} ${data.error?.message ?? ""} ${data.reason ?? ""}`));
  });
  const within = (what, promise) => {
    let timer;
    const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`${what} did not come; at ${video.currentTime} of ${video.duration}, ${JSON.stringify(seen)}`)), 180_000)));
    return Promise.race([promise, failed, late]).finally(() => clearTimeout(timer));
  };
  const event = (what, emitter = video) => new Promise((resolve) => emitter.addEventListener(what, resolve, { once: true }));
  const reach = async (time) => {
    while (video.currentTime < time && !video.ended) await new Promise((r) => setTimeout(r, 20));
  };
  const parsed = new Promise((resolve) => hls.once(Hls.Events.MANIFEST_PARSED, resolve));
  hls.loadSource(url);
  hls.attachMedia(video);
  await within("the manifest", parsed);
  seen.levels = hls.levels.map((l) => `${l.width}x${l.height}`);
  seen.audioTracks = hls.audioTracks.length;
  hls.currentLevel = 0;
  video.playbackRate = 2;
  await within("the start of playback", video.play());
  await within("a second", reach(1));
  const audioDecoded = () => video.webkitAudioDecodedByteCount;
  if (hls.levels.length > 1) {
    const to = hls.levels.length - 1;
    const switched = new Promise((resolve) => hls.on(Hls.Events.LEVEL_SWITCHED, (_, data) => data.level === to && resolve()));
    hls.currentLevel = to;
    await within("the switch", switched);
    const before = audioDecoded();
    await within("a second after the switch", reach(video.currentTime + 1));
    seen.switched = true;
    seen.audioAfterSwitch = audioDecoded() - before;
    seen.size = [video.videoWidth, video.videoHeight];
  }
  await within("the middle", reach(video.duration * 0.6));
  const sought = event("seeked");
  const before = audioDecoded();
  video.currentTime = video.duration * 0.35;
  await within("the seek", sought);
  if (video.paused) await within("the start after the seek", video.play()); // a short one has ended before
  await within("the end", video.ended ? null : event("ended"));
  seen.audioAfterSeek = audioDecoded() - before;
  seen.videoDecoded = video.webkitVideoDecodedByteCount;
  seen.frames = video.getVideoPlaybackQuality().totalVideoFrames;
  seen.duration = video.duration;
  seen.endedAt = video.currentTime;
  hls.destroy();
  return seen;
}

/** Checks what was seen of a source against what its line in the table says. */
export function assertPlayed(seen, source) {
  const told = JSON.stringify(seen);
  assert.ok(Math.abs(seen.duration - source.lasts) < 0.15, `lasts ${source.lasts} s: ${told}`);
  assert.ok(seen.duration - seen.endedAt < 0.1, `played to the end: ${told}`);
  assert.ok(!seen.errors.includes("bufferSeekOverHole"), `rungs and segments meet: ${told}`);
  if (!source.audio_only) assert.ok(seen.frames > 20 && seen.videoDecoded > 1000, `pictures were decoded: ${told}`);
  if (!source.silent) assert.ok(seen.audioAfterSeek > 1000, `sound was decoded after the seek: ${told}`);
  if (seen.levels.length > 1) {
    assert.ok(seen.switched, told);
    if (!source.silent) assert.ok(seen.audioAfterSwitch > 500, `sound was decoded after the switch: ${told}`);
    assert.ok(Math.abs(seen.size[0] / seen.size[1] - source.width / source.height) < 0.03, `shown as ${source.width}x${source.height}: ${told}`);
  }
}
