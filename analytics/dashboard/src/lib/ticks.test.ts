import { describe, expect, it } from "vitest";

import { countTicks, countTop, timeTicks } from "./ticks";

describe("ticks", () => {
  it("marks round moments and leaves room at the end", () => {
    expect(timeTicks(60, 6)).toEqual([0, 10, 20, 30, 40, 50]);
    expect(timeTicks(61, 3)).toEqual([0, 30]);
    expect(timeTicks(600, 6)).toEqual([0, 120, 240, 360, 480]);
    expect(timeTicks(0.4, 6)).toEqual([0]);
    expect(timeTicks(0, 6)).toEqual([0]);
    expect(timeTicks(360_000, 5).length).toBeLessThanOrEqual(6);
  });

  it("ends count axes on round whole numbers", () => {
    expect([0, 1, 3, 5, 7, 11, 14, 118, 950].map(countTop)).toEqual([1, 1, 3, 5, 8, 12, 16, 120, 1000]);
    for (const top of [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 120, 1000]) {
      const ticks = countTicks(top);
      expect(ticks[0]).toBe(0);
      expect(ticks.at(-1)).toBe(top);
      expect(ticks.every(Number.isInteger)).toBe(true);
      expect(ticks.length).toBeLessThanOrEqual(5);
    }
  });
});
