import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, expect, test } from "vitest";
// @ts-expect-error the build is plain JavaScript
import { buildPlayer } from "../build.mjs";

/**
 * What a page pays before anyone wants to watch, until the first frame, and
 * for all that a play loads by itself: facade, engine, controls. The last two
 * are below lite-youtube-embed's 2.4 KB and Wistia's 177 KB.
 */
const budget: Record<string, number> = { facade: 2400, first_frame: 120_000, first_play: 170_000, page_css: 3000 };
/** For each file that comes only when it is wanted. */
const LATE = 16_000;

const folder = mkdtempSync(`${tmpdir()}/vitascope-player-build-`);
afterAll(() => rmSync(folder, { recursive: true }));

test("the bundles stay within their gzip budgets", async () => {
  const { late, ...sizes } = (await buildPlayer(folder)) as Record<string, number> & { late: Record<string, number> };
  for (const [name, bytes] of Object.entries(sizes as Record<string, number>)) {
    console.log(`${name} ${bytes} B gz, budget ${budget[name]}`);
    expect(bytes, name).toBeLessThanOrEqual(budget[name] ?? 0);
  }
  for (const [name, bytes] of Object.entries(late)) {
    console.log(`late ${name} ${bytes} B gz, budget ${LATE}`);
    expect(bytes, name).toBeLessThanOrEqual(LATE);
  }
});
