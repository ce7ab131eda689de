import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, expect, test } from "vitest";
// @ts-expect-error the build is plain JavaScript
import { buildPlayer } from "../build.mjs";

/** What a page pays before anyone wants to watch, and until the first frame. */
const budget: Record<string, number> = { facade: 2.4 * 1024, player: 170_000, page_css: 3000 };

const folder = mkdtempSync(`${tmpdir()}/vitascope-player-build-`);
afterAll(() => rmSync(folder, { recursive: true }));

test("the bundles stay within their gzip budgets", async () => {
  const sizes = (await buildPlayer(folder)) as Record<string, number>;
  for (const [name, bytes] of Object.entries(sizes)) {
    console.log(`${name} ${bytes} B gz, budget ${budget[name]}`);
    expect(bytes, name).toBeLessThanOrEqual(budget[name] ?? 0);
  }
});
