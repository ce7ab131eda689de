import { describe, expect, it } from "vitest";

import { ago, bitrate, bytes, clock, left, length, percent, plural, shortURL, span } from "./format";

describe("format", () => {
  it("writes media time as a clock", () => {
    expect([0, 7.9, 65, 3723, -3, Number.NaN].map(clock)).toEqual([
      "0:00", "0:07", "1:05", "1:02:03", "0:00", "0:00",
    ]);
  });

  it("writes the length of a media, cut, and never none", () => {
    expect([0.2, 1.9, 15.6, 59.999, 3600].map(length)).toEqual(["0:01", "0:01", "0:15", "0:59", "1:00:00"]);
  });

  it("never rounds a share up to all of it", () => {
    expect([0, 0.644, 0.999, 1, 1.2, -1].map(percent)).toEqual([
      "0 %", "64 %", "99 %", "100 %", "100 %", "0 %",
    ]);
  });

  it("gives a number the word that goes with it", () => {
    expect([0, 1, 2, 1200].map((n) => plural(n, "view"))).toEqual(["0 views", "1 view", "2 views", "1,200 views"]);
    expect([1, 3].map((n) => plural(n, "child", "children"))).toEqual(["1 child", "3 children"]);
  });

  it("picks the unit of sizes and rates", () => {
    expect([0, 999, 1000, 1_540_000, 999_999, 48_200_000_000].map(bytes)).toEqual([
      "0 B", "999 B", "1 kB", "1.5 MB", "1 MB", "48 GB",
    ]);
    expect([64_000, 3_250_000].map(bitrate)).toEqual(["64 kbit/s", "3.3 Mbit/s"]);
  });

  it("words stretches of time", () => {
    expect([43, 720, 3600, 12_240].map(span)).toEqual(["43 s", "12 min", "1 h", "3.4 h"]);
    expect([1, 12.2, 100, 9000, undefined, Infinity].map(left)).toEqual([
      "almost done", "13 s left", "2 min left", "2.5 h left", undefined, undefined,
    ]);
  });

  it("words past moments", () => {
    const now = Date.parse("2026-03-12T12:00:00Z");
    expect(ago("2026-03-12T11:59:40Z", now)).toBe("just now");
    expect(ago("2026-03-12T11:55:00Z", now)).toBe("5 min ago");
    expect(ago("2026-03-12T09:00:00Z", now)).toBe("3 h ago");
    expect(ago("2026-03-10T12:00:00Z", now)).toBe("2 d ago");
    expect(ago("2025-01-02T12:00:00Z", now)).toBe("2 Jan 2025");
    expect(ago("never", now)).toBe("");
  });

  it("shortens addresses and leaves others alone", () => {
    expect(shortURL("https://shop.example/offers?utm_source=mail")).toBe("shop.example/offers");
    expect(shortURL("https://shop.example/")).toBe("shop.example");
    expect(shortURL("about:blank")).toBe("blank");
    expect(shortURL("not a url")).toBe("not a url");
  });
});
