import { describe, expect, it } from "vitest";

import { levelAt, levelName, paths, ranges, runs, width, words } from "./strips";

const strip = [[1, 4], [3, 2], [0, 2], [1, 2]];

describe("strips", () => {
  it("draws one path per watched level, whatever the number of stretches", () => {
    expect(paths(strip)).toEqual([
      { level: 1, d: "M0 0h4v1h-4zM8 0h2v1h-2z" },
      { level: 3, d: "M4 0h2v1h-2z" },
    ]);
    expect(paths([[0, 60]])).toEqual([]);
    expect(paths([])).toEqual([]);
  });

  it("keeps stretches in place and bounds what it does not know", () => {
    expect(runs([[9, 2], [-1, 3], [1, 0], [1], [2, 1]])).toEqual([
      { level: 5, start: 0, cells: 2 },
      { level: 0, start: 2, cells: 3 },
      { level: 2, start: 5, cells: 1 },
    ]);
  });

  it("finds the level under the pointer", () => {
    expect([0, 39, 40, 65, 99, 100].map((at) => levelAt(strip, at, 10))).toEqual([1, 1, 3, 0, 1, 0]);
    expect(levelAt([], 5, 1)).toBe(0);
  });

  it("translates cells to media time", () => {
    expect(ranges(strip, { seconds: 94.5, cellSeconds: 10 })).toEqual([
      { from: 0, to: 40, level: 1 },
      { from: 40, to: 60, level: 3 },
      { from: 80, to: 94.5, level: 1 },
    ]);
    expect(width({ seconds: 94.5, cellSeconds: 10 })).toBe(9.45);
    expect(width({ seconds: 0, cellSeconds: 1 })).toBeGreaterThan(0);
  });

  it("says what it shows", () => {
    expect(words(strip, { seconds: 100, cellSeconds: 10 }, 0.8)).toBe("Watched 80 %, 0:40 to 1:00 three times");
    expect(words([[0, 9]], { seconds: 9, cellSeconds: 1 }, 0)).toBe("Watched 0 %");
    const jumpy = Array.from({ length: 12 }, (_, i) => [i % 2 === 0 ? 2 : 1, 1]);
    expect(words(jumpy, { seconds: 12, cellSeconds: 1 }, 1)).toMatch(/^Watched 100 %, 0:00 to 0:01 twice, .*, 2 more stretches again$/);
    expect(levelName(5)).toBe("five times or more");
  });
});
