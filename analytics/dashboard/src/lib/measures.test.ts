import { describe, expect, it } from "vitest";

import { axisTop, bucketName, change, compact, finished, labelled, measures } from "./measures";

const [plays, , rate] = measures;
if (!plays || !rate) throw new Error("no measures");

describe("figures of a report", () => {
  it("are compared in percent, shares in points, and not with nothing", () => {
    expect(change(plays, 150, 100)).toEqual({ text: "50 %", up: true });
    expect(change(plays, 50, 100)).toEqual({ text: "50 %", up: false });
    expect(change(plays, 100, 100)).toEqual({ text: "0 %", up: undefined });
    expect(change(plays, 5, 0)).toBeUndefined();
    expect(change(plays, 5, undefined)).toBeUndefined();
    expect(change(rate, 0.42, 0.5)).toEqual({ text: "8 pt", up: false });
  });

  it("have axes that end at a round number above them", () => {
    for (const [max, top] of [[0, 4], [3, 4], [5, 6], [11, 20], [101, 200], [4000, 4000]] as const) expect(axisTop(plays, max)).toBe(top);
    expect(axisTop(rate, 0.3)).toBe(0.5);
    expect(axisTop(rate, 0.7)).toBe(1);
  });

  it("are written short on axes", () => {
    expect([0, 4, 950, 1200, 15_000, 2_500_000].map(compact)).toEqual(["0", "4", "950", "1.2k", "15k", "2.5M"]);
  });

  it("name buckets in the time zone that was asked for", () => {
    expect(bucketName("2026-03-01T23:00:00Z", "day", "Europe/Berlin")).toBe("2 Mar");
    expect(bucketName("2026-03-01T23:00:00Z", "day", "UTC")).toBe("1 Mar");
    expect(bucketName("2026-03-02T00:00:00Z", "week", "UTC", true)).toBe("Week of 2 Mar 2026");
  });

  it("label a few buckets evenly", () => {
    expect(labelled(30, 6)).toEqual([0, 5, 10, 15, 20, 25]);
    expect(labelled(3, 6)).toEqual([0, 1, 2]);
    expect(labelled(0, 6)).toEqual([]);
  });

  it("tell the bucket that is not over", () => {
    expect(finished([{ unfinished: false }, { unfinished: true }])).toBe(1);
    expect(finished([{ unfinished: false }])).toBe(1);
    expect(finished([])).toBe(0);
  });
});
