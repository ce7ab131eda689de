// What axe-core objects to, in light and in dark.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Fails with what axe objects to on the page as it is, in light and in dark. */
export async function assertAccessible(page, what) {
  // As a debugger does: the page's policy allows no script of others.
  await page.evaluate(`window.axe || (() => { ${axe} })()`);
  for (const theme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: theme });
    const before = await page.evaluate(async (to) => {
      const { dataset } = document.documentElement;
      const was = dataset.theme;
      dataset.theme = to;
      const short = document.getAnimations().filter((a) => Number.isFinite(a.effect?.getComputedTiming().endTime));
      await Promise.allSettled(short.map((a) => a.finished));
      return was;
    }, theme);
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    assert.deepEqual(violations.map((v) => [v.id, v.nodes.map((n) => `${n.html} ${n.failureSummary}`)]), [], `${what}, ${theme}`);
    await page.evaluate((to) => (to === undefined ? delete document.documentElement.dataset.theme : (document.documentElement.dataset.theme = to)), before);
  }
  await page.emulateMedia({ colorScheme: null });
}
