// The figures of a report: how each is called, written and compared.

import type { components } from "../api/schema";
import { count, percent, span } from "./format";

export type Totals = Omit<components["schemas"]["Overview"], "media" | "definitions" | "$schema">;

export interface Measure {
  key: "plays" | "visitors" | "play_rate" | "average_engagement" | "hours_watched" | "finished";
  name: string;
  /** share says that it runs from 0 to 1. */
  share: boolean;
  write: (n: number) => string;
}

const hours = (n: number) => span(n * 3600);

export const measures: Measure[] = [
  { key: "plays", name: "Plays", share: false, write: count },
  { key: "visitors", name: "Visitors", share: false, write: count },
  { key: "play_rate", name: "Play rate", share: true, write: percent },
  { key: "average_engagement", name: "Average engagement", share: true, write: percent },
  { key: "hours_watched", name: "Time watched", share: false, write: hours },
  { key: "finished", name: "Watched to the end", share: false, write: count },
];

/** Change is how a figure moved: its words, and whether up or down. */
export interface Change {
  text: string;
  up: boolean | undefined;
}

/**
 * change compares a figure with an earlier one: in percent of it, shares in
 * percentage points. Undefined when there is nothing to compare with.
 */
export function change(m: Measure, now: number, then: number | undefined): Change | undefined {
  if (then === undefined) return undefined;
  if (m.share) {
    const points = Math.round((now - then) * 100);
    return { text: `${Math.abs(points)} pt`, up: points === 0 ? undefined : points > 0 };
  }
  if (then === 0) return now === 0 ? { text: "0 %", up: undefined } : undefined;
  const rounded = Math.round((now / then - 1) * 100);
  return { text: `${count(Math.abs(rounded))} %`, up: rounded === 0 ? undefined : rounded > 0 };
}

/** compact writes a number for an axis: 950, 1.2k, 3M. */
export function compact(n: number): string {
  if (n >= 999_500) return `${trim(n / 1e6)}M`;
  if (n >= 1000) return `${trim(n / 1000)}k`;
  return trim(n);
}

function trim(n: number): string {
  return n.toFixed(n < 10 ? 1 : 0).replace(/\.0$/, "");
}

/** axisTop is the round number at which an axis ends: max or a little above. */
export function axisTop(m: Measure, max: number): number {
  if (m.share) return max <= 0.25 ? 0.25 : max <= 0.5 ? 0.5 : 1;
  if (max <= 0) return m.key === "hours_watched" ? 0.1 : 4;
  const power = 10 ** Math.floor(Math.log10(max));
  const top = [1, 2, 4, 6, 8, 10].map((k) => k * power).find((t) => t >= max - 1e-9) ?? 10 * power;
  return m.key === "hours_watched" ? top : Math.max(4, top);
}

/** bucketName words the bucket of a trend that begins at a moment. */
export function bucketName(start: string, interval: string, timeZone: string, long = false): string {
  const options: Record<string, Intl.DateTimeFormatOptions> = {
    hour: long ? { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit" },
    day: long ? { weekday: "short", day: "numeric", month: "short", year: "numeric" } : { day: "numeric", month: "short" },
    week: { day: "numeric", month: "short", year: long ? "numeric" : undefined },
    month: { month: "short", year: "numeric" },
  };
  const text = new Intl.DateTimeFormat("en-GB", { ...options[interval], timeZone }).format(new Date(start));
  return long && interval === "week" ? `Week of ${text}` : text;
}

/** labelled picks which of n buckets get a label so that at most most do, evenly. */
export function labelled(n: number, most: number): number[] {
  if (n < 1 || most < 1) return [];
  const step = Math.max(1, Math.ceil(n / most));
  return Array.from({ length: Math.ceil(n / step) }, (_, i) => i * step);
}

/** finished is how many buckets of a trend, from the first, are over. */
export function finished(points: readonly { unfinished: boolean }[]): number {
  const first = points.findIndex((p) => p.unfinished);
  return first < 0 ? points.length : first;
}
