// Every common kind of source becomes playable HLS, the right way up; every broken
// one ends as failed, soon, with a reason, and harms nothing.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { API, until } from "../lib/api.mjs";
import { startBrowser } from "../lib/browser.mjs";
import { h264mp4, varied } from "../lib/media.mjs";
import { assertPlayed, hostPlayerPage, playThrough } from "../lib/playback.mjs";
import { freePort, run, Server, tempDir } from "../lib/process.mjs";

/** Decodes the published HLS with FFmpeg and returns what ffprobe sees in it. */
async function decodeHLS(url) {
  const { stderr } = await run("ffmpeg", ["-hide_banner", "-loglevel", "error", "-nostdin", "-i", url, "-f", "null", "-"]);
  assert.equal(stderr, "", "FFmpeg decodes the playlist without a word");
  const { stdout } = await run("ffprobe", ["-v", "error", "-show_entries", "stream=codec_name,codec_type,width,height,channels", "-of", "json", url]);
  return JSON.parse(stdout).streams;
}

/** The media processes under a process, and those that nobody waits for. */
function mediaProcesses(under) {
  const rows = spawnSync("ps", ["-eo", "pid=,ppid=,args="]).stdout.toString().trim().split("\n")
    .map((row) => row.trim().match(/^(\d+)\s+(\d+)\s+(.*)$/)).filter(Boolean);
  const byID = new Map(rows.map(([, pid, ppid, args]) => [pid, { ppid, media: args.includes("vitascope-media") }]));
  const starter = (pid) => (byID.get(pid)?.media ? starter(byID.get(pid).ppid) : pid);
  return [...byID].filter(([pid, { media }]) => media && ["1", String(under)].includes(starter(pid))).map(([pid]) => pid);
}

test("real sources become playable, broken ones fail with a reason", async (t) => {
  const dir = tempDir(t);
  const data = join(dir, "data");
  const server = await Server.start(t, { data, port: await freePort() });
  const api = API.ofDataFolder(server.url, data);

  // Set LONG_SOURCES to put all of the table through, not the sample of each run.
  const table = await varied(dir, Boolean(process.env.LONG_SOURCES));
  for (const source of table) source.id = await api.uploadFile(source.path);
  const browser = await startBrowser(t);
  const context = await browser.newContext();
  const pageURL = await hostPlayerPage(t);
  await t.test("each plays to its end", { concurrency: 3 }, async (t) => {
    await Promise.all(table.map((source) => t.test(source.name, async (t) => {
      const media = await api.waitFor(source.id, ["ready"], { timeout: 600_000 });
      assert.equal(media.has_audio, !source.silent);
      assert.equal(media.has_video, !source.audio_only);
      if (!source.audio_only) assert.deepEqual([media.width, media.height], [source.width, source.height], "displayed size");
      assert.ok(Math.abs(media.duration_seconds - source.lasts) < 0.15, `lasts ${media.duration_seconds} s`);
      const streams = await decodeHLS(media.hls_url);
      assert.equal(streams.some((s) => s.codec_name === "h264"), media.has_video);
      assert.equal(streams.some((s) => s.codec_name === "aac" && s.channels === 2), media.has_audio);
      const seen = await playThrough(context, pageURL, media.hls_url);
      if (seen.errors.length) t.diagnostic(`hls.js met ${seen.errors}`);
      assertPlayed(seen, source);
      const poster = await fetch(media.poster_url);
      assert.equal(poster.headers.get("content-type"), "image/jpeg");
    })));
  });

  const good = readFileSync(await h264mp4(dir, { seconds: 4, size: "320x180", name: "good.mp4" }));
  const jpeg = join(dir, "still.jpg");
  await run("ffmpeg", ["-loglevel", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x180", "-frames:v", "1", jpeg]);
  const zero = join(dir, "zero.mp4");
  await run("ffmpeg", ["-loglevel", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x180", "-t", "0", "-c:v", "libx264", zero]);
  writeFileSync(join(dir, "canary"), "secret");
  const bad = {
    "an empty file": ["empty.mp4", Buffer.alloc(0), "empty_file"],
    "a text file named .mp4": ["notes.mp4", Buffer.from("Dear diary, this is not a film.\n".repeat(50)), "unsupported_container"],
    "a truncated MP4": ["cut.mp4", truncated(good), "truncated_file"],
    "a JPEG": ["still.mp4", readFileSync(jpeg), "not_a_video"],
    "a 0-second clip": ["zero.mp4", readFileSync(zero), null],
    "a playlist renamed .mp4": ["list.mp4", Buffer.from(`#EXTM3U\n#EXTINF:1,\nfile://${dir}/canary\n#EXT-X-ENDLIST\n`), "unsupported_container"],
  };
  for (const [what, [name, bytes, code]] of Object.entries(bad)) {
    await t.test(what, async () => {
      const started = Date.now();
      const id = await api.upload(bytes, name);
      const media = await until("a final state", async () => {
        const m = await api.media(id);
        return ["failed", "ready"].includes(m.state) ? m : null;
      }, { timeout: 180_000 });
      assert.equal(media.state, "failed");
      if (code) assert.equal(media.failure.code, code);
      assert.match(media.failure.reason, /^[A-Z].{10,}\.$/, "a sentence for people");
      t.diagnostic(`${what}: ${media.failure.code} after ${Date.now() - started} ms: ${media.failure.reason}`);
    });
  }
  await until("no media process to be left", () => mediaProcesses(server.child.pid).length === 0, { timeout: 60_000 });
  assert.equal((await fetch(`${server.url}/readyz`)).status, 200, "the server is unharmed");
});

/** The first bytes of an MP4 whose index comes last: what a cut upload leaves. */
function truncated(faststart) {
  const moov = faststart.indexOf("moov") - 4;
  const end = moov + faststart.readUInt32BE(moov);
  const indexLast = Buffer.concat([faststart.subarray(0, moov), faststart.subarray(end)]);
  return indexLast.subarray(0, Math.floor(indexLast.length / 2));
}
