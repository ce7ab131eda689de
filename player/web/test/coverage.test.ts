import { expect, test } from "vitest";
import { Coverage } from "../src/beacon/coverage";

test("the first time over is not a repeat", () => {
  const c = new Coverage();
  expect(c.add(0, 1000)).toEqual([{ from: 0, to: 1000, repeat: false }]);
  expect(c.total).toBe(1000);
});

test("an interval is split where new and old meet", () => {
  const c = new Coverage();
  c.add(1000, 2000);
  c.add(3000, 4000);
  expect(c.add(500, 5000)).toEqual([
    { from: 500, to: 1000, repeat: false },
    { from: 1000, to: 2000, repeat: true },
    { from: 2000, to: 3000, repeat: false },
    { from: 3000, to: 4000, repeat: true },
    { from: 4000, to: 5000, repeat: false },
  ]);
  expect(c.spans).toEqual([{ from: 500, to: 5000 }]);
});

test("touching intervals become one and neither repeats the other", () => {
  const c = new Coverage();
  c.add(0, 1000);
  expect(c.add(1000, 2000)).toEqual([{ from: 1000, to: 2000, repeat: false }]);
  expect(c.spans).toEqual([{ from: 0, to: 2000 }]);
});

test("empty and backward intervals are nothing", () => {
  const c = new Coverage();
  expect(c.add(5, 5)).toEqual([]);
  expect(c.add(6, 5)).toEqual([]);
  expect(c.add(Number.NaN, 5)).toEqual([]);
  expect(c.spans).toEqual([]);
});

test("against a second-by-second model, on many random walks", () => {
  let seed = 7;
  const random = (n: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % n;
  };
  for (let walk = 0; walk < 200; walk++) {
    const c = new Coverage();
    const seen = new Array<boolean>(60).fill(false);
    for (let step = 0; step < 20; step++) {
      const from = random(60);
      const to = Math.min(60, from + random(12));
      const pieces = c.add(from, to);
      const flat = pieces.flatMap((p) => Array.from({ length: p.to - p.from }, (_, i) => [p.from + i, p.repeat]));
      expect(flat).toEqual(Array.from({ length: to - from }, (_, i) => [from + i, seen[from + i]]));
      seen.fill(true, from, Math.max(from, to));
    }
    expect(c.total).toBe(seen.filter(Boolean).length);
    c.spans.forEach((s, i) => expect(i === 0 || s.from > (c.spans[i - 1]?.to ?? -1)).toBe(true));
  }
});
