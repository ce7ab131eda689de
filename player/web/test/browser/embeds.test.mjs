// The player on other people's pages: hostile ones, in frames, in dialogs, asked
// for by a queue; and what it asks viewers for.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { openPage, start, until } from "./fixture.mjs";

const require = createRequire(import.meta.url);
const axe = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");
const playerjs = await readFile(require.resolve("player.js"), "utf8");

let env;
before(async () => (env = await start({ seconds: 12 })));
after(() => env.close());
beforeEach(() => env.fresh());

async function open(html, { path = "/", origin = env.theirs, ...options } = {}) {
  env.world.pages[path] = html;
  const page = await openPage(env.browser, options);
  page.complaints = [];
  page.foreign = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && page.complaints.push(`${m.text()} ${m.location().url}`));
  page.on("pageerror", (e) => page.complaints.push(String(e)));
  page.on("request", (r) => /^https?:/.test(r.url()) && ![env.ours, env.theirs].some((o) => r.url().startsWith(o)) && page.foreign.push(r.url()));
  await page.goto(origin + path);
  return page;
}

const head = (more = "") => `<!doctype html><html lang=en><meta charset=utf-8><title>A page</title>${more}<script type=module src="${env.ours}/player.js"></script>`;
const element = (id, attributes = "", text = "") => `<main style="width:720px"><h1>Page</h1><vitascope-player media-id="${id}" ${attributes}>${text}</vitascope-player></main>`;
const el = (page) => page.locator("vitascope-player").first();
const prop = (page, name) => el(page).evaluate((e, n) => e[n], name);
const at = (page, seconds) => until(async () => (await prop(page, "currentTime")) >= seconds, `position ${seconds}`);
const press = (page) => page.getByRole("button", { name: /^Play:/ }).first().click();

async function audit(page, when) {
  await page.evaluate((code) => window.axe ?? (0, eval)(code), axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 200) + n.failureSummary)]), [], when);
}

test("on a page with frozen prototypes, no referrer and no inline code two players work and speak to nobody else", async () => {
  env.world.media.film = {};
  env.world.pages["/freeze.js"] = "for (const c of [Object, Array, Function, Promise, Element, HTMLElement, EventTarget, Node]) Object.freeze(c.prototype);";
  env.world.headers = {
    "Content-Security-Policy": `default-src 'none'; script-src ${env.ours} 'self'; img-src ${env.ours} data:; media-src ${env.ours} blob:; connect-src ${env.ours}`,
    "Referrer-Policy": "no-referrer",
  };
  const page = await open(`<!doctype html><html lang=en><meta charset=utf-8><title>t</title><script src=/freeze.js></script><script type=module src="${env.ours}/player.js"></script>
    <vitascope-player id=a media-id=film muted></vitascope-player><vitascope-player id=b media-id=film muted></vitascope-player>`);
  for (const id of ["a", "b"]) await page.locator(`#${id}`).evaluate((e) => e.play());
  await until(() => page.evaluate(() => ["a", "b"].every((id) => document.getElementById(id).currentTime > 1)), "both to play");
  await page.evaluate(() => {
    const a = document.getElementById("a");
    a.remove();
    document.body.append(a);
  });
  assert.deepEqual(page.complaints, []);
  assert.deepEqual(page.foreign, []);
  await page.context().close();
});

test("player.js, an independent client, drives the player in an iframe", async () => {
  env.world.media.film = {};
  env.world.pages["/embed/iframe/film"] = `${head()}<body><vitascope-player media-id=film muted style="height:300px"></vitascope-player>`;
  env.world.pages["/client.js"] = playerjs;
  const page = await open(`<!doctype html><meta charset=utf-8><script src=/client.js></script>
    <iframe id=f src="${env.ours}/embed/iframe/film" allow="autoplay" width=600 height=340></iframe>`);
  const told = await page.evaluate(() => new Promise((done, fail) => {
    const player = new window.playerjs.Player("f");
    const events = [];
    setTimeout(fail, 120_000, new Error("no answer: " + events));
    for (const name of ["play", "pause"]) player.on(name, () => events.push(name));
    player.on("ready", () => {
      player.getDuration((duration) => {
        player.setVolume(40);
        player.getVolume((volume) => {
          player.on("timeupdate", ({ seconds, duration: whole }) => {
            if (seconds < 1 || events.includes("pause")) return;
            player.pause();
            player.getPaused(() => setTimeout(() => player.getPaused((paused) => done({ duration, volume, paused, whole, events, supports: player.supports("method", "setLoop") })), 300));
          });
          player.play();
        });
      });
    });
  }));
  assert.deepEqual({ ...told, events: [...new Set(told.events)] }, { duration: 12, volume: 40, paused: true, whole: told.whole, events: ["play", "pause"], supports: true });
  assert.ok(Math.abs(told.whole - 12) < 0.2);
  await page.context().close();
});

test("the queue, the API and its events, as Wistia's users know them", async () => {
  env.world.media = { film: {}, other: { name: "Another" } };
  const page = await open(`${head(`<script>window._vitascope = [{ id: "film", onReady: (p) => (window.player = p) }]</script>`)}${element("film", "muted email=a@example.com")}`);
  await until(() => page.evaluate(() => !!window.player), "the queue to be answered");
  await page.evaluate(() => {
    window.told = [];
    for (const name of ["percent-watched-change", "second-change", "time-update", "before-replace", "after-replace"]) window.player.addEventListener(name, () => window.told.push(name));
    window.crossed = 0;
    window.player.crossTime(1, () => window.crossed++);
  });
  assert.deepEqual(await page.evaluate(() => [window.player.state, window.player.email, window.player.name, window.player.percentWatched]), ["beforeplay", "a@example.com", "Counter & tone", 0]);
  await page.evaluate(() => window.player.play());
  const state = await until(() => page.evaluate(() => window.player.secondsWatched > 1.7 && {
    state: window.player.state, watched: window.player.secondsWatched, at: window.player.currentTime,
    vector: window.player.secondsWatchedVector.slice(0, 2), crossed: window.crossed, quality: window.player.videoQuality,
  }), "two seconds watched");
  assert.equal(state.state, "playing");
  assert.ok(state.watched <= state.at, `${state.watched} s of ${state.at}`);
  assert.deepEqual([state.vector, state.crossed, state.quality], [[1, 1], 1, "auto"]);
  await page.evaluate(() => window.player.replaceWithMedia("other"));
  await at(page, 0.5);
  assert.equal(await prop(page, "name"), "Another");
  const told = await page.evaluate(() => [...new Set(window.told)].toSorted());
  assert.deepEqual(told, ["after-replace", "before-replace", "percent-watched-change", "second-change", "time-update"]);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a link opens the player in a dialog; escape closes it, pauses and gives the focus back", async () => {
  env.world.media.film = {};
  const page = await open(`${head()}${element("film", "mode=link muted loop", "Watch the film")}`);
  const link = page.getByRole("button", { name: "Watch the film" });
  await link.focus();
  await page.keyboard.press("Enter");
  await at(page, 0.5);
  await audit(page, "dialog");
  await page.keyboard.press("Escape");
  await until(() => prop(page, "paused"), "the pause");
  await until(() => el(page).evaluate((e) => e.shadowRoot.activeElement?.textContent === "Watch the film"), "the focus to be back");
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("captions, transcript and end screen are there, and have no faults for axe", async () => {
  env.world.media.film = {
    chapters: [{ start_seconds: 0, title: "Start <b>&amp;" }, { start_seconds: 6, title: "The end" }],
    captions: [{ language: "en", label: "English", kind: "captions", url: `${env.ours}/hls/captioned/subs_0.vtt` }, { language: "de", label: "Deutsch", kind: "subtitles", url: `${env.ours}/hls/captioned/subs_1.vtt` }],
    share_url: "https://example.com/watch/film",
  };
  const page = await open(`${head()}${element("film", "muted captions=de")}`);
  await press(page);
  await at(page, 0.5);
  const cues = () => page.locator("vitascope-player video").evaluate((v) => [...v.textTracks].filter((t) => t.mode === "showing" && t.kind !== "metadata").flatMap((t) => [...(t.activeCues ?? [])].map((c) => c.text)));
  await until(async () => (await cues()).join() === "Hallo und willkommen", "the German caption");
  await el(page).evaluate((e) => e.pause());
  await page.locator("media-settings-menu-button").click();
  await page.getByRole("menuitem", { name: "Transcript" }).click();
  await page.getByRole("region", { name: "Transcript" }).getByText("Hallo und willkommen").waitFor();
  await audit(page, "transcript");
  await page.keyboard.press("Escape");
  await el(page).evaluate((e) => {
    e.currentTime = 11;
    return e.play();
  });
  await page.getByRole("button", { name: "Watch again" }).waitFor();
  await audit(page, "end");
  await page.getByRole("button", { name: "Watch again" }).click();
  await until(async () => (await prop(page, "currentTime")) < 6 && !(await prop(page, "paused")), "the start again");
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a gate holds playback until it is answered, hands the lead in and is not asked again; hostile text stays text", async () => {
  const hostile = `<img src=x onerror="window.hit=1">\u202E\u0000${"x".repeat(300)}`;
  env.world.media.film = {
    name: hostile, leads_url: `${env.ours}/leads`,
    player: { actions: [
      { id: "gate1", type: "gate", at_seconds: 1, text: hostile, fields: ["name"] },
      { id: "note1", type: "annotation", at_seconds: 0, text: hostile, url: "javascript:window.hit=1" },
      { id: "cta1", type: "cta", at_seconds: "end", text: "Buy", button: "Go", url: "https://example.com/buy" },
    ] },
  };
  const page = await open(`${head()}${element("film", "muted")}`);
  await press(page);
  await page.getByLabel("Email").waitFor();
  await audit(page, "gate");
  await el(page).evaluate((e) => e.play().catch(() => {}));
  await until(() => prop(page, "paused"), "the gate to hold");
  const held = await prop(page, "currentTime");
  await page.getByLabel("Email").fill("nobody");
  await page.getByLabel("Email").press("Enter");
  await page.getByText("does not look like an email address").waitFor();
  assert.equal(await prop(page, "currentTime"), held, "it does not go on");
  await page.getByLabel("Email").fill("ann@example.com");
  await page.getByLabel("Email").press("Enter");
  await at(page, 3);
  assert.deepEqual(env.world.leads.map(({ email, action_id }) => [email, action_id]), [["ann@example.com", "gate1"]]);
  await el(page).evaluate((e) => void (e.currentTime = 0));
  await at(page, 2);
  await el(page).evaluate((e) => void (e.currentTime = 11));
  await page.getByRole("link", { name: "Go" }).waitFor();
  await audit(page, "call to action");
  const actions = await until(() => {
    const told = env.events().filter((e) => e.k === "action").map((e) => `${e.type} ${e.verb}`);
    return told.includes("gate impression") && told.includes("gate convert") ? told : null;
  }, "the beacons");
  assert.equal(actions.filter((told) => told === "gate convert").length, 1);
  assert.equal(await page.evaluate(() => window.hit), undefined);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a password is asked for in the box, sent in a body, and opens the video", async () => {
  env.world.media.film = { password: "open sesame" };
  const page = await open(`${head()}${element("film", "muted")}`);
  await page.getByLabel("This video has a password").fill("wrong");
  await page.keyboard.press("Enter");
  await page.getByText("That is not the password").waitFor();
  await audit(page, "password");
  await page.getByLabel("This video has a password").fill("open sesame");
  await page.keyboard.press("Enter");
  await press(page);
  await at(page, 0.5);
  await page.context().close();
});

test("positions are kept only when asked for, captions only with consent", async () => {
  env.world.media.film = {};
  const page = await open(`${head()}${element("film", "muted resumable")}`);
  await el(page).evaluate((e) => e.play());
  await at(page, 0.3);
  await el(page).evaluate((e) => void (e.currentTime = 6));
  await at(page, 6.3);
  await el(page).evaluate((e) => e.pause());
  await until(() => page.evaluate(() => localStorage.getItem("vitascope")?.includes("film")), "the position");
  await page.reload();
  await el(page).evaluate((e) => e.play());
  await until(async () => (await prop(page, "currentTime")) > 5.5, "playback where it was left");
  assert.equal(await page.evaluate(() => document.querySelector("vitascope-player").whenApiReady().then((p) => (p.forget(), localStorage.getItem("vitascope")))), null);
  await page.context().close();
});
