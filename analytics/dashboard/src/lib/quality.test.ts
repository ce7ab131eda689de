import { expect, it } from "vitest";

import { seconds, share } from "./quality";

it("writes quality as finely as it matters", () => {
  expect([0, 0.4237, 9.999, 12.34].map(seconds)).toEqual(["0 s", "0.42 s", "10 s", "12.3 s"]);
  expect([0, 0.0003, 0.0127, 1].map(share)).toEqual(["0 %", "0.03 %", "1.3 %", "100 %"]);
});
