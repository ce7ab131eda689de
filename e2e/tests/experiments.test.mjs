// A/B tests as viewers meet them: three at once on one page, of the video, the poster and
// the call to action. Each viewer keeps the arm, the arm is what is on the screen, beacons
// carry it, and the reports count what is counted here beside them.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import test from "node:test";

import { API, dayLasts, until } from "../lib/api.mjs";
import { assertAccessible } from "../lib/axe.mjs";
import { hostSite, openPage, startBrowser } from "../lib/browser.mjs";
import { looked } from "../lib/interval.mjs";
import { h264mp4 } from "../lib/media.mjs";
import { freePort, Server, tempDir } from "../lib/process.mjs";

const agent = (n) => `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${n}.0.0.0 Safari/537.36`;
const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");
const claims = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
const offer = { id: "offer", type: "cta", at: "start", text: "Buy", url: "https://shop.example/buy", button: "Buy now", skippable: true };

/** The arms are compared in the order of their keys; what of each is counted. */
const counts = (report) => report.arms.map((a) => ({ visitors: a.visitors, players: a.players, actors: a.actors }));

/** Notes of which arms of which experiments a page's beacons are. */
function listen(page, told) {
  page.on("request", (request) => {
    if (!request.url().endsWith("/beacons/v1")) return;
    for (const batch of [JSON.parse(request.postData())].flat()) {
      const [experiment, arm] = claims(batch.token).var.split(":");
      (told[experiment] ??= new Set()).add(arm);
    }
  });
}

/** One load of the page: what this viewer sees of each test, and does. */
async function visit({ context, url, ids, told, clicks, plays }) {
  const page = await openPage(context);
  const poster = page.waitForResponse((r) => r.url().endsWith(`/embed/medias/${ids.poster}/poster.jpg`)).then((r) => r.body());
  listen(page, told);
  await page.goto(url);
  const seen = { poster: digest(await poster) };
  const element = (name) => page.locator(`#${name}`);
  await element("poster").locator("img").evaluate((img) => img.decode());

  await element("film").getByRole("button", { name: /^Play/ }).click();
  const film = await until("the film to play with sound", () => element("film").evaluate((e) => {
    const v = e.shadowRoot.querySelector("video");
    return v?.currentTime > 0.5 && v.webkitAudioDecodedByteCount > 0 && { size: [v.videoWidth, v.videoHeight], audio: v.webkitAudioDecodedByteCount };
  }));
  seen.film = film.size[0] > film.size[1] ? "wide" : "tall";
  await element("film").evaluate((e) => e.pause());

  if (plays) {
    await element("poster").getByRole("button", { name: /^Play/ }).click();
    await until("the second to play", () => element("poster").evaluate((e) => e.currentTime > 0.2));
    await element("poster").evaluate((e) => e.pause());
  }

  await element("words").getByRole("button", { name: /^Play/ }).click();
  const card = element("words").getByRole("dialog");
  await card.waitFor();
  seen.words = await card.getByRole("heading").textContent();
  if (clicks) {
    const shop = context.waitForEvent("page");
    await card.getByRole("link", { name: "Buy now" }).click();
    await (await shop).close();
  }
  await card.getByRole("button", { name: "Go on watching" }).click();
  await until("the third to go on", () => element("words").evaluate((e) => e.currentTime > 0.2));
  assert.deepEqual(page.problems, [], "nothing is wrong on the page");
  // What nobody has come near to is reported when the page is at rest.
  await until("a report of each", () => Object.keys(told).length === Object.keys(ids).length);
  await page.close({ runBeforeUnload: true });
  return seen;
}

test("tests of video, poster and call to action: each viewer keeps an arm, sees it, and is counted in it", async (t) => {
  const dir = tempDir(t);
  const data = join(dir, "data");
  const [wide, tall, server, browser] = await Promise.all([
    h264mp4(dir, { seconds: 8, name: "wide.mp4" }),
    h264mp4(dir, { seconds: 8, name: "tall.mp4", size: "360x640" }),
    Server.start(t, { data, port: await freePort() }),
    startBrowser(t),
  ]);
  const api = API.ofDataFolder(server.url, data);
  const [film, other, poster, words] = await Promise.all([[wide, "film"], [tall, "other"], [wide, "poster"], [wide, "words"]].map(([file, name]) => api.uploadFile(file, `${name}.mp4`)));
  const ids = { film, poster, words };
  for (const id of [film, other, poster, words]) await api.waitFor(id, ["ready"], { timeout: 240_000 });

  await api.call("PUT", `/v1/media/${words}/actions`, { items: [offer] });
  const begin = (media_id, kind, goal, variation) => api.call("POST", "/v1/experiments", { media_id, name: kind, kind, goal, planned_visitors: 200, variations: [variation] });
  const tests = {
    film: await begin(film, "media", "plays", { media_id: other }),
    words: await begin(words, "cta", "conversions", { name: "Softer", action: { ...offer, text: "Try it" } }),
  };
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const dashboard = await openPage(context);
  await dashboard.goto(server.loginURL);
  await dashboard.getByTestId("media-card").first().waitFor();
  await dashboard.goto(`${server.url}/#/media/${poster}`);
  await dashboard.getByRole("tab", { name: "Marketing" }).click();
  await dashboard.getByRole("button", { name: "Set up a test" }).click();
  const form = dashboard.getByTestId("experiment-form");
  await form.getByLabel("Name", { exact: true }).fill("Which frame");
  await form.getByLabel("Frame of the other poster").fill("0:06");
  await form.getByLabel("Visitors for each").fill("200");
  await form.getByRole("button", { name: "Start the test" }).click();
  await dashboard.getByTestId("experiment").getByText("Which frame").waitFor();
  tests.poster = (await api.call("GET", `/v1/experiments?media=${poster}`)).items[0];

  // What a viewer is given is asked for as the player does it, which counts nobody.
  const ask = async (n) => {
    const given = {};
    for (const name of ["film", "poster", "words"]) {
      const config = await (await fetch(`${server.url}/embed/medias/${ids[name]}/config.json`, { headers: { "User-Agent": agent(n) } })).json();
      given[name] = { arm: claims(config.view_token).var?.split(":")[1], config };
    }
    return given;
  };
  await until("the origin to know of all three", async () => Object.values(await ask(100)).every(({ arm }) => arm));
  const given = new Map();
  for (let n = 100; n < 140; n++) given.set(n, await ask(n));
  // As few viewers as have two of each arm of each test.
  const viewers = [], need = new Map();
  for (const [n, of] of given) {
    const keys = Object.entries(of).map(([name, { arm }]) => `${name} ${arm}`);
    if (!keys.some((key) => (need.get(key) ?? 0) < 2)) continue;
    keys.forEach((key) => need.set(key, (need.get(key) ?? 0) + 1));
    viewers.push(n);
  }
  assert.equal([...need.values()].filter((n) => n >= 2).length, 6, `two arms of three tests: ${JSON.stringify([...need])}`);
  const posters = {};
  for (const n of viewers) {
    const { arm, config } = given.get(n).poster;
    posters[arm] ??= digest(Buffer.from(await (await until("the poster of the arm", async () => {
      const res = await fetch(config.poster_url);
      return res.ok && res;
    })).arrayBuffer()));
  }
  assert.notEqual(posters.a, posters.b, "the two posters are two pictures");

  const site = await hostSite(t, `<script type="module" async src="${server.url}/player.js"></script><div style="width:480px">
    ${Object.entries(ids).map(([name, id]) => `<vitascope-player id="${name}" media-id="${id}"></vitascope-player>`).join("")}</div>`);
  await dayLasts(6);
  const ledger = [], profiles = [];
  for (const [i, n] of viewers.entries()) {
    const viewer = await browser.newContext({ userAgent: agent(n), viewport: { width: 800, height: 1200 } });
    await viewer.route("https://shop.example/**", (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html><title>Shop</title>" }));
    const told = {}, does = { clicks: i % 2 === 0, plays: i % 3 !== 0 };
    const first = await visit({ context: viewer, url: site.url, ids, told, ...does });
    const again = await visit({ context: viewer, url: site.url, ids, told, ...does });
    profiles.push(viewer); // what is reported last goes out while there is a profile
    assert.deepEqual(again, first, "the same viewer, the same arms");
    const { film: a, poster: b, words: c } = given.get(n);
    assert.deepEqual(first, { film: { a: "wide", b: "tall" }[a.arm], poster: posters[b.arm], words: { a: "Buy", b: "Try it" }[c.arm] }, "the arm is what is shown");
    for (const [name, { arm }] of Object.entries({ film: a, poster: b, words: c })) {
      assert.deepEqual([...told[tests[name].id]], [arm], `beacons of ${name} carry the arm`);
      ledger.push({ name, arm, played: name !== "poster" || does.plays, acted: name === "words" && does.clicks });
    }
  }

  const recount = (name) => ["a", "b"].map((arm) => {
    const of = ledger.filter((l) => l.name === name && l.arm === arm);
    return { visitors: of.length, players: of.filter((l) => l.played).length, actors: of.filter((l) => l.acted).length };
  });
  for (const name of Object.keys(ids)) {
    const want = recount(name);
    const report = await until(`the report on ${name}`, async () => {
      const r = await api.call("GET", `/v1/stats/experiments/${tests[name].id}`);
      assert.deepEqual(counts(r), want);
      return r;
    }, { timeout: 60_000 });
    const reached = name === "words" ? "actors" : "players";
    for (const [i, arm] of report.arms.entries()) assert.equal(arm.rate, want[i][reached] / want[i].visitors);
    const interval = looked(want[0][reached], want[0].visitors, want[1][reached], want[1].visitors, 200);
    assert.ok(Math.abs(report.verdicts[0].low - interval.low) < 1e-9 && Math.abs(report.verdicts[0].high - interval.high) < 1e-9, `${JSON.stringify([report.verdicts, interval])}`);
    assert.equal(report.winner, "", "so few are luck");
    // Once more from the rows themselves, of which each says its arm.
    const rows = (await (await fetch(`${server.url}/v1/stats/exports/views?format=csv&media=${ids[name]}`, { headers: { Authorization: `Bearer ${api.token}` } })).text()).trim().split("\n").map((l) => l.split(","));
    const at = (column) => rows[0].indexOf(column);
    for (const arm of name === "film" ? ["a"] : ["a", "b"]) { // arm b of that is the other video
      const visitors = new Set(rows.filter((row) => row[at("variant")] === `${tests[name].id}:${arm}`).map((row) => row[at("visitor")]));
      assert.equal(visitors.size, want["ab".indexOf(arm)].visitors, `visitors of arm ${arm} of ${name} in the export`);
    }
  }
  await Promise.all(profiles.map((profile) => profile.close()));

  await t.test("enough visitors show a winner, with the interval that was promised", async () => {
    const before = recount("words");
    const total = { a: { visitors: before[0].visitors, reached: before[0].actors }, b: { visitors: before[1].visitors, reached: before[1].actors } };
    for (let n = 200; total.a.visitors < 130 || total.b.visitors < 130; n++) {
      const headers = { "User-Agent": agent(n) };
      const config = await (await fetch(`${server.url}/embed/medias/${words}/config.json`, { headers })).json();
      const of = total[claims(config.view_token).var.split(":")[1]];
      const acts = of === total.b ? of.visitors % 2 === 0 : of.visitors % 12 === 0;
      of.visitors++;
      of.reached += acts;
      const now = Date.now();
      const action = (verb) => ({ k: "action", at_ms: now, pos_ms: 0, type: "cta", id: "offer", verb });
      const body = JSON.stringify({ v: 1, token: config.view_token, seq: 0, sent_at_ms: now, page: { url: "https://shop.example/" },
        events: [{ k: "load", at_ms: now }, { k: "play", at_ms: now, pos_ms: 0 }, action("impression"), ...(acts ? [action("click")] : [])] });
      assert.equal((await fetch(config.beacon_url, { method: "POST", body, headers: { ...headers, "Content-Type": "text/plain" } })).status, 204);
    }
    const report = await until("all of them in the report", async () => {
      const r = await api.call("GET", `/v1/stats/experiments/${tests.words.id}`);
      return r.arms[0].visitors === total.a.visitors && r.arms[1].visitors === total.b.visitors && r;
    }, { timeout: 60_000 });
    assert.deepEqual(report.arms.map((a) => a.actors), [total.a.reached, total.b.reached]);
    const { low, high } = looked(total.a.reached, total.a.visitors, total.b.reached, total.b.visitors, 200);
    assert.ok(low > 0, `the made-up viewers do differ: ${low}`);
    assert.ok(Math.abs(report.verdicts[0].low - low) < 1e-9 && Math.abs(report.verdicts[0].high - high) < 1e-9, `${JSON.stringify([report.verdicts, low, high])}`);
    assert.equal(report.winner, "b");
    await dashboard.goto(`${server.url}/#/media/${words}`);
    await dashboard.getByRole("tab", { name: "Marketing" }).click();
    const card = dashboard.getByTestId("experiment");
    await card.getByText(/There is a winner/).waitFor();
    await card.getByText(`by ${(low * 100).toFixed(1)} % to ${(high * 100).toFixed(1)} % of the visitors`).waitFor();
    await assertAccessible(dashboard, "winner");
  });

  await t.test("the video that has won stays in the place of the other, and a poster that has won becomes the video's own", async () => {
    await api.call("POST", `/v1/experiments/${tests.film.id}/endings`, { winner: "b" });
    await api.call("POST", `/v1/experiments/${tests.poster.id}/endings`, { winner: "b" });
    for (const n of viewers) {
      await until("the other video for everybody", async () => {
        const { film: shown } = await ask(n);
        return shown.config.hls_url.includes(`/hls/${other}/`) && shown.arm === undefined;
      });
      await until("the other poster for everybody", async () => {
        const picture = await (await fetch(`${server.url}/embed/medias/${poster}/poster.jpg`, { headers: { "User-Agent": agent(n) } })).arrayBuffer();
        return digest(Buffer.from(picture)) === posters.b;
      });
    }
  });
  assert.deepEqual(dashboard.problems, []);
});
