import { describe, expect, it } from "vitest";

import { wedge } from "./leader";

describe("wedge", () => {
  it("sweeps clockwise from twelve o'clock", () => {
    expect(wedge(0.25, 40)).toBe("M50 50V10A40 40 0 0 1 90 50z");
    expect(wedge(0.75, 40)).toBe("M50 50V10A40 40 0 1 1 10 50z");
  });

  it("draws nothing at 0 and a whole circle at 1 and beyond", () => {
    expect(wedge(0, 40)).toBe("");
    expect(wedge(Number.NaN, 40)).toBe("");
    expect(wedge(2, 40)).toBe(wedge(1, 40));
    expect(wedge(1, 40)).toMatch(/z$/);
  });
});
