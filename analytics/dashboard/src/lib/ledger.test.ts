import { expect, it } from "vitest";

import { balanced, filled, stacked } from "./ledger";

const hour = (start: string, received: number, accepted: number, bot = 0) => ({ start, received, accepted, opted_out: 0, bot, duplicate: 0, late: 0, invalid: 0 });

it("balances only when the parts add up to the unit", () => {
  expect(balanced(hour("", 5, 3, 2))).toBe(true);
  expect(balanced(hour("", 5, 3, 1))).toBe(false);
});

it("stacks the parts of an hour and leaves empty ones out", () => {
  expect(stacked(hour("", 5, 3, 2), 10)).toEqual([{ key: "accepted", from: 0, size: 0.3 }, { key: "bot", from: 0.3, size: 0.2 }]);
});

it("puts quiet hours back", () => {
  const list = filled([hour("2026-01-01T00:00:00Z", 1, 1), hour("2026-01-01T03:00:00Z", 1, 1)]);
  expect(list.map((h) => h.received)).toEqual([1, 0, 0, 1]);
  expect(filled([])).toEqual([]);
});
