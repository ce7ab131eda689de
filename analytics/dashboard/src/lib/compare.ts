// Two sides of a comparison in the same measures.

import type { Side } from "../api/client";
import { count, percent, span } from "./format";
import { seconds, share } from "./quality";

export interface Row {
  key: string;
  name: string;
  a: string;
  b: string;
  /** better is the side with the better figure; undefined when there is no better. */
  better: "a" | "b" | undefined;
}

/** rows are the figures of both sides, those of the audience first. */
export function rows(a: Side, b: Side): { title: string; rows: Row[] }[] {
  const row = (key: string, name: string, of: (s: Side) => number, write: (n: number) => string, good: 1 | -1 | 0): Row => {
    const [va, vb] = [of(a), of(b)];
    const same = write(va) === write(vb);
    return { key, name, a: write(va), b: write(vb), better: same || good === 0 ? undefined : va * good > vb * good ? "a" : "b" };
  };
  const score = (n: number) => (n > 0 ? String(Math.round(n)) : "–");
  return [
    {
      title: "Audience",
      rows: [
        row("loads", "Loads", (s) => s.totals.loads, count, 0),
        row("plays", "Plays", (s) => s.totals.plays, count, 1),
        row("visitors", "Visitors", (s) => s.totals.visitors, count, 1),
        row("play_rate", "Play rate", (s) => s.totals.play_rate, percent, 1),
        row("average_engagement", "Average engagement", (s) => s.totals.average_engagement, percent, 1),
        row("hours_watched", "Time watched", (s) => s.totals.hours_watched, (h) => span(h * 3600), 1),
        row("finished", "Watched to the end", (s) => s.totals.finished, count, 1),
      ],
    },
    {
      title: "Quality",
      rows: [
        row("viewer_experience_score", "Viewer experience", (s) => s.quality.viewer_experience_score, score, 1),
        row("startup_seconds_median", "Startup time, median", (s) => s.quality.startup_seconds_median, seconds, -1),
        row("rebuffer_share", "Rebuffering, share of time", (s) => s.quality.rebuffer_share, share, -1),
        row("playback_failures", "Playback failures", (s) => s.quality.playback_failures, share, -1),
        row("exits_before_start", "Exits before start", (s) => s.quality.exits_before_start, share, -1),
      ],
    },
  ];
}

/**
 * retention is the share of a side's plays that covered each of n equal parts of
 * the video, so that videos of any length and audience lie on one another.
 */
export function retention(s: Side, n = 100): number[] {
  const cells = s.graph.engagement ?? [];
  const plays = s.totals.plays;
  if (cells.length === 0 || plays === 0) return [];
  return Array.from({ length: n }, (_, i) => Math.min(1, (cells[Math.min(cells.length - 1, Math.floor(((i + 0.5) / n) * cells.length))] ?? 0) / plays));
}
