// kill -9 during an upload, a transcode and a stream of beacons; then a start. What
// was acknowledged is there, once, and what was begun is finished.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { API, until } from "../lib/api.mjs";
import { h264mp4 } from "../lib/media.mjs";
import { freePort, Server, tempDir } from "../lib/process.mjs";

/** Sends one view of two intervals; true once it was acknowledged. */
async function sendView(url, id) {
  const config = await (await fetch(`${url}/embed/medias/${id}/config.json`)).json();
  const now = Date.now();
  const batch = JSON.stringify({
    v: 1, token: config.view_token, seq: 0, sent_at_ms: now,
    page: { url: `https://example.com/${randomUUID()}`, referrer: "", language: "en", player_width: 640, player_height: 360 },
    events: [
      { k: "load", at_ms: now - 5000 },
      { k: "play", at_ms: now - 5000, pos_ms: 0, autoplay: false },
      { k: "watch", at_ms: now, from_ms: 0, to_ms: 2000, rate: 1, repeat: false },
    ],
  });
  const send = () => fetch(`${url}/beacons/v1`, {
    method: "POST", body: batch, headers: { "Content-Type": "text/plain", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36" },
  });
  return { viewID: config.view_id, send };
}

test("kill -9 loses nothing that was acknowledged", async (t) => {
  const dir = tempDir(t);
  const data = join(dir, "data");
  const port = await freePort();
  let server = await Server.start(t, { data, port });
  const api = API.ofDataFolder(server.url, data);
  const short = await h264mp4(dir, { seconds: 4, size: "320x180", name: "short.mp4" });
  const long = await h264mp4(dir, { seconds: 40, size: "854x480", name: "long.mp4" });

  const watched = await api.uploadFile(short);
  await api.waitFor(watched, ["ready"]);
  const transcoding = await api.uploadFile(long, "transcoding.mp4");
  await api.waitFor(transcoding, ["probing", "playable"]);

  const bytes = readFileSync(long);
  const { id: uploading, location } = await api.create(bytes.length, "uploading.mp4");
  const firstPart = Math.floor(bytes.length / 3) + 1;
  assert.equal((await api.patch(location, 0, bytes.subarray(0, firstPart))).status, 204);
  const cut = new AbortController();
  const cutPatch = api.patch(location, firstPart, slowly(bytes.subarray(firstPart), cut.signal)).catch(() => null);

  const acked = new Map(), unsure = [];
  let streaming = true;
  const stream = (async () => {
    while (streaming) {
      try {
        const view = await sendView(server.url, watched);
        try {
          const res = await view.send();
          if (res.status === 204) acked.set(view.viewID, view);
        } catch {
          unsure.push(view);
        }
      } catch {
        await sleep(20);
      }
    }
  })();
  await until("some acknowledged beacons", () => acked.size >= 20);
  assert.notEqual((await api.media(transcoding)).state, "ready", "the kill must hit a transcode in progress");

  await server.kill();
  streaming = false;
  cut.abort();
  await Promise.all([stream, cutPatch]);
  const before = acked.size;

  server = await Server.start(t, { data, port });
  // Browsers send again what they have no answer for: it must not count twice.
  for (const view of [...acked.values()].slice(0, 10)) assert.equal((await view.send()).status, 204);
  for (const view of unsure) assert.equal((await view.send()).status, 204);

  const offset = await api.offset(location);
  assert.ok(offset >= firstPart, `the upload resumes at ${offset}, ${firstPart} was acknowledged`);
  assert.equal((await api.patch(location, offset, bytes.subarray(offset))).status, 204);
  await api.waitFor(transcoding, ["ready"], { timeout: 600_000 });
  const media = await api.waitFor(uploading, ["ready"], { timeout: 600_000 });
  assert.ok(Math.abs(media.duration_seconds - 40) < 0.2);

  const expected = before + unsure.length;
  const stats = await until("all acknowledged views", async () => {
    const s = await api.call("GET", `/v1/stats/media/${watched}`);
    return s.plays >= expected ? s : null;
  }, { timeout: 180_000 });
  assert.equal(stats.plays, expected, "each view once");
  assert.equal(stats.loads, expected);
  const { engagement, rewatches } = await api.call("GET", `/v1/stats/media/${watched}/engagement`);
  assert.deepEqual(engagement, engagement.map((_, second) => (second < 2 ? expected : 0)));
  assert.deepEqual(rewatches, rewatches.map(() => 0));
  t.diagnostic(`${before} acknowledged views, ${unsure.length} without an answer, upload resumed at ${offset} of ${bytes.length}`);

  assert.equal(await server.stop(), 0, "SIGTERM ends it in order");
});

/** A body that arrives so slowly that the kill cuts it. */
function slowly(bytes, signal) {
  return new ReadableStream({
    async pull(controller) {
      await sleep(30);
      if (signal.aborted) return controller.error(signal.reason);
      controller.enqueue(bytes.subarray(0, 4096));
      bytes = bytes.subarray(4096);
      if (bytes.length === 0) controller.close();
    },
  });
}
