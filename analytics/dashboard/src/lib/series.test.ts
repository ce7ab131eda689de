import { describe, expect, it } from "vitest";

import { readingAt, rows, series } from "./series";

describe("series", () => {
  it("stacks rewatches on first-time views and closes the last step at the media's end", () => {
    const s = series([4, 3, 1], [0, 2, 0], 1, 2.5);
    expect(s.x).toEqual([0, 1, 2, 2.5]);
    expect(s.first).toEqual([4, 3, 1, 1]);
    expect(s.total).toEqual([4, 5, 1, 1]);
  });

  it("takes missing rewatches as none and no cells as nothing", () => {
    expect(series([2, 2], [], 10, 20).total).toEqual([2, 2, 2]);
    expect(series([], [], 1, 0)).toEqual({ x: [], first: [], total: [], cellSeconds: 1 });
  });

  it("reads the cell under the pointer, bounded to the media", () => {
    const s = series([4, 3], [0, 2], 1, 2);
    expect(readingAt(s, 1.4)).toEqual({ cell: 1, from: 1, to: 2, first: 3, again: 2 });
    expect(readingAt(s, -1)?.cell).toBe(0);
    expect(readingAt(s, 99)?.cell).toBe(1);
    expect(readingAt(series([], [], 1, 0), 0)).toBeUndefined();
  });

  it("groups cells evenly for the table", () => {
    const s = series([4, 2, 1, 1, 3], [0, 2, 0, 0, 1], 1, 5);
    expect(rows(s, 3)).toEqual([
      { from: 0, to: 2, first: 3, again: 1 },
      { from: 2, to: 4, first: 1, again: 0 },
      { from: 4, to: 5, first: 3, again: 1 },
    ]);
  });
});
