// The product's one story, told the same way to standalone and to a cluster: log
// in, upload through the page, wait until it plays, watch it on another site's
// page (rewatching a part, skipping ahead, closing the tab), and find in the
// heatmap what was watched.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import { until } from "./api.mjs";
import { findVideo, hostSite, openPage } from "./browser.mjs";
import { assertStrip, expand } from "./truth.mjs";

/** Uploads the file through the dashboard and returns the media's id once it plays. */
export async function uploadThroughPage(page, loginURL, file) {
  await page.goto(loginURL);
  await page.getByTestId("empty-library").or(page.getByTestId("media-card").first()).waitFor();
  await page.getByTestId("upload-input").setInputFiles(file);
  const card = page.getByTestId("media-card").first();
  await card.waitFor();
  const id = await card.getAttribute("data-media-id");
  await page.locator(`[data-testid=media-card][data-media-id="${id}"]:is([data-state=playable],[data-state=ready])`).waitFor({ timeout: 180_000 });
  return id;
}

const evaluate = (page, body) => page.evaluate(`(async () => { const v = ${findVideo}; ${body} })()`);

/** Waits until the video has played to `to`, and returns where it is exactly. */
async function playUntil(page, to) {
  return evaluate(page, `
    while (v.currentTime < ${to}) {
      if (v.error) throw new Error("media error " + v.error.code + " " + v.error.message);
      await new Promise((r) => setTimeout(r, 20));
    }
    return v.currentTime;`);
}

/** Jumps, and returns where the playhead left from and where it arrived. */
async function seek(page, to) {
  return evaluate(page, `
    const from = v.currentTime;
    const done = new Promise((r) => v.addEventListener("seeked", r, { once: true }));
    v.currentTime = ${to};
    await done;
    return [from, v.currentTime];`);
}

/**
 * Watches 0 to about 6 s, again from 2 to about 8 s, then from 20 to about 24 s, and
 * closes the tab. Returns what was watched, in seconds, as the script saw it.
 */
export async function watch(t, context, embedCode) {
  const page = await openPage(context);
  const site = await hostSite(t, embedCode);
  await page.goto(site.url);
  const button = page.getByRole("button", { name: /^Play/ }).first();
  await button.click();
  await until("a video element that plays", () => evaluate(page, "return v && !v.paused && v.currentTime > 0;"));
  const intervals = [];
  await playUntil(page, 6);
  let [left, at] = await seek(page, 2);
  intervals.push([0, left]);
  await playUntil(page, 8);
  let start = at;
  [left, at] = await seek(page, 20);
  intervals.push([start, left]);
  start = at;
  await playUntil(page, 24);
  const decoded = await evaluate(page, "return { audio: v.webkitAudioDecodedByteCount, video: v.webkitVideoDecodedByteCount, frames: v.getVideoPlaybackQuality().totalVideoFrames };");
  // It plays on between the two events of a tab that closes, on a busy machine for long.
  await evaluate(page, `
    const tell = (what) => navigator.sendBeacon("/left", what + " " + v.currentTime);
    setInterval(tell, 20, "now");
    addEventListener("pagehide", () => tell("last"));
    document.addEventListener("visibilitychange", () => tell("last"));`);
  const problems = page.problems;
  await page.close({ runBeforeUnload: true });
  intervals.push([start, await site.left()]);
  assert.ok(decoded.audio > 10_000, `audio was decoded: ${JSON.stringify(decoded)}`);
  assert.ok(decoded.video > 10_000 && decoded.frames > 100, `video was decoded: ${JSON.stringify(decoded)}`);
  assert.deepEqual(problems, [], "no errors on the host page");
  return intervals;
}

/** Tells the whole story and returns the media's id. */
export async function story(t, { browser, loginURL, api, watchAPI = api, file, shots }) {
  const context = await browser.newContext();
  const dashboard = await openPage(context);
  const id = await uploadThroughPage(dashboard, loginURL, file);
  await dashboard.goto(new URL(`/#/media/${id}`, dashboard.url()).href);
  const code = await until("the embed code", () => dashboard.getByTestId("embed-code").inputValue());
  assert.match(code, new RegExp(`media-id="${id}"`));

  const viewer = await browser.newContext();
  const intervals = await watch(t, viewer, code);
  await viewer.close();

  // The dashboard page has stayed open: it must show the view by itself.
  const row = dashboard.getByTestId("view-row").first();
  await row.waitFor({ timeout: 180_000 });
  const watched = union(intervals).reduce((sum, [a, b]) => sum + b - a, 0);
  const view = await until("the whole view in the figures", async () => {
    const { items } = await watchAPI.call("GET", `/v1/stats/media/${id}/views`);
    assert.equal(items.length, 1, "one view");
    return items[0].watched_seconds > watched - 1.5 ? items[0] : null;
  }, { timeout: 180_000 });
  assertStrip(expand(view.strip), intervals, "strip of the API");
  await until("the same strip on the page", async () => {
    const { items } = await watchAPI.call("GET", `/v1/stats/media/${id}/views`); // the last beacon may have come since
    return JSON.stringify(JSON.parse(await row.getAttribute("data-strip"))) === JSON.stringify(items[0].strip);
  }, { timeout: 180_000 });
  assert.ok(view.watched_seconds <= watched + 0.05, `watched ${view.watched_seconds} s, truth ${watched} s`);

  const stats = await watchAPI.call("GET", `/v1/stats/media/${id}`);
  assert.equal(stats.loads, 1);
  assert.equal(stats.plays, 1);
  assert.equal(stats.play_rate, 1);
  const media = await api.media(id);
  assert.ok(Math.abs(stats.average_engagement - watched / media.duration_seconds) < 0.05, `engagement ${stats.average_engagement}`);
  const engagement = await watchAPI.call("GET", `/v1/stats/media/${id}/engagement`);
  assertStrip(engagement.engagement, union(intervals), "engagement");
  assert.equal(dashboard.problems.length, 0, `dashboard: ${dashboard.problems}`);
  // Opened anew, the page must show it all at once, whatever order answers come in.
  await dashboard.reload();
  await row.waitFor({ timeout: 180_000 });
  if (shots) {
    await sleep(500);
    await dashboard.screenshot({ path: shots, fullPage: true });
  }
  await context.close();
  return id;
}

/** The union of intervals, as disjoint intervals in order. */
export function union(intervals) {
  const out = [];
  for (const [a, b] of [...intervals].sort((x, y) => x[0] - y[0])) {
    const last = out.at(-1);
    if (last && a <= last[1]) last[1] = Math.max(last[1], b);
    else out.push([a, b]);
  }
  return out;
}
