import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { openPage, start, until } from "./fixture.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let env;
before(async () => (env = await start()));
after(() => env.close());
beforeEach(() => env.fresh());

/** Opens a page of the other origin and gathers everything it complains about. */
async function open(html, { path = "/", origin = env.theirs, ...options } = {}) {
  env.world.pages[path] = html;
  const page = await openPage(env.browser, options);
  page.complaints = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && page.complaints.push(`${m.text()} ${m.location().url}`));
  page.on("requestfailed", (r) => r.failure()?.errorText !== "net::ERR_ABORTED" && page.complaints.push(`${r.failure()?.errorText} ${r.url()}`));
  page.on("response", (r) => r.status() >= 400 && page.complaints.push(`${r.status()} ${r.url()}`));
  page.on("pageerror", (e) => page.complaints.push(String(e)));
  await page.goto(origin + path);
  return page;
}

const embed = (id, attributes = "") =>
  `<!doctype html><meta charset=utf-8><body style="margin:40px">
   <script type=module src="${env.ours}/player.js"></script>
   <style>vitascope-player:not(:defined) { display: block; aspect-ratio: 16/9 }</style>
   <div style="width:640px"><vitascope-player media-id="${id}" ${attributes}></vitascope-player></div>`;

const el = (page) => page.locator("vitascope-player").first();
const prop = (page, name) => el(page).evaluate((e, n) => e[n], name);
const video = (page, name) => page.locator("vitascope-player video").first().evaluate((v, n) => v[n], name);
const at = (page, seconds) => until(async () => (await prop(page, "currentTime")) >= seconds, `position ${seconds}`);

/** Watched milliseconds per whole second, by whether they were repeats. */
function cells(events, repeat, seconds = 30) {
  return Array.from({ length: seconds }, (_, s) =>
    events.filter((e) => e.k === "watch" && e.repeat === repeat && e.from_ms <= s * 1000 + 500 && s * 1000 + 500 < e.to_ms).length);
}

test("a viewing on another origin: sound is decoded, seeks work, and the beacons are the truth", async () => {
  env.world.media.film = {};
  const page = await open(embed("film"));
  const asked = Date.now();
  await page.getByRole("button", { name: "Play: Counter & tone" }).click();
  await at(page, 4);
  const begun = Date.now();
  assert.ok((await video(page, "webkitAudioDecodedByteCount")) > 0, "audio is decoded");
  assert.ok((await video(page, "webkitVideoDecodedByteCount")) > 0, "video is decoded");

  // Where each stretch truly began and ended, read off the element itself, right after
  // the player has looked: what plays on while a busy page cannot look is not told.
  const jump = (to) => el(page).evaluate((e, t) => new Promise((done) => {
    e.shadowRoot.querySelector("video").addEventListener("timeupdate", () => {
      const left = e.currentTime;
      e.currentTime = t;
      done(left);
    }, { once: true });
  }), to);
  const left1 = await jump(1); // back: a rewatch
  await until(async () => (await prop(page, "currentTime")) < left1 - 1, "the seek back");
  await at(page, 3);
  const left2 = await jump(20); // ahead: a hole
  await at(page, 22);
  const left3 = await el(page).evaluate((e) => (e.pause(), e.currentTime));
  await until(() => env.events().some((e) => e.k === "pause"), "the pause beacon");

  const events = env.events();
  const truth = [[0, left1], [1, left2], [20, left3]];
  const played = Array.from({ length: 30 }, (_, s) => truth.filter(([a, b]) => a <= s + 0.5 && s + 0.5 < b).length);
  const first = cells(events, false);
  const repeats = cells(events, true);
  played.forEach((n, s) => {
    const told = first[s] + repeats[s];
    const edge = truth.some(([a, b]) => Math.abs(a - s - 0.5) <= 1 || Math.abs(b - s - 0.5) <= 1);
    assert.ok(told <= n, `second ${s}: told ${told}, played ${n}`);
    if (!edge) assert.equal(told, n, `second ${s}`);
    assert.ok(first[s] <= 1, `second ${s} is first-time at most once`);
  });
  const watched = events.filter((e) => e.k === "watch").reduce((sum, e) => sum + e.to_ms - e.from_ms, 0);
  const real = truth.reduce((sum, [a, b]) => sum + (b - a) * 1000, 0);
  assert.ok(watched <= real && watched > real - 1000, `told ${watched} ms of ${real}`);

  assert.deepEqual(env.world.bodies.map((b) => b.seq).toSorted((a, b) => a - b), env.world.bodies.map((_, i) => i));
  assert.ok(env.world.bodies.every((b) => b.type.startsWith("text/plain") && b.token === "token-film"));
  const [loaded] = env.world.bodies.filter((b) => b.seq === 0);
  assert.equal(loaded.page.url, env.theirs + "/");
  assert.deepEqual([loaded.page.player_width, loaded.page.player_height], [640, 360]);
  assert.equal(events.filter((e) => e.k === "play").length, 1);
  const startup = events.find((e) => e.k === "startup");
  assert.ok(startup.took_ms > 0 && startup.took_ms <= begun - asked, `startup ${startup.took_ms} ms of ${begun - asked}`);
  const seeks = events.filter((e) => e.k === "seek");
  assert.equal(seeks.length, 2);
  assert.ok(Math.abs(seeks[0].from_ms - left1 * 1000) < 300 && seeks[0].to_ms === 1000, JSON.stringify(seeks[0]));
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("closing the tab while playing still reports what was watched", async () => {
  env.world.media.film = {};
  const page = await open(embed("film"));
  await page.getByRole("button", { name: /^Play/ }).click();
  await at(page, 3);
  await page.close({ runBeforeUnload: true });
  const watched = () => env.events().filter((e) => e.k === "watch").at(-1);
  await until(() => watched()?.to_ms >= 2500, "the last beacon").catch(() => assert.fail(JSON.stringify(watched())));
});

test("a tab that is killed reports what was watched until half a second before", async () => {
  env.world.media.film = {};
  const page = await open(embed("film"));
  // What it leaves each half second, which is longer on a busy machine.
  await page.evaluate(() => {
    const { fetchLater } = window;
    window.left = 0;
    window.fetchLater = (url, init) => {
      const request = fetchLater(url, init);
      window.left = JSON.parse(init.body).events.findLast((e) => e.k === "watch")?.to_ms ?? window.left;
      return request;
    };
  });
  await page.getByRole("button", { name: /^Play/ }).click();
  const left = await until(async () => {
    const ms = await page.evaluate(() => window.left);
    return ms >= 2500 && ms;
  }, "two and a half seconds left with the browser");
  await page.goto("chrome://crash").catch(() => {});
  const watched = await until(() => env.events().filter((e) => e.k === "watch").at(-1), "what was left with the browser");
  assert.ok(watched.to_ms >= left, `${JSON.stringify(watched)}, of ${left} ms`);
  await page.context().close();
});

test("a collector that is away loses nothing: same number, same bytes, later", async () => {
  env.world.media.film = {};
  const page = await open(embed("film", "muted"));
  await until(() => env.world.bodies.length === 1, "the load beacon");
  env.world.refuse = 2;
  await page.getByRole("button", { name: /^Play/ }).click();
  await at(page, 1.5);
  await el(page).evaluate((e) => e.pause());
  await until(() => env.events().some((e) => e.k === "pause"), "the resent beacon");
  // More of them, where it played for longer.
  assert.deepEqual(env.world.bodies.map((b) => b.seq), env.world.bodies.map((_, i) => i));
  assert.ok(env.world.bodies.length > 2);
  const taken = env.world.bodies.map((b) => b.raw);
  assert.equal(env.world.refused.length, 2);
  for (const body of env.world.refused) assert.ok(taken.includes(body), `what was refused came later as it was: ${body}`);
  await page.context().close();
});

test("the end is told once, and the whole of it was watched", async () => {
  env.world.media.film = {};
  const page = await open(embed("film"));
  // On a busy machine it plays for a while before anybody hears of it.
  const begun = await el(page).evaluate((e) => {
    const first = new Promise((done) => e.addEventListener("playing", () => done(e.currentTime), { once: true }));
    e.currentTime = 27;
    return e.play().then(() => first);
  });
  await until(() => env.events().some((e) => e.k === "end"), "the end");
  const events = env.events();
  assert.equal(events.filter((e) => e.k === "pause").length, 0);
  const told = events.filter((e) => e.k === "watch");
  assert.ok(told[0].from_ms >= 27_000 && told[0].from_ms <= begun * 1000 + 50, `${JSON.stringify(told)}, from ${begun} s`);
  assert.ok(told.at(-1).to_ms <= 30_100 && told.at(-1).to_ms > 29_500, JSON.stringify(told));
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("under a strict policy, with hostile resets and two players, nothing breaks", async () => {
  env.world.media.film = {};
  env.world.pages["/reset.css"] =
    "* { box-sizing: content-box; padding: 7px; border: 3px solid red; position: static; font: 40px fantasy; color: lime; float: left }" +
    "div, button, img, video, span { display: none }";
  env.world.headers = {
    "Content-Security-Policy":
      `default-src 'none'; script-src ${env.ours}; style-src 'self'; img-src ${env.ours} data:; ` +
      `media-src ${env.ours} blob:; connect-src ${env.ours}`,
    "Referrer-Policy": "no-referrer",
  };
  const page = await open(
    `<!doctype html><meta charset=utf-8><link rel=stylesheet href=/reset.css>
     <script type=module src="${env.ours}/player.js"></script>
     <vitascope-player media-id=film id=a></vitascope-player><vitascope-player media-id=film id=b muted></vitascope-player>`,
  );
  await page.locator("#a").evaluate((e) => e.play());
  await page.locator("#b").evaluate((e) => e.play());
  await until(() => page.evaluate(() => document.querySelector("#a").currentTime > 1 && document.querySelector("#b").currentTime > 1), "both to play");
  const bar = await page.locator("#a media-control-bar").boundingBox();
  assert.ok(bar.height > 30 && bar.height < 90, `the bar is styled: ${bar.height} px high`);
  const font = await page.locator("#a media-time-display").evaluate((e) => getComputedStyle(e).fontSize);
  assert.equal(font, "13px");
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("nothing is left on the page: no globals, no listeners that throw, no storage", async () => {
  env.world.media.film = {};
  const page = await open("<!doctype html><meta charset=utf-8>");
  const before = await page.evaluate(() => Object.getOwnPropertyNames(window));
  await page.evaluate((src) => import(src), `${env.ours}/player.js`);
  await page.evaluate(() => document.body.append(Object.assign(document.createElement("vitascope-player"), {})));
  await el(page).evaluate((e) => e.setAttribute("media-id", "film"));
  await el(page).evaluate((e) => e.play());
  await at(page, 1);
  const after = await page.evaluate(() => Object.getOwnPropertyNames(window));
  assert.deepEqual(after.filter((name) => !before.includes(name)), []);
  assert.deepEqual(await page.evaluate(() => [document.cookie, localStorage.length, sessionStorage.length]), ["", 0, 0]);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a video that breaks off says so, reports it, and can be tried again", async () => {
  env.world.media.film = {};
  env.world.missing = "_4.m4s";
  const page = await open(embed("film", "muted"));
  await page.getByRole("button", { name: /^Play/ }).click();
  await page.getByText("is missing: it may just have been replaced").waitFor();
  const error = await until(() => env.events().find((e) => e.k === "error" && e.severity === "fatal"), "the error beacon");
  assert.equal(error.fatal, true);
  assert.match(error.code, /^[a-z_]+$/);
  env.world.missing = "";
  await page.getByRole("button", { name: "Try again" }).click();
  await at(page, 9);
  await page.context().close();
});

test("captions of two languages are offered, chosen and shown", async () => {
  env.world.media.film = { hls_url: `${env.ours}/hls/captioned/multivariant.m3u8` };
  const page = await open(embed("film", "muted"));
  await page.getByRole("button", { name: /^Play/ }).click();
  await at(page, 0.5);
  await page.locator("media-captions-menu-button").click();
  const items = page.locator("media-captions-menu media-chrome-menu-item");
  await until(async () => (await items.count()) === 3, "Off and two languages");
  await items.filter({ hasText: "Deutsch" }).click();
  const shown = () => page.locator("vitascope-player video").evaluate((v) =>
    [...v.textTracks].filter((t) => t.mode === "showing").flatMap((t) => [...(t.activeCues ?? [])].map((c) => c.text)));
  await until(async () => (await shown()).join() === "Hallo und willkommen", "the caption");
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("axe finds nothing to object to, before, while playing and in the menu", async () => {
  env.world.media.film = {};
  const page = await open(`<!doctype html><html lang=en><meta charset=utf-8><title>t</title><main><h1>Page</h1>${embed("film", "muted").replace(/^.*<body[^>]*>/s, "")}</main>`);
  await page.addScriptTag({ content: axe });
  const check = async (when) => {
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    assert.deepEqual(violations.map((v) => [v.id, v.nodes.map((n) => n.html + n.failureSummary)]), [], when);
  };
  await page.getByRole("button", { name: /^Play/ }).waitFor();
  await check("before");
  await page.getByRole("button", { name: /^Play/ }).click();
  await at(page, 1);
  await el(page).evaluate((e) => e.pause());
  await check("paused");
  await page.locator("media-settings-menu-button").click();
  await page.locator("media-settings-menu").waitFor();
  await check("menu");
  await page.getByRole("menuitem", { name: /Quality/ }).click();
  await page.getByRole("menuitemradio", { name: "720p" }).waitFor();
  await check("quality menu");
  await page.context().close();
});

test("an element that is moved goes on, one that is removed lets go, and can come back", async () => {
  env.world.media.film = {};
  const page = await open(embed("film", "muted"));
  await el(page).evaluate((e) => e.play());
  await at(page, 1);
  await page.evaluate(() => document.body.append(document.querySelector("vitascope-player")));
  assert.ok((await prop(page, "currentTime")) >= 1, "moved: still there");
  await page.evaluate(() => {
    window.kept = document.querySelector("vitascope-player");
    window.kept.remove();
  });
  await until(() => env.events().some((e) => e.k === "watch"), "the report on removal");
  assert.equal(await page.evaluate(() => window.kept.config), null);
  await page.evaluate(() => document.body.append(window.kept));
  await page.getByRole("button", { name: /^Play/ }).click();
  await at(page, 1);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("each state is shown in words, and processing turns into a player by itself", async () => {
  env.world.media = { wait: { state: "probing", hls_url: "" }, bad: { state: "failed", hls_url: "" } };
  const page = await open(embed("wait"));
  await page.getByText("Still processing…").waitFor();
  env.world.media.wait = {};
  await page.getByRole("button", { name: /^Play/ }).waitFor();
  const bad = await open(embed("bad"), { path: "/bad" });
  await bad.getByText("could not be processed").waitFor();
  const none = await open(embed("none"), { path: "/none" });
  await none.getByText("not available").waitFor();
  for (const p of [page, bad, none]) await p.context().close();
});

test("autoplay starts muted, and not for those who asked for less motion", async () => {
  env.world.media.film = {};
  const page = await open(embed("film", "autoplay"));
  await at(page, 1);
  assert.equal(await prop(page, "muted"), true);
  assert.equal((await until(() => env.events().find((e) => e.k === "play"), "the beacon")).autoplay, true);
  const calm = await open(embed("film", "autoplay"), { path: "/calm", reducedMotion: "reduce" });
  await calm.getByRole("button", { name: /^Play/ }).waitFor();
  assert.equal(await prop(calm, "paused"), true);
  await page.context().close();
  await calm.context().close();
});

test("a viewer who leaves says so, and goes on when back", async () => {
  env.world.media.film = {};
  env.world.bodies.length = 0;
  const page = await open(embed("film", "muted"));
  await page.getByRole("button", { name: /^Play/ }).click();
  await at(page, 1);
  const last = () => env.world.bodies.toSorted((a, b) => a.seq - b.seq).at(-1);
  // The browsers of these tests keep no page for its return: it is told of one.
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
  await until(() => last().leaving, "the last word");
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await at(page, 2);
  await el(page).evaluate((e) => e.pause());
  await until(() => !last().leaving, "the return");
  await el(page).evaluate((e) => e.play());
  await at(page, 3);
  await page.close({ runBeforeUnload: true });
  await until(() => last().leaving, "the last word of the page that is gone");
  assert.equal(last().events.some((e) => e.k === "watch"), true);
});

test("with do-not-track nothing is reported", async () => {
  env.world.media.film = {};
  const page = await open(embed("film", "do-not-track muted"));
  await page.getByRole("button", { name: /^Play/ }).click();
  await at(page, 1);
  await el(page).evaluate((e) => e.pause());
  await page.close({ runBeforeUnload: true });
  assert.deepEqual(env.world.requests.filter((path) => path.startsWith("/beacons")), []);
});

test("the box never moves the page", async () => {
  env.world.media.film = {};
  const page = await open(embed("film") + "<p>After</p>");
  await page.evaluate(() => {
    window.shift = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.shift.push(entry.sources.map((s) => [s.node?.nodeName, JSON.stringify([s.previousRect, s.currentRect])]));
    }).observe({ type: "layout-shift", buffered: true });
  });
  await page.getByRole("button", { name: /^Play/ }).click();
  await at(page, 1);
  assert.deepEqual(await page.evaluate(() => window.shift), []);
  await page.context().close();
});

test("keys work: space, arrows, mute; and the quality menu lists what there is", async () => {
  env.world.media.film = {};
  const page = await open(embed("film", "muted"));
  await page.getByRole("button", { name: /^Play/ }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await at(page, 1);
  await page.locator("media-controller:defined media-play-button:focus").waitFor();
  await page.keyboard.press("k");
  await until(() => prop(page, "paused"), "the pause");
  const before = await prop(page, "currentTime");
  await page.keyboard.press("ArrowRight");
  await until(async () => (await prop(page, "currentTime")) > before + 4, "the skip");
  await page.keyboard.press("m");
  await until(async () => !(await prop(page, "muted")), "the sound");
  await page.locator("media-settings-menu-button").click();
  await page.getByRole("menuitem", { name: /Quality/ }).click();
  await page.getByRole("menuitemradio", { name: "720p" }).waitFor();
  const items = await page.locator("media-rendition-menu media-chrome-menu-item").allTextContents();
  assert.deepEqual(items.map((i) => i.trim().split(" ")[0]), ["720p", "360p", "Auto"]);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});
