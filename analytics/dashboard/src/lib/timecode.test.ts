import { describe, expect, it } from "vitest";

import { parseTimecode, timecode } from "./timecode";

describe("timecode", () => {
  it("reads what people write", () => {
    const read = ["95", "1:35", "1:35.5", "01:35,25", " 1:02:03 ", "0"].map(parseTimecode);
    expect(read).toEqual([95, 95, 95.5, 95.25, 3723, 0]);
  });

  it("refuses what is no time", () => {
    expect(["", "a", "1:60", "1:2:3:4", "-1", "1:", "1e3"].map(parseTimecode)).toEqual(Array(7).fill(undefined));
  });

  it("writes what it reads", () => {
    for (const seconds of [0, 5, 59.5, 61, 3599.999, 3723.25, 36000]) expect(parseTimecode(timecode(seconds))).toBeCloseTo(seconds, 3);
    expect([0, 65.5, 3723].map(timecode)).toEqual(["0:00", "1:05.5", "1:02:03"]);
  });
});
