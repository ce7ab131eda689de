// A video with its index in front is watched in a real browser while its upload goes
// on, and to its end when that has ended, on the same page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { API, until } from "../lib/api.mjs";
import { findVideo, openPage, startBrowser } from "../lib/browser.mjs";
import { h264mp4 } from "../lib/media.mjs";
import { freePort, Server, tempDir } from "../lib/process.mjs";

test("a video plays while it is uploaded, over a kill -9 of the server", async (t) => {
  const dir = tempDir(t);
  const data = join(dir, "data");
  const port = await freePort();
  const [file, server, browser] = await Promise.all([
    h264mp4(dir, { seconds: 40 }),
    Server.start(t, { data, port }),
    startBrowser(t),
  ]);
  const bytes = readFileSync(file);
  const api = API.ofDataFolder(server.url, data);
  const { id, location } = await api.create(bytes.length, "clip.mp4");

  // Half of the file comes, and then nothing: the request stays open.
  const stalled = (from, to) => new ReadableStream({ start: (c) => c.enqueue(bytes.subarray(from, to)) });
  const half = Math.floor(bytes.length / 2);
  const cut = api.patch(location, 0, stalled(0, half)).catch(() => null);
  const m = await api.waitFor(id, ["playable"]);
  assert.equal(m.uploaded_at, null, "the upload has not ended");
  assert.ok(Math.abs(m.duration_seconds - 40) < 0.2, `the length of the whole: ${m.duration_seconds}`);

  const page = await openPage(await browser.newContext());
  await page.goto(m.watch_url);
  await page.getByRole("button", { name: /^Play/ }).first().click();
  const at = () => page.evaluate(`(() => { const v = ${findVideo}; return v ? { time: v.currentTime, duration: v.duration, ended: v.ended, frames: v.getVideoPlaybackQuality().totalVideoFrames, audio: v.webkitAudioDecodedByteCount } : null; })()`);
  const early = await until("four seconds of playback", async () => {
    const v = await at();
    return v?.time > 4 && v;
  });
  assert.ok(early.frames > 30 && early.audio > 5000, `pictures and sound: ${JSON.stringify(early)}`);
  assert.equal((await api.media(id)).uploaded_at, null, "still no last byte");

  await server.kill();
  await cut;
  await Server.start(t, { data, port });
  const offset = await api.offset(location);
  assert.ok(offset > bytes.length / 4 && offset <= half, `what was readable counts: ${offset} of ${half}`);
  assert.equal((await api.patch(location, offset, bytes.subarray(offset))).status, 204);
  const late = await until("the end, without a reload", async () => {
    const v = await at();
    return v.ended && v;
  });
  t.diagnostic(`${JSON.stringify(early)} while it was uploaded, ${JSON.stringify(late)} in the end`);
  assert.ok(late.time > 39.5, `to the end of the file: ${JSON.stringify(late)}`);
  const ready = await api.waitFor(id, ["ready"]);
  assert.ok(ready.playable_seconds_after_upload < 0, `playable ${ready.playable_seconds_after_upload} s after the last byte`);
});
