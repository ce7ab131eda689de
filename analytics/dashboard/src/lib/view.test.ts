import { describe, expect, it } from "vitest";

import { country, device, httpOnly, place, visitor } from "./view";

describe("view", () => {
  it("names countries and devices, and leaves out what is unknown", () => {
    expect([country("de"), country(""), country(undefined), country("??")]).toEqual(["Germany", "", "", "??"]);
    expect(device({ device: "mobile", browser: "Safari", os: "iOS" })).toBe("Safari on iOS, phone");
    expect(device({ device: "desktop", browser: "Firefox", os: "Linux" })).toBe("Firefox on Linux");
    expect(device({})).toBe("");
    expect(place({ page_url: "https://a.example/b?c" })).toBe("a.example/b");
    expect(place({})).toBe("Unknown page");
    expect(visitor("3F-a9:c1")).toBe("3fa9");
  });

  it("links to web pages only, whatever a beacon claims", () => {
    expect(httpOnly("https://a.example/")).toBe("https://a.example/");
    expect(httpOnly("javascript:alert(1)")).toBeUndefined();
    expect(httpOnly(undefined)).toBeUndefined();
  });
});
