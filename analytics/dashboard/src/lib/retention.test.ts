import { expect, it } from "vitest";

import { choices, daysName } from "./retention";

it("offers what is set, from short to for ever", () => {
  expect(choices(0)).toEqual([30, 90, 180, 365, 730, 0]);
  expect(choices(45)).toEqual([30, 45, 90, 180, 365, 730, 0]);
  expect([0, 1, 45, 365].map(daysName)).toEqual(["for ever", "1 day", "45 days", "a year"]);
});
