import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";

import { API } from "../lib/api.mjs";
import { startBrowser } from "../lib/browser.mjs";
import { h264mp4 } from "../lib/media.mjs";
import { freePort, Server, tempDir } from "../lib/process.mjs";
import { story } from "../lib/scenario.mjs";

test("from upload to heatmap on one machine", async (t) => {
  const dir = tempDir(t);
  const data = join(dir, "data");
  const [file, server, browser] = await Promise.all([
    h264mp4(dir, { seconds: 30 }),
    Server.start(t, { data, port: await freePort() }),
    startBrowser(t),
  ]);
  const api = API.ofDataFolder(server.url, data);
  const id = await story(t, { browser, loginURL: server.loginURL, api, file, shots: process.env.SHOTS });

  const media = await api.waitFor(id, ["ready"]);
  const seconds = media.playable_seconds_after_upload;
  t.diagnostic(`playable ${seconds} s after the last byte, ready after ${media.ready_seconds_after_upload} s`);
  assert.ok(seconds < media.ready_seconds_after_upload / 4, `an H.264 source plays at once, not after ${seconds} s`);
});
