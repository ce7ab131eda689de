import { expect, it } from "vitest";

import { valueName } from "./values";

it("words the values of dimensions, also those that are none", () => {
  const cases: [string, string, string][] = [
    ["country", "DE", "Germany"],
    ["country", "", "Unknown"],
    ["referrer", "(none)", "Direct"],
    ["page", "https://shop.example/offers?x=1", "shop.example/offers"],
    ["device", "mobile", "Phone"],
    ["rung", "720", "720p"],
    ["language", "de-AT", "Austrian German"],
    ["language", "not a tag!", "not a tag!"],
    ["utm_source", "", "None"],
    ["browser", "Firefox", "Firefox"],
    ["bots", "yes", "Bots"],
  ];
  for (const [dimension, value, words] of cases) expect(valueName(dimension, value)).toBe(words);
});
