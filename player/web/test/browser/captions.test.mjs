// Captions at twice their size, by the menu or by the browser's zoom: all words are in
// the picture, above the controls, whole, and stand out from whatever is behind them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPage, start, until } from "./fixture.mjs";

const SPOKEN = ["We launched the second rocket from the northern pad at dawn,", "and nobody in the whole control room dared to breathe."];

let env;
before(async () => {
  env = await start({ seconds: 12 });
  env.world.pages["/captions.vtt"] = `WEBVTT\n\n00:00.000 --> 00:12.000\n${SPOKEN.join("\n")}\n`;
  env.world.media.film = { captions: [{ language: "en", label: "English", kind: "captions", url: `${env.ours}/captions.vtt` }] };
});
after(() => env.close());

async function open(options) {
  env.world.pages["/"] = `<!doctype html><html lang=en><meta charset=utf-8><title>t</title><script type=module src="${env.ours}/player.js"></script>
<body style="margin:0"><vitascope-player media-id=film muted captions=en></vitascope-player>`;
  const page = await openPage(env.browser, options);
  await page.goto(env.theirs + "/");
  const player = page.locator("vitascope-player");
  await player.evaluate((e) => e.play());
  await until(() => player.evaluate((e) => e.currentTime > 0.3), "playback");
  await page.locator("media-settings-menu-button").waitFor();
  await player.evaluate((e) => e.pause());
  return page;
}

// The browser's own boxes of the words, which no page can reach.
async function words(page) {
  const cdp = await page.context().newCDPSession(page);
  const { root } = await cdp.send("DOM.getDocument", { depth: -1, pierce: true });
  const found = [];
  const walk = (node) => {
    const attributes = node.attributes ?? [];
    if (attributes[attributes.indexOf("pseudo") + 1] === "-webkit-media-text-track-display") found.push(node.backendNodeId);
    for (const child of [...(node.children ?? []), ...(node.shadowRoots ?? []), ...(node.contentDocument ? [node.contentDocument] : [])]) walk(child);
  };
  walk(root);
  const all = [];
  for (const backendNodeId of found) {
    const { object } = await cdp.send("DOM.resolveNode", { backendNodeId });
    const { result, exceptionDetails } = await cdp.send("Runtime.callFunctionOn", { objectId: object.objectId, returnByValue: true, functionDeclaration: `function () {
      const texts = [];
      const walk = (node) => node.childNodes.forEach((child) => child.nodeType === 3 ? texts.push(child) : walk(child));
      walk(this);
      const range = document.createRange();
      const rects = texts.flatMap((text) => [...text.data.matchAll(/\\S+/g)].flatMap((word) => {
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        return [...range.getClientRects()].map(({ left, top, right, bottom }) => ({ word: word[0], left, top, right, bottom }));
      }));
      const styles = texts.filter((t) => t.data.trim()).map((t) => {
        const behind = [];
        for (let e = t.parentElement; e; e = e.parentElement) behind.push(getComputedStyle(e).backgroundColor);
        const { color, fontSize } = getComputedStyle(t.parentElement);
        return { color, behind, px: parseFloat(fontSize) };
      });
      return { text: this.textContent, rects, styles };
    }` });
    assert.equal(exceptionDetails, undefined);
    all.push(result.value);
  }
  await cdp.detach();
  return all;
}

const parse = (color) => {
  const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
  return [r, g, b, a];
};
const over = ([r, g, b, a], under) => [r, g, b].map((c, i) => c * a + under[i] * (1 - a));
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => {
  const [dark, light] = [luminance(a), luminance(b)].toSorted((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
};

/** What is wrong with the captions, or nothing. */
async function wrong(page, leastPx) {
  const { picture, bar } = await page.locator("vitascope-player").evaluate((e) => {
    const box = (node) => { const { left, top, right, bottom } = node.getBoundingClientRect(); return { left, top, right, bottom }; };
    return { picture: box(e), bar: box(e.shadowRoot.querySelector("media-control-bar")) };
  });
  const [cue, more] = await words(page);
  if (!cue || more) return "not one caption";
  if (cue.text.replace(/\s+/g, " ").trim() !== SPOKEN.join(" ")) return `words: ${cue.text}`;
  for (const r of cue.rects) {
    if (r.left < picture.left - 1 || r.right > picture.right + 1 || r.top < picture.top - 1) return `out of the picture: ${JSON.stringify([r, picture])}`;
    if (r.bottom > bar.top + 1) return `behind the controls: ${JSON.stringify([r, bar])}`;
  }
  for (const { color, behind, px } of cue.styles) {
    if (px < leastPx) return `${px} px`;
    for (const film of [[255, 255, 255], [0, 0, 0], [128, 128, 128]]) {
      const under = behind.map(parse).toReversed().reduce((below, c) => over(c, below), film);
      const ratio = contrast(over(parse(color), under), under);
      if (ratio < 4.5) return `contrast ${ratio} over ${film}`;
    }
  }
  return cue.styles.length > 0 ? "" : "no words";
}

async function readable(page, leastPx) {
  let last;
  await until(async () => (last = await wrong(page, leastPx)) === "", "readable captions").catch(() => assert.fail(last));
}

for (const width of [1280, 720, 480]) {
  test(`captions of the largest size, twice the usual, are readable in a player ${width} px wide`, async () => {
    const page = await open({ viewport: { width, height: Math.round((width * 9) / 16) } });
    await readable(page, 15);
    const [usual] = (await words(page))[0].styles;
    await page.locator("media-settings-menu-button").click();
    await page.getByRole("menuitem", { name: /Caption size/ }).click();
    await page.getByRole("menuitemradio", { name: "Largest" }).click();
    await page.keyboard.press("Escape");
    await readable(page, usual.px * 2 - 0.1);
    await page.context().close();
  });
}

test("captions are readable on a page zoomed to 200 %", async () => {
  // What zoom does: half as many CSS pixels, each of twice the size.
  const page = await open({ viewport: { width: 640, height: 360 }, deviceScaleFactor: 2 });
  await readable(page, 15);
  await page.context().close();
});

for (const state of ["paused", "playing"]) {
  test(`captions follow the player's box at once when it is made narrower or wider, ${state}`, async () => {
    const page = await open({ viewport: { width: 1280, height: 720 } });
    const player = page.locator("vitascope-player");
    if (state === "playing") {
      await player.evaluate((e) => {
        e.playbackRate = 0.25; // one cue for all of it, and none that follows
        return e.play();
      });
      await page.mouse.move(300, 200);
    }
    for (const width of [400, 900, 300]) {
      await page.setViewportSize({ width, height: Math.round((width * 9) / 16) });
      await player.hover({ position: { x: 40 + width / 50, y: 40 } }); // the controls stay
      await readable(page, 15);
    }
    await page.context().close();
  });
}
