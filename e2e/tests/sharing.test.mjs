// What a marketer sets in the dashboard holds on another site's page.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { API, until } from "../lib/api.mjs";
import { assertAccessible } from "../lib/axe.mjs";
import { findVideo, hostSite, openPage, startBrowser } from "../lib/browser.mjs";
import { h264mp4 } from "../lib/media.mjs";
import { freePort, Server, tempDir } from "../lib/process.mjs";
import { uploadThroughPage } from "../lib/scenario.mjs";

const plays = (page) => until("a video that plays", () => page.evaluate(`(() => { const v = ${findVideo}; return v && !v.paused && v.currentTime > 0.3; })()`));

/** Opens a new visitor's page on a site that embeds the code. */
async function visit(t, browser, code) {
  const page = await openPage(await browser.newContext());
  await page.goto((await hostSite(t, code)).url);
  return page;
}

test("access, captions and chapters are set in the dashboard and hold on other sites", async (t) => {
  const dir = tempDir(t);
  const data = join(dir, "data");
  const [file, server, browser] = await Promise.all([
    h264mp4(dir, { seconds: 12 }),
    Server.start(t, { data, port: await freePort() }),
    startBrowser(t),
  ]);
  const api = API.ofDataFolder(server.url, data);
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const dashboard = await openPage(context);
  const id = await uploadThroughPage(dashboard, server.loginURL, file);
  const look = async (name) => {
    await assertAccessible(dashboard, name);
    if (process.env.SHOTS_DIR) await dashboard.screenshot({ path: join(process.env.SHOTS_DIR, `${name}.png`), fullPage: true });
  };

  // What is there already comes late: until then nobody can change what it would replace.
  for (const late of ["access", "chapters"]) {
    await dashboard.route(`**/v1/media/*/${late}`, async (route) => {
      await sleep(1500);
      await route.continue();
    }, { times: 1 });
  }
  await dashboard.goto(`${server.url}/#/media/${id}`);
  await dashboard.getByRole("tab", { name: "Share & access" }).click();
  const code = await until("the embed code", () => dashboard.getByTestId("chosen-code").inputValue());
  const form = dashboard.getByTestId("access-form");
  /** Saves, and waits until the origin answers a site's page as it should. */
  const save = async (status, origin = "http://localhost:1") => {
    await form.getByRole("button", { name: "Save access" }).click();
    await form.getByText(/^Saved\./).waitFor();
    await until(`the origin to answer ${status}`, async () =>
      (await fetch(`${server.url}/embed/medias/${id}/config.json`, { headers: { Origin: origin } })).status === status);
  };

  await t.test("a password is asked for, and opens the video", async () => {
    await form.getByLabel("Ask for a password").check();
    await form.getByLabel("Password", { exact: true }).fill("open sesame");
    await save(401);
    const page = await visit(t, browser, code);
    await page.getByLabel("This video has a password").fill("open, please");
    await page.getByRole("button", { name: "Watch" }).click();
    await page.getByText("That is not the password.").waitFor();
    await page.getByLabel("This video has a password").fill("open sesame");
    await page.getByRole("button", { name: "Watch" }).click();
    await page.getByRole("button", { name: /^Play/ }).click();
    await plays(page);
    assert.equal((await fetch(`${server.url}/hls/${id}/multivariant.m3u8`)).status, 401);
    await page.context().close();
  });

  await t.test("a frame or a picture of one's own becomes the poster", async () => {
    await dashboard.reload();
    await dashboard.getByText("Poster", { exact: true }).click();
    const poster = dashboard.getByTestId("poster");
    const address = () => poster.getByRole("img").getAttribute("src");
    const first = await address();
    await poster.getByRole("button", { name: /^Use the frame at/ }).click();
    await until("the frame as the poster", async () => (await address()) !== first);
    const second = await address();
    await poster.getByRole("button", { name: "Upload picture" }).click();
    await poster.getByText("Choose a JPEG, PNG, GIF or WebP picture.").waitFor();
    await poster.getByLabel("Or a picture of your own").setInputFiles({ name: "own.png", mimeType: "image/png", buffer: await dashboard.screenshot() });
    await poster.getByRole("button", { name: "Upload picture" }).click();
    await until("the picture as the poster", async () => (await address()) !== second);
    await poster.getByText("This is the poster now.").waitFor();
    await look("poster");
    assert.equal((await fetch(await address())).headers.get("content-type"), "image/jpeg");
    await dashboard.getByText("Poster", { exact: true }).click();
  });

  await t.test("people of the account watch it in the dashboard all the same", async () => {
    await dashboard.reload();
    await dashboard.getByRole("button", { name: /^Play/ }).click();
    await plays(dashboard);
    await dashboard.evaluate(`${findVideo}.pause()`);
    await dashboard.getByRole("tab", { name: "Share & access" }).click();
  });

  await t.test("a site that is not on the list is told so inside the player", async () => {
    await form.getByLabel("Ask for a password").uncheck();
    await form.getByLabel("Only on some sites").check();
    await form.getByLabel("Sites, one in each line").fill("https://Example.com/page");
    await look("access");
    await save(403);
    assert.equal(await form.getByLabel("Sites, one in each line").inputValue(), "example.com");
    const refused = await visit(t, browser, code);
    await refused.getByText("This video may not be shown on this site.").waitFor();
    await refused.context().close();
    await form.getByLabel("Sites, one in each line").fill("example.com\nlocalhost");
    await save(200);
    const shown = await visit(t, browser, code);
    await shown.getByRole("button", { name: /^Play/ }).click();
    await plays(shown);
    await shown.context().close();
  });

  await t.test("a private video opens by a share link alone, until that is revoked", async () => {
    await form.getByLabel("Only on some sites").uncheck();
    await form.getByRole("radio", { name: /^Private/ }).check();
    await save(404);
    await dashboard.getByLabel("For whom").fill("Press");
    await dashboard.getByRole("button", { name: "Make link" }).click();
    const link = await until("the link", () => dashboard.getByTestId("share-link").inputValue());
    await look("links");
    const guest = await openPage(await browser.newContext());
    await guest.goto(`${server.url}/watch/${id}`);
    assert.match(await guest.textContent("body"), /not|gone|no video/i);
    await assertAccessible(guest, "watch page of a private video");
    await guest.goto(link);
    await guest.getByRole("button", { name: /^Play/ }).waitFor();
    await assertAccessible(guest, "share page");
    await guest.getByRole("button", { name: /^Play/ }).click();
    await plays(guest);
    assert.ok(!guest.url().includes("token"), "the token has left the address bar");
    await dashboard.getByRole("button", { name: "Revoke the link for Press" }).click();
    await until("the link to end", async () => {
      await guest.goto("about:blank");
      await guest.goto(link);
      const gone = guest.getByText("This video is not available.");
      await gone.or(guest.getByRole("button", { name: /^Play/ })).first().waitFor();
      return gone.isVisible();
    });
    await guest.context().close();
    await form.getByRole("radio", { name: /^Public/ }).check();
    await save(200);
  });

  await t.test("captions and chapters come to the player", async () => {
    await dashboard.getByRole("tab", { name: "Captions & chapters" }).click();
    const srt = join(dir, "words.srt");
    writeFileSync(srt, "1\n00:00:00,000 --> 00:00:10,000\nHello there\n");
    await dashboard.getByLabel("File, .srt or .vtt").setInputFiles(srt);
    await dashboard.getByTestId("captions-form").getByRole("button", { name: "Upload" }).click();
    await dashboard.getByTestId("captions").getByText("English").waitFor();
    const chapters = dashboard.getByTestId("chapters-form");
    for (const [i, [at, title]] of [["0:00", "Start"], ["0:06", "The <b>end</b>"]].entries()) {
      await chapters.getByRole("button", { name: /^Add chapter/ }).click();
      await chapters.getByLabel(`Start of chapter ${i + 1}`).fill(at);
      await chapters.getByLabel(`Title of chapter ${i + 1}`).fill(title);
    }
    await chapters.getByRole("button", { name: "Save chapters" }).click();
    await chapters.getByText(/^Saved\./).waitFor();
    await look("tracks");
    const config = await until("both in the player's config", async () => {
      const c = await (await fetch(`${server.url}/embed/medias/${id}/config.json`)).json();
      return c.captions?.length === 1 && c.chapters?.length === 2 && c;
    });
    assert.equal(config.captions[0].language, "en");
    assert.deepEqual(config.chapters.map((c) => c.start_seconds), [0, 6]);
    assert.match(await (await fetch(config.captions[0].url)).text(), /Hello there/);
    const guest = await openPage(await browser.newContext());
    await guest.goto(`${server.url}/watch/${id}`);
    await guest.getByRole("button", { name: /^Play/ }).waitFor();
    await assertAccessible(guest, "watch page");
    // By keys alone: the first thing the tab key reaches plays it, and shows that it has the focus.
    await guest.keyboard.press("Tab");
    const focus = await guest.evaluate(() => {
      const at = document.activeElement.shadowRoot.activeElement;
      return [at.ariaLabel, at.matches(":focus-visible") && getComputedStyle(at).outlineStyle !== "none"];
    });
    assert.match(focus[0], /^Play/);
    assert.ok(focus[1], "the focus shows");
    await guest.keyboard.press("Enter");
    await plays(guest);
    await guest.evaluate(`${findVideo}.pause()`);
    await guest.locator("media-settings-menu-button").waitFor();
    await assertAccessible(guest, "watch page, paused");
    assert.deepEqual(guest.problems, []);
    await guest.context().close();
  });

  await t.test("a video that is chosen to follow plays after it, in the same place", async () => {
    const second = await api.uploadFile(await h264mp4(dir, { seconds: 8, name: "encore.mp4" }), "encore.mp4");
    await api.waitFor(second, ["playable", "ready"]);
    await dashboard.getByRole("tab", { name: "Share & access" }).click();
    await dashboard.getByRole("button", { name: "Add a video that plays after it" }).click();
    await dashboard.getByLabel("Video to play after it").fill("encore");
    await dashboard.getByRole("option", { name: "encore.mp4" }).click();
    const following = dashboard.getByRole("group", { name: "Plays after it" });
    await following.getByText("encore.mp4").waitFor();
    await look("playlist");
    const playlist = await until("the code to name it", async () => {
      const text = await dashboard.getByTestId("chosen-code").inputValue();
      return text.includes(` playlist="${second}"`) && text;
    });
    const page = await visit(t, browser, playlist);
    // The seconds until it starts by itself do not pass: it is asked for.
    await page.evaluate("{ const { setInterval } = window; window.setInterval = (run, ms, ...rest) => setInterval(run, ms === 1000 ? 3_600_000 : ms, ...rest); }");
    await page.getByRole("button", { name: /^Play:/ }).click();
    await plays(page);
    await page.evaluate(`${findVideo}.currentTime = 11`);
    await page.getByRole("group", { name: "Next video" }).getByRole("button", { name: "Play next" }).click();
    await until("the other to play with its sound", () => page.evaluate(`(() => {
      const v = ${findVideo};
      const el = document.querySelector("vitascope-player");
      return el.config?.media_id === "${second}" && v.currentTime > 0.3 && v.webkitAudioDecodedByteCount > 0;
    })()`));
    assert.deepEqual(page.problems, []);
    await page.context().close();
    await following.getByRole("button", { name: "Remove video 1" }).click();
    await until("the code to forget it", async () => !(await dashboard.getByTestId("chosen-code").inputValue()).includes("playlist"));
  });

  await t.test("on a phone every place is in sight, and a row of tabs that goes on says so", async () => {
    await dashboard.setViewportSize({ width: 390, height: 844 });
    const places = dashboard.getByRole("navigation", { name: "Main" });
    const inSight = (part) => part.evaluate((e) => {
      const { left, right } = e.getBoundingClientRect();
      return left >= 0 && right <= innerWidth;
    });
    for (const name of ["Library", "Analytics", "Leads", "Settings"]) assert.ok(await inSight(places.getByRole("link", { name })), name);
    const row = dashboard.locator(".strip").filter({ has: dashboard.getByRole("tablist") });
    const beyond = () => row.evaluate((e) => [e.hasAttribute("data-before"), e.hasAttribute("data-after")]);
    for (const [name, edges] of [["Captions & chapters", [true, false]], ["Analytics", [false, true]]]) {
      const tab = dashboard.getByRole("tab", { name });
      await tab.focus();
      await dashboard.keyboard.press("Enter");
      await until(`${name} in sight`, () => inSight(tab));
      await until(`the edges at ${name}`, async () => String(await beyond()) === String(edges));
    }
    await look("phone");
    assert.ok(await dashboard.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing pushes the page wide");
    await dashboard.setViewportSize({ width: 1280, height: 900 });
    await until("no edges where all of it fits", async () => String(await beyond()) === "false,false");
  });
  assert.equal((await api.call("GET", `/v1/media/${id}/access`)).visibility, "public");
  assert.deepEqual(dashboard.problems, [], "no errors in the dashboard");
});
