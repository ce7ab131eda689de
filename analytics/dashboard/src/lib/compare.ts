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

/** played says that a side has plays, without which it has no shares and no quality. */
const played = (s: Side) => s.totals.plays > 0;

/** rows are the figures of both sides, those of the audience first. */
export function rows(a: Side, b: Side): { title: string; rows: Row[] }[] {
  const row = (key: string, name: string, of: (s: Side) => number, write: (n: number) => string, good: 1 | -1 | 0, known: (s: Side) => boolean = () => true): Row => {
    const [textA, textB] = [a, b].map((s) => (known(s) ? write(of(s)) : "–")) as [string, string];
    const even = good === 0 || textA === textB || !known(a) || !known(b);
    return { key, name, a: textA, b: textB, better: even ? undefined : of(a) * good > of(b) * good ? "a" : "b" };
  };
  const score = (n: number) => String(Math.round(n));
  return [
    {
      title: "Audience",
      rows: [
        row("loads", "Loads", (s) => s.totals.loads, count, 0),
        row("plays", "Plays", (s) => s.totals.plays, count, 1),
        row("visitors", "Visitors", (s) => s.totals.visitors, count, 1),
        row("play_rate", "Play rate", (s) => s.totals.play_rate, percent, 1, (s) => s.totals.visitors > 0),
        row("average_engagement", "Average engagement", (s) => s.totals.average_engagement, percent, 1, played),
        row("hours_watched", "Time watched", (s) => s.totals.hours_watched, (h) => span(h * 3600), 1),
        row("finished", "Watched to the end", (s) => s.totals.finished, count, 1),
      ],
    },
    {
      title: "Quality",
      rows: [
        row("viewer_experience_score", "Viewer experience", (s) => s.quality.viewer_experience_score, score, 1, (s) => s.quality.viewer_experience_score > 0),
        row("startup_seconds_median", "Startup time, median", (s) => s.quality.startup_seconds_median, seconds, -1, played),
        row("rebuffer_share", "Rebuffering, share of time", (s) => s.quality.rebuffer_share, share, -1, played),
        row("playback_failures", "Playback failures", (s) => s.quality.playback_failures, share, -1, played),
        row("exits_before_start", "Exits before start", (s) => s.quality.exits_before_start, share, -1, played),
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
