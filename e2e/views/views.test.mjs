// Scripted views in Chromium against what the figures say of each. VIEWS sets how
// many (default 10: each habit once), SEED repeats a run.
import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";

import { API, until } from "../lib/api.mjs";
import { startBrowser } from "../lib/browser.mjs";
import { h264mp4 } from "../lib/media.mjs";
import { freePort, Server, tempDir } from "../lib/process.mjs";
import { union } from "../lib/scenario.mjs";
import { assertStrip, expand } from "../lib/truth.mjs";
import { habits, random, view, witnessedSite } from "../lib/views.mjs";

const seconds = 60;
const count = Number(process.env.VIEWS ?? Object.keys(habits).length);
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const atOnce = 3;
/** What an interval's edges cannot be known better than, whatever the witness says of itself. */
const least = 0.06;

/** How much more may have played after the last word of a page that had no chance to say goodbye, at twice the speed. */
const sinceLastWord = 2.5;

/** The page loads of each script, in order. */
function grouped(loads) {
  const by = new Map();
  for (const l of loads) by.set(l.script, [...(by.get(l.script) ?? []), l]);
  return by;
}

const covered = (intervals) => union(intervals).reduce((sum, [a, b]) => sum + b - a, 0);

test(`${count} scripted views are in the figures as they were watched`, async (t) => {
  t.diagnostic(`seed ${seed}`);
  const dir = tempDir(t);
  const data = join(dir, "data");
  const [file, server, browser] = await Promise.all([
    h264mp4(dir, { seconds, size: "320x180" }), Server.start(t, { data, port: await freePort() }), startBrowser(t),
  ]);
  const api = API.ofDataFolder(server.url, data);
  const id = await api.uploadFile(file);
  await api.waitFor(id, ["ready"], { timeout: 600_000 });
  const code = `<script type="module" async src="${server.url}/player.js"></script><vitascope-player media-id="${id}"></vitascope-player>`;
  const site = await witnessedSite(t, code);

  const rand = random(seed);
  const names = Object.keys(habits);
  const todo = Array.from({ length: count }, (_, i) => ({ name: String(i), habit: names[i % names.length], rand: random(Math.floor(rand() * 2 ** 31)) }));
  const habitOf = new Map(todo.map(({ name, habit }) => [name, habit]));
  const profiles = [];
  t.after(() => Promise.all(profiles.map((close) => close())));
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let next; (next = todo.shift()); ) {
      profiles.push(await view({ ...next, browser, site, seconds, offlineSeconds: count >= 100 ? 60 : 8 }));
    }
  }));

  const truths = grouped(site.loads.values());
  const told = site.loads.size;
  const listed = await until("every view in the figures", async () => {
    const all = [];
    for (let cursor = ""; ; ) {
      const page = await api.call("GET", `/v1/stats/media/${id}/views?limit=100&cursor=${encodeURIComponent(cursor)}`);
      all.push(...page.items);
      cursor = page.next_cursor;
      if (!cursor) break;
    }
    return all.length >= told && all.every((v) => Date.now() - Date.parse(v.last_seen_at) > 30_000) ? all : null;
  }, { timeout: 120_000 });
  assert.equal(listed.length, told, "one view in the figures for each that was watched");

  const said = async (v) => {
    const res = await fetch(`${server.url}/v1/stats/exports/events?media_id=${id}`, { headers: { Authorization: `Bearer ${api.token}` } });
    const [head, ...rows] = (await res.text()).split("\n").map((line) => line.split(","));
    const at = (name) => head.indexOf(name);
    return rows.filter((r) => r[at("view_id")] === v.view_id).map((r) => ["seq", "kind", "from_ms", "to_ms"].map((c) => r[at(c)]).join(" ")).join("; ");
  };
  const wrong = [];
  for (const [script, loads] of truths) {
    const views = listed.filter((v) => new URL(v.page_url).searchParams.get("script") === script)
      .sort((a, b) => a.started_at.localeCompare(b.started_at));
    assert.equal(views.length, loads.length, `views of script ${script}`);
    for (const [i, v] of views.entries()) {
      const { intervals, left } = loads[i], blur = least + loads[i].blur;
      const what = `${habitOf.get(script.replace("-b", ""))} (${script})`;
      const surest = intervals.map(([a, b]) => [a + loads[i].blur, b - loads[i].blur]).filter(([a, b]) => a < b);
      const truth = covered(intervals), more = left ? 0 : sinceLastWord;
      assert.ok(v.watched_seconds <= truth + more + blur * intervals.length, `${what}: ${v.watched_seconds} s is above the truth, ${truth} s`);
      const longest = intervals.map(([a, b], k) => [Math.max(0, a - blur), b + blur + (k === intervals.length - 1 ? more : 0)]);
      try {
        assertStrip(expand(v.strip), surest, what, longest);
        assert.ok(covered(surest) - v.watched_seconds <= Math.max(1, truth / 100), `${what}: ${v.watched_seconds} s of ${truth} s`);
      } catch (err) {
        if (/above the truth/.test(err.message)) throw err;
        wrong.push(`${err.message}\n  it ${left ? "said goodbye" : "had no last word"}; what it said: ${await said(v)}`);
      }
    }
  }
  t.diagnostic(`${told} views, ${wrong.length} of them off by more than a second or 1 %`);
  assert.ok(wrong.length <= Math.floor(told / 100), wrong.join("\n"));
});
