import { expect, it } from "vitest";

import { actionKind, funnel } from "./funnel";

const action = (type: string, impressions: number, clicks: number, conversions: number) => ({ type, id: "a", impressions, clicks, conversions, skips: 0, actors: clicks, rate: 0 });

it("sums offers, leaves the player's own tools out, and shares only what is less than before", () => {
  const steps = funnel(100, 50, [action("cta", 20, 5, 0), action("gate", 40, 0, 10), action("captions", 0, 30, 0)]);
  expect(steps.map((s) => s.value)).toEqual([100, 50, 60, 5, 10]);
  expect(steps.map((s) => s.of)).toEqual([undefined, 0.5, undefined, 5 / 60, undefined]);
});

it("words what players name, and keeps names it does not know", () => {
  expect(["gate", "end_screen", "something"].map(actionKind)).toEqual(["Gate", "End screen", "something"]);
});
