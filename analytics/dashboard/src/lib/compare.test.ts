import { expect, it } from "vitest";

import type { Side } from "../api/client";
import { retention, rows } from "./compare";

const side = (plays: number, engagement: number[], startup: number) =>
  ({
    totals: { loads: 10, plays, visitors: 3, play_rate: 0.5, average_engagement: 0.4, hours_watched: 1, finished: 0 },
    graph: { engagement },
    quality: { viewer_experience_score: 0, startup_seconds_median: startup, rebuffer_share: 0, playback_failures: 0, exits_before_start: 0 },
  }) as unknown as Side;

it("lays videos of any length on one another", () => {
  expect(retention(side(4, [4, 2], 0), 4)).toEqual([1, 1, 0.5, 0.5]);
  expect(retention(side(4, [4, 3, 2, 1, 0, 0], 0), 3)).toEqual([0.75, 0.25, 0]);
  expect(retention(side(0, [0, 0], 0))).toEqual([]);
});

it("names the better side, by what is better in each measure", () => {
  const all = rows(side(4, [], 0.3), side(8, [], 0.9)).flatMap((g) => g.rows);
  expect(all.find((r) => r.key === "plays")?.better).toBe("b");
  expect(all.find((r) => r.key === "startup_seconds_median")?.better).toBe("a");
  expect(all.find((r) => r.key === "loads")?.better).toBeUndefined();
  expect(all.find((r) => r.key === "play_rate")?.better).toBeUndefined();
});

it("has no shares and no quality for a side without plays, and no better of them", () => {
  const all = rows(side(4, [], 0.3), side(0, [], 0)).flatMap((g) => g.rows);
  expect(all.filter((r) => r.b === "–").map((r) => r.key)).toEqual([
    "average_engagement", "viewer_experience_score", "startup_seconds_median", "rebuffer_share", "playback_failures", "exits_before_start",
  ]);
  expect(all.filter((r) => r.better).map((r) => r.key)).toEqual(["plays"]);
});
