// By keys alone: everything that the player, its menus and panels, what marketers ask and
// the dialog offer is reached by tab and arrows, shows that it has the focus, does what
// it says, and gives the focus back.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { LONG, openPage, start, until } from "./fixture.mjs";

let env;
before(async () => (env = await start({ seconds: 12 })));
after(() => env.close());
beforeEach(() => env.fresh());

async function open(attributes = "", text = "") {
  env.world.pages["/"] = `<!doctype html><html lang=en><meta charset=utf-8><title>A page</title><script type=module src="${env.ours}/player.js"></script>
    <main style="width:900px"><h1>Page</h1><vitascope-player media-id=film ${attributes}>${text}</vitascope-player><p><a href="#after">After</a></p></main>`;
  const page = await openPage(env.browser, { viewport: { width: 1000, height: 700 } });
  page.complaints = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && page.complaints.push(`${m.text()} ${m.location().url}`));
  page.on("pageerror", (e) => page.complaints.push(String(e)));
  await page.goto(env.theirs + "/");
  await until(() => prop(page, "config"), "the config", LONG);
  return page;
}

const el = (page) => page.locator("vitascope-player");
const prop = (page, name) => el(page).evaluate((e, n) => e[n], name);
const at = (page, seconds) => until(async () => (await prop(page, "currentTime")) >= seconds, `position ${seconds}`, LONG);

/** What has the focus, whether that is seen, and what is said of it. */
const focused = (page) => page.evaluate(() => {
  let node = document.activeElement;
  while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
  // Inside media-chrome's sliders the focus is on an input; the control is around it.
  const control = node?.type === "range" ? node.getRootNode().host : node;
  const seen = (e) => {
    const { outlineStyle, outlineWidth, outlineColor, boxShadow } = getComputedStyle(e);
    const clear = (color) => color.includes("rgba(0, 0, 0, 0)") || color === "transparent";
    return (outlineStyle !== "none" && parseFloat(outlineWidth) >= 1 && !clear(outlineColor)) || (boxShadow !== "none" && /2px|3px/.test(boxShadow) && !clear(boxShadow));
  };
  const box = control?.getBoundingClientRect();
  const parts = control ? [control, ...(control.shadowRoot?.querySelectorAll("*") ?? [])] : [];
  return {
    name: [control?.localName, control?.getAttribute("aria-label") || node?.getAttribute("aria-label") || control?.textContent?.trim().replace(/\s+/g, " ")].filter(Boolean).join(" "),
    seen: node?.matches(":focus-visible") && parts.some(seen),
    inSight: !!box && box.width > 8 && box.height > 8,
  };
});

/** Waits until the focus is on something of that name, and sees that it shows. */
async function on(page, pattern) {
  let last;
  await until(async () => pattern.test((last = await focused(page)).name), `the focus on ${pattern}`, LONG).catch(() => assert.fail(`the focus is on ${JSON.stringify(last)}, not on ${pattern}`));
  await until(async () => { // sliders grow while they have it
    last = await focused(page);
    return last.seen && last.inSight;
  }, "a focus that shows", LONG).catch(() => assert.fail(`the focus does not show: ${JSON.stringify(last)}`));
  return last.name;
}
const press = async (page, ...keys) => { for (const key of keys) await page.keyboard.press(key); };
const tabTo = async (page, pattern) => {
  await press(page, "Tab");
  return on(page, pattern);
};

async function playing(page) {
  await press(page, "Tab");
  await on(page, /^button Play: Counter/);
  await press(page, "Enter");
  await at(page, 0.3);
  await on(page, /^media-play-button/);
}

const spoken = () => ({
  hls_url: `${env.ours}/hls/spoken/multivariant.m3u8`, share_url: "https://example.com/watch/film",
  chapters: [{ start_seconds: 0, title: "One" }, { start_seconds: 6, title: "Two" }],
  captions: [{ language: "en", label: "English", kind: "captions", url: `${env.ours}/hls/captioned/subs_0.vtt` }, { language: "de", label: "Deutsch", kind: "subtitles", url: `${env.ours}/hls/captioned/subs_1.vtt` }],
});

/** Opens the settings and goes down to an entry. */
async function entry(page, pattern) {
  await on(page, /^media-settings-menu-button/);
  await press(page, "Enter");
  await on(page, /^media-settings-menu-item|^media-chrome-menu-item/);
  for (let i = 0; i < 12 && !pattern.test((await focused(page)).name); i++) await press(page, "ArrowDown");
  await on(page, pattern);
}

/** Opens one of the lists behind the settings and takes an item of it. */
async function choose(page, list, item) {
  await entry(page, list);
  await press(page, "Enter");
  await on(page, /^media-chrome-menu-item/);
  for (let i = 0; i < 12 && !item.test((await focused(page)).name); i++) await press(page, "ArrowDown");
  await on(page, item);
  await press(page, "Enter");
}

/** Closes what is left of the menus. */
const back = async (page) => {
  for (let i = 0; i < 3 && !/^media-settings-menu-button/.test((await focused(page)).name); i++) await press(page, "Escape");
  await on(page, /^media-settings-menu-button/);
};

test("every control of the player is reached by the tab key, shows the focus, and works", async () => {
  env.world.media.film = spoken();
  const page = await open("muted");
  await playing(page);
  await press(page, "Space");
  await until(() => prop(page, "paused"), "the pause", LONG);

  await tabTo(page, /^media-time-range/);
  const before = await prop(page, "currentTime");
  await press(page, "ArrowRight");
  await until(async () => Math.abs((await prop(page, "currentTime")) - before - 5) < 0.1, "five seconds ahead", LONG);
  await press(page, "Home");
  await until(async () => (await prop(page, "currentTime")) === 0, "the start", LONG);

  await tabTo(page, /^media-mute-button/);
  await press(page, "Enter");
  await until(async () => !(await prop(page, "muted")), "the sound", LONG);
  await tabTo(page, /^media-volume-range/);
  await press(page, "ArrowLeft");
  await until(async () => (await prop(page, "volume")) < 1, "less sound", LONG);

  await tabTo(page, /^media-captions-menu-button/);
  await press(page, "Enter");
  await on(page, /^media-chrome-menu-item/);
  for (let i = 0; i < 4 && !/Deutsch/.test((await focused(page)).name); i++) await press(page, "ArrowDown");
  await on(page, /Deutsch/);
  await press(page, "Enter");
  const shown = () => page.locator("vitascope-player video").evaluate((v) => [...v.textTracks].find((t) => t.mode === "showing" && t.kind !== "metadata")?.language);
  await until(async () => (await shown()) === "de", "the German captions", LONG);
  for (let i = 0; i < 2 && !/^media-captions-menu-button/.test((await focused(page)).name); i++) await press(page, "Escape");
  await on(page, /^media-captions-menu-button/);

  await tabTo(page, /^media-settings-menu-button/);
  await choose(page, /Chapters/, /Two/);
  await until(async () => (await prop(page, "currentTime")) === 6, "the second chapter", LONG);
  await back(page);
  await choose(page, /Quality/, /360p/);
  await until(async () => /360/.test(await el(page).evaluate((e) => String(e.videoQuality))), "the quality", LONG);
  await back(page);
  await choose(page, /Speed/, /1\.5/);
  await until(async () => (await prop(page, "playbackRate")) === 1.5, "the speed", LONG);
  await back(page);
  await choose(page, /Audio/, /Deutsch/);
  await until(() => page.locator("vitascope-player video").evaluate((v) => [...v.audioTracks].find((t) => t.enabled)?.language === "de"), "the German sound", LONG);
  await back(page);
  await choose(page, /Caption size/, /Large$/);
  await until(() => page.locator("vitascope-player media-controller").evaluate((c) => c.style.getPropertyValue("--caption-scale") === "1.5"), "larger captions", LONG);
  await back(page);

  await entry(page, /Transcript/);
  await press(page, "Enter");
  await on(page, /^input Find in the transcript/);
  await page.keyboard.type("willkommen");
  await tabTo(page, /^button .*willkommen/);
  await press(page, "Enter");
  await until(async () => (await prop(page, "currentTime")) === 0, "the line that was chosen", LONG);
  await press(page, "Shift+Tab");
  await on(page, /^input/);
  await press(page, "Shift+Tab");
  await on(page, /Close the transcript/);
  await press(page, "Enter");
  await on(page, /^media-settings-menu-button/);
  await entry(page, /Transcript/);
  await press(page, "Space");
  await on(page, /^input Find in the transcript/);
  await press(page, "Escape");
  await on(page, /^media-settings-menu-button/);
  await entry(page, /Keyboard shortcuts/);
  await press(page, "Enter");
  await on(page, /^button Close/);
  await press(page, "Escape");
  await on(page, /^media-settings-menu-button/);

  await tabTo(page, /^media-pip-button/);
  await press(page, "Enter");
  await until(() => page.evaluate(() => document.pictureInPictureElement !== null), "picture in picture", LONG);
  await press(page, "Enter");
  await until(() => page.evaluate(() => document.pictureInPictureElement === null), "the picture back", LONG);
  await tabTo(page, /^media-fullscreen-button/);
  await press(page, "Enter");
  await until(() => page.evaluate(() => document.fullscreenElement !== null), "the full screen", LONG);
  await on(page, /^media-fullscreen-button/);
  await press(page, "Enter");
  await until(() => page.evaluate(() => document.fullscreenElement === null), "the page again", LONG);
  await tabTo(page, /^a After/);
  await press(page, "Shift+Tab");
  await on(page, /^media-fullscreen-button/);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("the end offers to watch again, and what a key asks for while that shows is done", async () => {
  env.world.media.film = spoken();
  const page = await open("muted");
  await playing(page);
  await tabTo(page, /^media-time-range/);
  await press(page, "End");
  await on(page, /^button Watch again/);
  await tabTo(page, /^button Copy link/);
  await press(page, "Shift+Tab");
  await on(page, /^button Watch again/);
  await press(page, "Enter");
  await until(async () => (await prop(page, "currentTime")) < 6 && !(await prop(page, "paused")), "the start again", LONG);
  await on(page, /^media-play-button/);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("the next video is at hand when one has ended, and takes the focus with it", async () => {
  env.world.media = { film: spoken(), other: { name: "Another" } };
  const page = await open('muted playlist="film other"');
  // The seconds until the next one starts by itself do not pass.
  await page.evaluate(() => {
    const { setInterval } = window;
    window.setInterval = (run, ms, ...rest) => setInterval(run, ms === 1000 ? 3_600_000 : ms, ...rest);
  });
  await playing(page);
  await tabTo(page, /^media-time-range/);
  await press(page, "End");
  await on(page, /^button Play next/);
  await tabTo(page, /^button Stay here/);
  await press(page, "Enter");
  await on(page, /^media-play-button/);
  await tabTo(page, /^media-time-range/);
  await press(page, "Home");
  await until(async () => (await prop(page, "currentTime")) === 0, "the start", LONG);
  await el(page).evaluate((e) => e.play());
  await press(page, "End");
  await on(page, /^button Play next/);
  await press(page, "Enter");
  await until(async () => (await prop(page, "name")) === "Another" && (await prop(page, "currentTime")) > 0, "the next one", LONG);
  await on(page, /^media-play-button/);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("after a failure trying again is reached, and leaves the focus at the controls", async () => {
  env.world.media.film = {};
  const page = await open("muted");
  env.world.missing = "_4.m4s";
  await playing(page);
  await page.getByRole("button", { name: "Try again" }).waitFor({ timeout: 120_000 }); // after its tries
  env.world.missing = "";
  await until(async () => {
    if (/Try again/.test((await focused(page)).name)) return true;
    await press(page, "Tab");
    return false;
  }, "the tab key to reach it", LONG);
  await on(page, /^button Try again/);
  await press(page, "Enter");
  await on(page, /^media-play-button/);
  await page.context().close();
});

test("a gate is answered or skipped, an offer passed, a link followed", async () => {
  env.world.media.film = {
    leads_url: `${env.ours}/leads`,
    player: { actions: [
      { id: "gate1", type: "gate", at_seconds: 1, text: "Your address", fields: ["name", "company", "phone"], consent: "News by mail" },
      { id: "gate2", type: "gate", at_seconds: 3, text: "Once more", skippable: true },
      { id: "cta1", type: "cta", at_seconds: 5, text: "Words alone" },
      { id: "cta2", type: "cta", at_seconds: 7, text: "Buy now", button: "Shop", url: "https://example.com/buy" },
      { id: "note1", type: "annotation", at_seconds: 8, text: "Read more", url: "https://example.com/more" },
    ] },
  };
  const page = await open("muted");
  await page.context().route("https://example.com/**", (route) => route.fulfill({ contentType: "text/html", body: "<title>Example</title>" }));
  await playing(page);
  await on(page, /^input/);
  await page.keyboard.type("ann@example.com");
  for (const words of ["Ann", "Example", "Rockets", "123"]) {
    await press(page, "Tab");
    await on(page, /^input/);
    await page.keyboard.type(words);
  }
  await press(page, "Tab");
  await on(page, /^input/);
  await press(page, "Space");
  await tabTo(page, /^button Watch/);
  await press(page, "Tab"); // it stays in what is asked
  await on(page, /^input/);
  await press(page, "Shift+Tab");
  await on(page, /^button Watch/);
  await press(page, "Enter");
  await until(() => env.world.leads.length === 1, "the lead", LONG);
  const { email, first_name, last_name, company, phone } = env.world.leads[0];
  assert.deepEqual([email, first_name, last_name, company, phone], ["ann@example.com", "Ann", "Example", "Rockets", "123"]);

  await until(() => page.getByRole("heading", { name: "Once more" }).isVisible(), "the second gate", LONG);
  await on(page, /^input/);
  await tabTo(page, /^button Watch/);
  await tabTo(page, /^button Skip/);
  await press(page, "Enter");
  await until(() => page.getByRole("heading", { name: "Words alone" }).isVisible(), "the words", LONG);
  await on(page, /^button Go on watching/);
  await press(page, "Escape");
  await until(() => page.getByRole("heading", { name: "Buy now" }).isVisible(), "the offer", LONG);
  await on(page, /^a Shop/);
  const shop = page.context().waitForEvent("page");
  await press(page, "Enter");
  await (await shop).close();
  await on(page, /^a Shop/);
  await tabTo(page, /^button Go on watching/);
  await press(page, "Enter");
  await at(page, 8.2);
  await page.keyboard.press("k");
  await until(() => prop(page, "paused"), "the pause", LONG);
  await until(async () => { // after the controls
    if (/^a Read more/.test((await focused(page)).name)) return true;
    await press(page, "Tab");
    return false;
  }, "the tab key to reach the link", LONG);
  await on(page, /^a Read more/);
  const more = page.context().waitForEvent("page");
  await press(page, "Enter");
  await (await more).close();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

for (const mode of ["link", "popover"]) {
  test(`the dialog (${mode}) opens and closes, its panels close first, and the focus goes back`, async () => {
    env.world.media.film = spoken();
    const page = await open(`mode=${mode} muted`, mode === "link" ? "Watch the film" : "");
    const opener = mode === "link" ? /^button Watch the film/ : /^button Play: Counter/;
    await tabTo(page, opener);
    await press(page, "Enter");
    await at(page, 0.3);
    const shown = () => el(page).evaluate((e) => e.shadowRoot.querySelector("dialog").open);
    assert.ok(await shown());
    await press(page, "k");
    await until(() => prop(page, "paused"), "the pause", LONG);
    await until(async () => {
      if (/^media-settings-menu-button/.test((await focused(page)).name)) return true;
      await press(page, "Tab");
      return false;
    }, "the tab key to reach the settings", LONG);
    await on(page, /^media-settings-menu-button/);
    await press(page, "Enter");
    await on(page, /^media-settings-menu-item/);
    await press(page, "Escape");
    await on(page, /^media-settings-menu-button/);
    assert.ok(await shown(), "the menu closes first");
    await entry(page, /Transcript/);
    await press(page, "Enter");
    await on(page, /^input Find/);
    await press(page, "Escape");
    await on(page, /^media-settings-menu-button/);
    assert.ok(await shown(), "the transcript closes first");
    await entry(page, /Keyboard shortcuts/);
    await press(page, "Enter");
    await on(page, /^button Close/);
    await press(page, "Escape");
    await on(page, /^media-settings-menu-button/);
    assert.ok(await shown(), "the list of keys closes first");
    await press(page, "Escape");
    await until(async () => !(await shown()), "the dialog to close", LONG);
    await until(() => prop(page, "paused"), "the pause", LONG);
    await on(page, opener);
    await press(page, "Enter");
    await until(async () => (await shown()) && !(await prop(page, "paused")), "the dialog again", LONG);
    await until(async () => {
      if (/Close the video/.test((await focused(page)).name)) return true;
      await press(page, "Shift+Tab");
      return false;
    }, "the way to the button that closes", LONG);
    await on(page, /Close the video/);
    await press(page, "Enter");
    await until(async () => !(await shown()), "the dialog to close", LONG);
    await on(page, opener);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });
}

test("a dialog opened again before its closing was told plays on", async () => {
  env.world.media.film = spoken();
  const page = await open("mode=popover muted");
  await tabTo(page, /^button Play: Counter/);
  await press(page, "Enter");
  await at(page, 0.3);
  const told = await el(page).evaluate(async (e) => {
    const told = [];
    for (const name of ["popover-show", "popover-hide"]) e.addEventListener(name, () => told.push(name));
    const dialog = e.shadowRoot.querySelector("dialog");
    const closed = new Promise((resolve) => dialog.addEventListener("close", resolve));
    dialog.close();
    e.shadowRoot.querySelector("button").click();
    await closed;
    return told;
  });
  assert.deepEqual(told, []);
  assert.equal(await prop(page, "paused"), false);
  const from = await prop(page, "currentTime");
  await at(page, from + 0.3);
  await press(page, "Escape");
  await until(() => prop(page, "paused"), "the pause", LONG);
  await on(page, /^button Play: Counter/);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

for (const what of ["Transcript", "Keyboard shortcuts"]) {
  test(`escape while it is on its way calls off: ${what}`, async () => {
    env.world.media.film = spoken();
    const page = await open("muted");
    let release;
    const held = new Promise((resolve) => (release = resolve));
    let asked = false;
    await page.route(/\/(transcript|keys)-[^/]*\.js/, async (route) => {
      asked = true;
      await held;
      await route.continue();
    });
    await playing(page);
    await until(async () => {
      if (/^media-settings-menu-button/.test((await focused(page)).name)) return true;
      await press(page, "Tab");
      return false;
    }, "the tab key to reach the settings", LONG);
    await entry(page, new RegExp(what));
    await press(page, "Enter");
    await until(() => asked, "the request for it", LONG);
    await press(page, "Escape");
    const came = page.waitForResponse(/\/(transcript|keys)-/);
    release();
    await (await came).finished();
    // What was called off would open in the turn that runs the module.
    await page.evaluate(() => new Promise((done) => setTimeout(done, 300)));
    assert.equal(await page.getByRole(what === "Transcript" ? "region" : "dialog", { name: what }).count(), 0);
    // Asked for again, it comes.
    await back(page);
    await entry(page, new RegExp(what));
    await press(page, "Enter");
    await page.getByRole(what === "Transcript" ? "region" : "dialog", { name: what }).waitFor();
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });
}
