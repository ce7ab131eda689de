import { expect, test } from "vitest";
import type { BeaconEvent, WatchEvent } from "../src/beacon/event";
import { Tracker } from "../src/beacon/tracker";

/** A tracker fed by a simulated player: media time runs with the wall clock. */
function simulate(durationMs = 60_000) {
  const events: BeaconEvent[] = [];
  const tracker = new Tracker((e) => events.push(e), durationMs);
  let at = 1_790_000_000_000;
  let pos = 0;
  let rate = 1;
  return {
    tracker,
    events,
    now: () => at,
    wait: (ms: number) => (at += ms),
    start: () => {
      tracker.play(at, pos, false);
      at += 400;
      tracker.playing(at, pos, rate);
    },
    run: (ms: number, step = 100) => {
      for (let left = ms; left > 0; left -= step) {
        const d = Math.min(step, left);
        at += d;
        pos += d * rate;
        tracker.progress(at, pos);
      }
    },
    seek: (to: number) => {
      tracker.seeking(at, to);
      at += 50;
      pos = to;
      tracker.seeked(at, pos);
      tracker.playing(at, pos, rate);
    },
    setRate: (r: number) => {
      rate = r;
      tracker.rate(at, pos, r);
    },
    pause: () => tracker.pause(at, pos),
    resume: () => tracker.playing(at, pos, rate),
    end: () => tracker.end(at, pos),
    watched: () => events.filter((e): e is WatchEvent => e.k === "watch").map((e) => [e.from_ms, e.to_ms, e.repeat]),
    kinds: () => events.map((e) => e.k),
  };
}

test("a plain viewing is one interval per flush, end to end", () => {
  const p = simulate(5000);
  p.start();
  p.run(2000);
  p.tracker.flush(p.now());
  p.run(3000);
  p.end();
  expect(p.watched()).toEqual([[0, 2000, false], [2000, 5000, false]]);
  expect(p.kinds()).toEqual(["play", "startup", "watch", "watch", "end"]);
  expect(p.events[1]).toMatchObject({ took_ms: 400 });
});

test("a seek back repeats, and the interval ends where playback was", () => {
  const p = simulate();
  p.start();
  p.run(10_000);
  p.seek(4000);
  p.run(8000);
  p.pause();
  expect(p.watched()).toEqual([[0, 10_000, false], [4000, 10_000, true], [10_000, 12_000, false]]);
  expect(p.events.find((e) => e.k === "seek")).toMatchObject({ from_ms: 10_000, to_ms: 4000 });
});

test("a skip ahead leaves a hole", () => {
  const p = simulate();
  p.start();
  p.run(3000);
  p.seek(30_000);
  p.run(2000);
  p.pause();
  expect(p.watched()).toEqual([[0, 3000, false], [30_000, 32_000, false]]);
});

test("dragging the scrubber is one jump per landing and nothing watched", () => {
  const p = simulate();
  p.start();
  p.run(1000);
  p.tracker.seeking(p.now(), 9000);
  p.tracker.seeking(p.now(), 15_000);
  p.tracker.seeking(p.now(), 20_000);
  p.tracker.seeked(p.now(), 20_000);
  p.pause();
  expect(p.watched()).toEqual([[0, 1000, false]]);
  expect(p.events.filter((e) => e.k === "seek")).toHaveLength(1);
});

test("a jump that no seek announced is not counted as watched", () => {
  const p = simulate();
  p.start();
  p.run(1000);
  p.wait(100);
  p.tracker.progress(p.now(), 9000);
  p.wait(100);
  p.tracker.progress(p.now(), 9100);
  p.tracker.stop(p.now());
  expect(p.watched()).toEqual([[0, 1000, false], [9000, 9100, false]]);
});

test("samples during a seek count for nothing", () => {
  const p = simulate();
  p.start();
  p.run(1000);
  p.tracker.seeking(p.now(), 20_000);
  p.tracker.progress(p.now(), 20_000);
  p.tracker.stop(p.now());
  expect(p.watched()).toEqual([[0, 1000, false]]);
});

test("fractions of a millisecond never widen an interval", () => {
  const events: BeaconEvent[] = [];
  const t = new Tracker((e) => events.push(e), 60_000);
  t.play(1000, 100.4, true);
  t.playing(1000, 100.4, 1);
  t.progress(1500, 600.9);
  t.stop(1500);
  expect(events.filter((e) => e.k === "watch")).toMatchObject([{ from_ms: 101, to_ms: 600 }]);
});

test("an interval starts where playback was at rest, when the news of its start comes a moment late", () => {
  const events: BeaconEvent[] = [];
  const t = new Tracker((e) => events.push(e), 60_000);
  t.play(1000, 0, false);
  t.playing(1400, 30, 1);
  t.progress(1900, 530);
  t.seeking(1900, 20_000);
  t.seeked(1950, 20_010);
  t.playing(2000, 20_040, 1);
  t.progress(2100, 20_140);
  t.stop(2100);
  expect(events.filter((e) => e.k === "watch")).toMatchObject([
    { from_ms: 0, to_ms: 530 },
    { from_ms: 20_000, to_ms: 20_140 },
  ]);
});

test("each interval has one speed", () => {
  const p = simulate();
  p.start();
  p.run(1000);
  p.setRate(2);
  p.run(1000);
  p.pause();
  expect(p.events.filter((e) => e.k === "watch")).toMatchObject([
    { from_ms: 0, to_ms: 1000, rate: 1 },
    { from_ms: 1000, to_ms: 3000, rate: 2 },
  ]);
});

test("waiting for data is a rebuffer, waiting after a seek is not", () => {
  const p = simulate();
  p.start();
  p.run(1000);
  p.tracker.waiting(p.now(), 1000);
  p.wait(300);
  p.resume();
  p.run(500);
  p.tracker.seeking(p.now(), 8000);
  p.tracker.waiting(p.now(), 8000);
  p.tracker.seeked(p.now(), 8000);
  p.tracker.waiting(p.now(), 8000);
  p.wait(200);
  p.tracker.playing(p.now(), 8000);
  p.pause();
  expect(p.events.filter((e) => e.k === "rebuffer")).toMatchObject([{ pos_ms: 1000, took_ms: 300 }]);
});

test("play and startup are told once, though playback pauses and goes on", () => {
  const p = simulate();
  p.start();
  p.run(1000);
  p.pause();
  p.tracker.play(p.now(), 1000, false);
  p.resume();
  p.run(1000);
  p.pause();
  expect(p.kinds()).toEqual(["play", "startup", "watch", "pause", "watch", "pause"]);
});

test("a stall is told as it begins, so that one nobody sat through is known", () => {
  const p = simulate();
  p.start();
  p.run(1000);
  p.tracker.waiting(p.now(), 1000);
  p.tracker.waiting(p.now(), 1000);
  expect(p.events.filter((e) => e.k === "stall")).toMatchObject([{ pos_ms: 1000 }]);
});

test("seek latency runs from asking until media time moves, or until the frame when paused", () => {
  const p = simulate();
  p.start();
  p.run(1000);
  p.tracker.seeking(p.now(), 8000);
  p.wait(100);
  p.tracker.seeking(p.now(), 9000);
  p.wait(50);
  p.tracker.seeked(p.now(), 9000);
  p.wait(150);
  p.tracker.playing(p.now(), 9000);
  p.wait(100);
  p.tracker.progress(p.now(), 9100);
  p.tracker.pause(p.now(), 9100);
  p.tracker.seeking(p.now(), 2000);
  p.wait(70);
  p.tracker.seeked(p.now(), 2000);
  expect(p.events.filter((e) => e.k === "seek_wait")).toMatchObject([
    { pos_ms: 9000, took_ms: 400 },
    { pos_ms: 2000, took_ms: 70 },
  ]);
});

test("each interval has one set of conditions, and tells those that hold", () => {
  const p = simulate();
  p.tracker.conditions(p.now(), 0, { muted: true });
  p.start();
  p.run(1000);
  p.tracker.conditions(p.now(), 1000, { muted: true });
  p.tracker.conditions(p.now(), 1000, { muted: false, fullscreen: true });
  p.run(1000);
  p.tracker.conditions(p.now(), 2000, { hidden: true });
  p.run(1000);
  p.pause();
  const told = p.events.filter((e): e is WatchEvent => e.k === "watch").map(({ k, at_ms, rate, repeat, ...rest }) => rest);
  expect(told).toEqual([
    { from_ms: 0, to_ms: 1000, muted: true },
    { from_ms: 1000, to_ms: 2000, fullscreen: true },
    { from_ms: 2000, to_ms: 3000, fullscreen: true, hidden: true },
  ]);
});

test("a change of speed is told, and errors tell how bad they are", () => {
  const p = simulate();
  p.start();
  p.run(1000);
  p.setRate(2);
  p.tracker.error(p.now(), "stalled", "warning", "");
  p.run(1000);
  p.tracker.error(p.now(), "gone", true, "");
  expect(p.events.filter((e) => e.k === "rate")).toMatchObject([{ pos_ms: 1000, rate: 2 }]);
  expect(p.events.filter((e) => e.k === "error")).toMatchObject([{ severity: "warning", fatal: false }, { severity: "fatal", fatal: true }]);
  expect(p.watched()).toEqual([[0, 1000, false], [1000, 3000, false]]);
});

test("nothing reaches past the end of the media", () => {
  const p = simulate(1500);
  p.start();
  p.run(1540, 20);
  p.end();
  expect(p.watched()).toEqual([[0, 1500, false]]);
});

test("what was played to its end is reported to its duration, though its pictures end sooner", () => {
  for (const [played, reported] of [[10_000, 10_020], [9990, 10_020], [9900, 9900]] as const) {
    const p = simulate(10_020);
    p.start();
    p.run(played);
    p.end();
    expect(p.watched()).toEqual([[0, reported, false]]);
    expect(p.events.at(-1)).toMatchObject({ k: "end", pos_ms: reported });
  }
  const p = simulate(10_020);
  p.start();
  p.run(10_000);
  p.pause();
  expect(p.watched()).toEqual([[0, 10_000, false]]);
});

test("first-time pieces of any viewing are disjoint and lie within what was played", () => {
  let seed = 3;
  const random = (n: number): number => (seed = (seed * 16807) % 2147483647) % n;
  for (let viewing = 0; viewing < 100; viewing++) {
    const p = simulate();
    p.start();
    const played = new Set<number>();
    let pos = 0;
    for (let step = 0; step < 12; step++) {
      const run = Math.min(random(40) * 100, 60_000 - pos);
      for (let t = pos; t < pos + run; t += 100) played.add(t);
      p.run(run);
      pos = random(590) * 100;
      if (random(3) === 0) p.tracker.flush(p.now());
      p.seek(pos);
    }
    p.tracker.stop(p.now());
    const first = new Map<number, number>();
    for (const [from, to, repeat] of p.watched() as [number, number, boolean][]) {
      for (let t = from; t < to; t += 100) {
        expect(played.has(t)).toBe(true);
        if (!repeat) first.set(t, (first.get(t) ?? 0) + 1);
      }
    }
    expect([...first.values()].every((n) => n === 1)).toBe(true);
    expect(first.size).toBe(played.size);
  }
});

test("a pause between two milliseconds leaves no hole", () => {
  const p = simulate();
  p.start();
  p.run(3500.3);
  p.pause();
  p.wait(800);
  p.tracker.playing(p.now(), 3500.3);
  p.run(3000);
  p.pause();
  expect(p.tracker.coverage.spans).toEqual([{ from: 0, to: 6500 }]);
});
