import { describe, expect, it } from "vitest";

import { allowed, before, bounds, filterCount, narrowed, params, parse, write } from "./scope";

const noon = Date.parse("2026-03-29T12:34:56Z");

describe("the scope of a report", () => {
  it("survives the address it is kept in", () => {
    for (const query of [
      "",
      "range=7d&interval=hour&tz=Asia%2FKathmandu",
      "range=custom&from=2026-01-05&to=2026-01-31&page=https%3A%2F%2Fa.example%2Fb%3F&country=DE&bots=all&autoplay=no",
      "referrer=%28none%29&rung=720",
    ]) {
      expect(new URLSearchParams(write(parse(query)))).toEqual(new URLSearchParams(query));
    }
  });

  it("falls back to the last 30 days where an address makes no sense", () => {
    for (const query of ["range=fortnight", "range=custom", "range=custom&from=2026-02-30&to=2026-03-01", "range=custom&from=2026-03-02&to=2026-03-01", "tz=Mars/Olympus"]) {
      expect(write(parse(query))).toBe("");
    }
    expect(parse("range=24h&interval=month").interval).toBe("hour");
    expect(parse("bots=perhaps&autoplay=1")).toMatchObject({ bots: "no", autoplay: "" });
  });

  it("begins and ends days where the time zone does, over a change of the clock too", () => {
    const scope = parse("range=custom&from=2026-03-29&to=2026-03-29&tz=Europe/Berlin");
    expect(bounds(scope, noon)).toEqual({ from: new Date("2026-03-28T23:00:00Z"), to: new Date("2026-03-29T22:00:00Z") });
    expect(bounds(parse("range=24h"), noon).from).toEqual(new Date("2026-03-28T13:00:00Z"));
    expect(bounds(parse("range=all"), noon)).toEqual({});
  });

  it("compares with the stretch just as long before", () => {
    const scope = parse("range=custom&from=2026-01-11&to=2026-01-20&tz=UTC");
    expect(before(scope, noon)).toEqual({ from: new Date("2026-01-01T00:00:00Z"), to: new Date("2026-01-11T00:00:00Z") });
    expect(before(parse("range=all"), noon)).toBeUndefined();
  });

  it("words filters as the API takes them", () => {
    const scope = parse("range=all&country=DE&rung=720&bots=yes&autoplay=yes");
    expect(params(scope, noon)).toEqual({ country: "DE", rung: 720, bots: "yes", autoplay: "yes", from: undefined, to: undefined });
    expect(filterCount(scope)).toBe(4);
    expect(narrowed(scope, "country", "").filters).toEqual({ rung: "720" });
    expect(narrowed(scope, "device", "tv").filters).toEqual({ country: "DE", rung: "720", device: "tv" });
  });

  it("offers intervals that suit the length", () => {
    expect(allowed({ range: "custom", from: "2026-01-01", to: "2026-01-01" })).toEqual(["hour", "day"]);
    expect(allowed({ range: "custom", from: "2020-01-01", to: "2026-01-01" })).toEqual(["week", "month"]);
  });
});
