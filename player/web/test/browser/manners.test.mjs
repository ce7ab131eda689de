// What a page and its viewers notice: nothing is done for embeds far away, what
// is asked can be read and reached by keys, captions stay in the picture, and
// what is removed leaves nothing behind.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { openPage, start, until } from "./fixture.mjs";

let env;
before(async () => (env = await start({ seconds: 12 })));
after(() => env.close());
beforeEach(() => env.fresh());

async function open(html, options) {
  env.world.pages["/"] = `<!doctype html><html lang=en><meta charset=utf-8><title>t</title><script type=module src="${env.ours}/player.js"></script><body style="margin:0">${html}`;
  const page = await openPage(env.browser, options);
  page.complaints = [];
  page.on("pageerror", (e) => page.complaints.push(String(e)));
  await page.goto(env.theirs + "/");
  return page;
}

const embed = (id, attributes = "muted") => `<div style="width:720px"><vitascope-player media-id="${id}" ${attributes}></vitascope-player></div>`;
const el = (page) => page.locator("vitascope-player").first();
const prop = (page, name) => el(page).evaluate((e, n) => e[n], name);
const at = (page, seconds) => until(async () => (await prop(page, "currentTime")) >= seconds, `position ${seconds}`);
const play = async (page, seconds = 0.3) => {
  await el(page).evaluate((e) => e.play());
  await at(page, seconds);
  await page.locator("media-settings-menu-button").first().waitFor();
};

/** Whether the middle of an element is what one sees there. */
const inSight = (locator) => locator.evaluate((node) => {
  const { left, top, width, height } = node.getBoundingClientRect();
  const [x, y] = [left + width / 2, top + height / 2];
  let seen = document.elementFromPoint(x, y);
  while (seen?.shadowRoot?.elementFromPoint(x, y) && seen.shadowRoot.elementFromPoint(x, y) !== seen) seen = seen.shadowRoot.elementFromPoint(x, y);
  return width > 8 && height > 8 && (node === seen || node.contains(seen) || (seen?.contains(node) ?? false) && seen.textContent === node.textContent);
});

test("nothing is built or asked for an embed that is far away, and its API is there all the same", async () => {
  env.world.media = { near: {}, far: {}, asked: {} };
  const page = await open(`${embed("near")}<div style="height:4000px"></div>${embed("far")}<div style="height:4000px"></div>${embed("asked")}`);
  await until(() => env.world.bodies.length > 0, "the first load");
  const asked = () => env.world.asked;
  assert.deepEqual(asked(), ["near"]);
  const far = page.locator("vitascope-player").nth(1);
  assert.equal(await far.evaluate((e) => e.shadowRoot.childElementCount), 0);
  assert.deepEqual(await far.evaluate((e) => { const { width, height } = e.getBoundingClientRect(); return [width, height]; }), [720, 405]);
  await page.locator("vitascope-player").nth(2).evaluate((e) => e.whenApiReady().then((p) => p.whenApiReady()));
  assert.deepEqual(asked(), ["near", "asked"]);
  await far.scrollIntoViewIfNeeded();
  await until(() => asked().includes("far"), "the second embed");
  await until(() => env.events().filter((e) => e.k === "load").length === 3, "one load of each");
  assert.deepEqual(asked(), ["near", "asked", "far"]);
  await page.context().close();
});

test("a page that is read costs a script and posters; the rest is asked at rest, or when somebody comes near", async () => {
  env.world.media = { film: {}, other: {}, silent: { poster_url: "", has_video: false } };
  const of = (name) => env.world.requests.filter((path) => path.endsWith(name));
  // No page is at rest here until the test says so.
  const page = await openPage(env.browser);
  page.complaints = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && page.complaints.push(m.text()));
  await page.addInitScript(() => (window.requestIdleCallback = (run) => (window.rest ??= []).push(run)));
  env.world.pages["/"] = `<!doctype html><html lang=en><meta charset=utf-8><title>t</title><script type=module src="${env.ours}/player.js"></script><style>div{width:300px!important}</style>${embed("film")}${embed("other")}`;
  await page.goto(env.theirs + "/");
  await until(() => page.evaluate(() => window.rest?.length === 1), "both to wait");
  await until(() => page.evaluate(() => [...document.querySelectorAll("vitascope-player")].every((e) => e.shadowRoot.querySelector("img").naturalWidth > 0)), "both posters");
  assert.deepEqual(env.world.requests.filter((path) => !path.endsWith("poster.jpg")), ["/player.js"]);
  await page.getByRole("button", { name: "Play" }).first().hover();
  await page.getByRole("button", { name: "Play: Counter & tone" }).waitFor();
  assert.deepEqual(of("config.json"), ["/embed/medias/film/config.json"]);
  await page.evaluate(() => window.rest.forEach((run) => run()));
  await until(() => env.events().filter((e) => e.k === "load").length === 2, "a load of each");
  assert.deepEqual(env.world.asked, ["film", "other"]);
  // What has no poster is asked about at once.
  await page.evaluate(() => document.body.insertAdjacentHTML("afterbegin", "<vitascope-player media-id=silent></vitascope-player>"));
  await page.getByText("Counter & tone").waitFor();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("what many embeds ask and report at rest is one request each, and a report that is not taken is sent again as it was", async () => {
  env.world.media = { film: {}, other: {}, third: {}, locked: { password: "sesame" }, soon: { hls_url: "", state: "probing" } };
  env.world.refuse = 1;
  const sent = [];
  const page = await open("");
  page.on("request", (r) => r.url().endsWith("/beacons/v1") && sent.push(r.postData()));
  await page.evaluate((html) => document.body.insertAdjacentHTML("beforeend", html),
    ["film", "other", "third", "film"].map((id) => `<div style="width:200px">${embed(id).replace(/ style="[^"]*"/, "")}</div>`).join(""));
  await until(() => env.events().length === 4, "a load of each");
  assert.deepEqual(env.world.requests.filter((path) => path.startsWith("/embed/") && !path.endsWith(".jpg")), ["/embed/medias.json"]);
  assert.deepEqual(env.world.asked, ["film", "other", "third", "film"]);
  assert.equal(sent.length, 2);
  assert.equal(sent[0], sent[1]);
  assert.deepEqual(env.world.bodies.map((b) => [b.token, b.seq, b.events[0].k, b.page.url, b.page.player_width]),
    env.world.asked.map((id) => [`token-${id}`, 0, "load", `${env.theirs}/`, 200]));
  // Those that cannot be had so ask for themselves, and say why.
  await page.evaluate((html) => document.body.insertAdjacentHTML("afterbegin", html), ["locked", "soon", "nowhere"].map((id) => embed(id, `poster="${env.ours}/hls/film/poster.jpg"`)).join(""));
  await page.getByLabel("This video has a password").waitFor();
  await page.getByText("Still processing…").waitFor();
  await page.getByText("This video is not available.").waitFor();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("more embeds than one request takes are asked for in several; without an answer each asks for itself", async () => {
  const ids = Array.from({ length: 12 }, (_, i) => `film${i}`);
  env.world.media = Object.fromEntries(ids.map((id) => [id, {}]));
  let gone = false;
  const page = await open("");
  await page.route("**/embed/medias.json?*", (route) => (gone ? route.abort() : route.continue()));
  const put = () => page.evaluate((all) => document.body.replaceChildren(...all.map((id) => Object.assign(document.createElement("vitascope-player"), { style: "width:60px" })).map((e, i) => (e.setAttribute("media-id", all[i]), e))), ids);
  const asks = (name) => env.world.requests.filter((path) => path.endsWith(name)).length;
  await put();
  await until(() => env.events().length === 12, "a load of each");
  assert.deepEqual([asks("medias.json"), asks("config.json"), asks("/beacons/v1")], [2, 0, 2]);
  gone = true;
  await put();
  await until(() => env.events().length === 24, "a load of each again");
  assert.equal(asks("config.json"), 12);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a token of a signed video is in no address and no referrer, whatever the page's policy", async () => {
  const token = "eyJhbGciOiJFZERTQSJ9.c2VjcmV0.c2lnbmF0dXJl";
  const grant = "~Z3JhbnRncmFudGdyYW50";
  const behind = `${env.ours}/hls/film/${grant}`;
  env.world.media.film = { poster_url: `${behind}/poster.jpg`, storyboard_url: "", hls_url: `${behind}/multivariant.m3u8` };
  env.world.headers = { "Referrer-Policy": "unsafe-url" };
  const page = await open("");
  const seen = [];
  page.on("request", (r) => seen.push(r));
  await page.evaluate((t) => document.body.insertAdjacentHTML("beforeend", `<div style="width:720px"><vitascope-player media-id="film" muted token="${t}"></vitascope-player></div>`), token);
  await play(page, 1);
  const sent = await Promise.all(seen.map(async (r) => [r.url(), (await r.allHeaders().catch(() => ({}))).referer ?? "", r.postData() ?? ""]));
  assert.ok(sent.some(([url]) => url.includes(grant)) && sent.some(([url, , body]) => url.endsWith("/config.json") && body.includes(token)), "it was asked for with the token, and played");
  for (const [url, referer] of sent) {
    assert.ok(!url.includes(token), url);
    assert.ok(!referer.includes(token) && !referer.includes(grant), `${url} is told of ${referer}`);
  }
  assert.ok(sent.some(([, referer]) => referer.startsWith(env.theirs)), "referrers are sent at all");
  await page.context().close();
});

test("what was set before the element came into the page holds", async () => {
  env.world.media.film = {};
  const page = await open("");
  await page.waitForFunction(() => customElements.get("vitascope-player"));
  await page.evaluate(() => {
    const made = document.createElement("vitascope-player");
    made.volume = 0.25;
    made.muted = true;
    made.setAttribute("media-id", "film");
    document.body.append(made);
  });
  await page.getByRole("button", { name: /^Play/ }).waitFor();
  assert.deepEqual([await prop(page, "volume"), await prop(page, "muted")], [0.25, true]);
  await play(page);
  assert.deepEqual([await prop(page, "volume"), await prop(page, "muted")], [0.25, true]);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a mode that was set before the video holds", async () => {
  env.world.media.film = {};
  const page = await open("");
  await page.waitForFunction(() => customElements.get("vitascope-player"));
  await page.evaluate(() => {
    const made = document.createElement("vitascope-player");
    made.setAttribute("mode", "link");
    made.textContent = "See the film";
    document.body.append(made);
    made.setAttribute("media-id", "film");
  });
  await page.getByRole("button", { name: "See the film" }).click();
  await page.getByRole("dialog").waitFor();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("what viewers are asked, offered and told is in sight", async () => {
  env.world.media.film = {
    share_url: "https://example.com/watch/film",
    player: { actions: [
      { id: "gate1", type: "gate", at_seconds: "start", text: "Leave your address", fields: ["name"], skippable: true },
      { id: "cta1", type: "cta", at_seconds: 6, text: "Try it for free", description: "No card needed", button: "Start", url: "https://example.com/" },
    ] },
  };
  const page = await open(embed("film"));
  await el(page).evaluate((e) => void e.play().catch(() => {}));
  await page.getByLabel("Email").waitFor();
  for (const part of [page.getByRole("heading", { name: "Leave your address" }), page.getByLabel(/name/i).first(), page.getByLabel("Email"), page.getByRole("button", { name: "Skip" })]) {
    assert.ok(await inSight(part), `${part} of the gate`);
  }
  await page.getByRole("button", { name: "Skip" }).click();
  await at(page, 0.3);
  await el(page).evaluate((e) => void (e.currentTime = 6.2));
  for (const part of [page.getByRole("heading", { name: "Try it for free" }), page.getByText("No card needed"), page.getByRole("link", { name: "Start" })]) {
    await part.waitFor();
    assert.ok(await inSight(part), `${part} of the call to action`);
  }
  await page.getByRole("button", { name: "Go on watching" }).click();
  await el(page).evaluate((e) => {
    e.currentTime = 11.5;
    return e.play();
  });
  await page.getByRole("button", { name: "Watch again" }).waitFor();
  for (const part of [page.getByText("Counter & tone", { exact: true }).first(), page.getByRole("button", { name: "Watch again" }), page.getByRole("button", { name: "Copy link" })]) {
    assert.ok(await inSight(part), `${part} of the end screen`);
  }
  await page.context().close();
});

test("captions stay in the picture: those at the bottom rise above the controls, those at the top stay", async () => {
  env.world.pages["/captions.vtt"] = "WEBVTT\n\n00:00.000 --> 00:12.000 line:0\nTop\n\n00:00.000 --> 00:12.000\nBottom\n\n00:00.000 --> 00:12.000 line:90%\nAt ninety\n";
  env.world.media.film = { captions: [{ language: "en", label: "English", kind: "captions", url: `${env.ours}/captions.vtt` }] };
  const page = await open(embed("film", "muted captions=en"));
  const lines = () => page.locator("vitascope-player video").evaluate((v) => [...v.textTracks].filter((t) => t.mode === "showing" && t.kind === "captions").flatMap((t) => [...(t.activeCues ?? [])].map((c) => c.line)));
  await play(page);
  await el(page).evaluate((e) => e.pause());
  const [top, bottom, ninety] = await until(async () => {
    const found = await lines();
    return found.length === 3 && found[1] !== "auto" && found;
  }, "the captions to rise");
  assert.equal(top, 0);
  // A bar of 62 px and more, in lines of at most 26.
  assert.ok(bottom <= -4 && bottom >= -8, `line ${bottom}`);
  assert.ok(ninety < 80 && ninety > 50, `at ${ninety} %`);
  await el(page).evaluate((e) => e.play());
  await page.locator("vitascope-player media-controller").evaluate((c) => c.setAttribute("userinactive", ""));
  await page.locator("vitascope-player media-controller").evaluate((c) => c.dispatchEvent(new CustomEvent("userinactivechange")));
  await until(async () => (await lines())[1] === "auto" || (await prop(page, "ended")), "the captions to go back");
  assert.deepEqual((await lines()).slice(0, 3), [0, "auto", 90]);
  await page.context().close();
});

for (const reducedMotion of ["no-preference", "reduce"]) {
  test(`by keys alone a chapter is chosen, and chosen again; motion: ${reducedMotion}`, async () => {
    env.world.media.film = { chapters: [{ start_seconds: 0, title: "One" }, { start_seconds: 6, title: "Two" }] };
    const page = await open(embed("film"), { reducedMotion });
    await play(page);
    await el(page).evaluate((e) => e.pause());
    const focused = () => page.evaluate(() => {
      let node = document.activeElement;
      while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
      return `${node?.localName} ${node?.textContent?.trim() ?? ""}`;
    });
    const on = (pattern) => until(async () => pattern.test(await focused()), `the focus on ${pattern}`);
    await until(async () => { // the controls come after the first frame
      if (/settings-menu-button/.test(await focused())) return true;
      await page.keyboard.press("Tab");
      return false;
    }, "the tab key to reach the menu's button");
    const choose = async (key) => {
      await on(/settings-menu-button/);
      await page.keyboard.press("Enter");
      await on(/^media-settings-menu-item Chapters/);
      await page.keyboard.press("Enter");
      await on(/^media-chrome-menu-item One/);
      if (key) await page.keyboard.press(key);
      await page.keyboard.press("Enter");
    };
    await choose("ArrowDown");
    await until(async () => (await prop(page, "currentTime")) === 6, "the second chapter");
    await page.keyboard.press("Escape");
    await el(page).evaluate((e) => void (e.currentTime = 8));
    await choose("ArrowDown");
    await until(async () => (await prop(page, "currentTime")) === 6, "the second chapter again");
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });
}

test("sound that is switched is told, before and after the first play", async () => {
  env.world.media.film = {};
  const page = await open(embed("film", ""));
  await el(page).evaluate(async (e) => {
    window.told = [];
    for (const name of ["mute-change", "volume-change"]) e.addEventListener(name, ({ detail }) => window.told.push(JSON.stringify(detail)));
    await e.whenApiReady();
    e.muted = true;
  });
  const told = (n) => until(async () => (await page.evaluate(() => window.told)).length >= n && page.evaluate(() => window.told), `${n} events`);
  assert.deepEqual(await told(1), ['{"isMuted":true}']);
  await play(page);
  await page.locator("media-mute-button").click();
  assert.deepEqual(await told(2), ['{"isMuted":true}', '{"isMuted":false}']);
  await el(page).evaluate((e) => void (e.volume = 0.5));
  assert.deepEqual((await told(3))[2], '{"volume":0.5}');
  await page.context().close();
});

test("hostile words in titles, chapters, captions, actions and addresses run nothing and stay words", async () => {
  const words = `<img src=x onerror="window.hit=1"><script>window.hit=1</script>"><svg onload=window.hit=1>\u202E\u0000${"x".repeat(4096)}`;
  env.world.pages["/captions.vtt"] = `WEBVTT\n\n00:00.000 --> 00:12.000\n${words.replace("\u0000", "")}\n`;
  env.world.media.film = {
    name: words, chapters: [{ start_seconds: 0, title: words }, { start_seconds: 6, title: words }], share_url: "javascript:window.hit=1",
    captions: [{ language: "en", label: words, kind: "captions", url: `${env.ours}/captions.vtt` }],
    player: { color: words, actions: [
      { id: "note1", type: "annotation", at_seconds: 0, text: words, url: `javascript:window.hit=1//${words}` },
      { id: "cta1", type: "cta", at_seconds: 6, text: words, description: words, button: words, url: "javascript:window.hit=1", image_url: "javascript:window.hit=1", image_alt: words },
    ] },
  };
  const page = await open(embed("film", "muted captions=en"));
  await page.evaluate((text) => history.replaceState(null, "", `/?t=${encodeURIComponent(text)}&utm_source=${encodeURIComponent(text)}`), words.slice(0, 900));
  await play(page);
  await el(page).evaluate((e) => e.pause());
  await page.locator("media-settings-menu-button").click();
  await page.getByRole("menuitem", { name: "Transcript" }).click();
  await page.getByRole("region", { name: "Transcript" }).getByRole("listitem").first().waitFor();
  await page.getByRole("button", { name: "Close the transcript" }).click();
  await el(page).evaluate((e) => {
    e.currentTime = 6.2;
    e.play().catch(() => {});
  });
  await page.getByRole("dialog").first().waitFor();
  assert.equal(await page.evaluate(() => window.hit), undefined);
  const foreign = await el(page).evaluate((e) => [...e.shadowRoot.querySelectorAll("script, [onerror], [onload], img[src='x'], a[href^='javascript']")].map((n) => n.outerHTML.slice(0, 80)));
  assert.deepEqual(foreign, []);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("players that come and go leave no nodes and no listeners in the page", async () => {
  env.world.media.film = { chapters: [{ start_seconds: 0, title: "One" }], captions: [{ language: "en", label: "English", kind: "captions", url: `${env.ours}/hls/captioned/subs_0.vtt` }] };
  const page = await open("<main></main>");
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("HeapProfiler.enable");
  const cycle = async () => {
    await page.evaluate(() => void (document.querySelector("main").innerHTML = '<vitascope-player media-id=film muted captions=en style="width:480px"></vitascope-player>'.repeat(2)));
    await play(page);
    await page.evaluate(() => document.querySelector("main").replaceChildren());
  };
  const counted = async () => {
    // What was removed lets go a moment later, and is collected after that.
    await page.evaluate(() => new Promise((done) => setTimeout(done, 1500)));
    for (let n = 0; n < 3; n++) await cdp.send("HeapProfiler.collectGarbage");
    const { nodes, jsEventListeners } = await cdp.send("Memory.getDOMCounters");
    return { nodes, jsEventListeners };
  };
  await cycle();
  await cycle();
  const first = await counted();
  for (let n = 0; n < 3; n++) await cycle();
  let last; // what is let go on a busy machine is let go later
  await until(async () => {
    last = await counted();
    return last.nodes <= first.nodes + 100 && last.jsEventListeners <= first.jsEventListeners + 10;
  }, "what was there to be let go").catch(() => assert.fail(`at first ${JSON.stringify(first)}, then ${JSON.stringify(last)}`));
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});
