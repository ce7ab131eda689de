// Heatmap strips: a view's run-length pairs as SVG paths and as words.

import { clock, percent } from "./format";

/** Strip is run-length pairs [level, cells]; level 0 is not watched, 5 is five times or more. */
export type Strip = readonly (readonly number[] | null)[];

/** levels is how many levels a strip knows, 0 included. */
export const levels = 6;

/** Run is one stretch of a strip on one level, in cells. */
export interface Run {
  level: number;
  start: number;
  cells: number;
}

/** runs reads a strip into stretches, dropping what is not a stretch and bounding levels. */
export function runs(strip: Strip): Run[] {
  const out: Run[] = [];
  let start = 0;
  for (const pair of strip) {
    const [level = 0, cells = 0] = pair ?? [];
    if (!(cells > 0)) continue;
    const bounded = Math.min(levels - 1, Math.max(0, Math.trunc(level)));
    out.push({ level: bounded, start, cells });
    start += cells;
  }
  return out;
}

/** Span is how long the media is and how long one cell is; the last cell may be shorter. */
export interface Span {
  seconds: number;
  cellSeconds: number;
}

/** width returns how many cells wide a media is drawn, with the fraction of its last cell. */
export function width(span: Span): number {
  return Math.max(0.001, span.seconds / span.cellSeconds);
}

/**
 * paths returns one SVG path per level present above 0, one cell wide per unit
 * and one unit high. One path per level keeps a strip at five elements however
 * often a viewer jumped.
 */
export function paths(strip: Strip): { level: number; d: string }[] {
  const byLevel = new Map<number, string>();
  for (const { level, start, cells } of runs(strip)) {
    if (level > 0) byLevel.set(level, `${byLevel.get(level) ?? ""}M${start} 0h${cells}v1h-${cells}z`);
  }
  return [...byLevel].sort(([a], [b]) => a - b).map(([level, d]) => ({ level, d }));
}

/** levelAt returns the level at a time in seconds. */
export function levelAt(strip: Strip, seconds: number, cellSeconds: number): number {
  const cell = seconds / cellSeconds;
  return runs(strip).find((run) => cell >= run.start && cell < run.start + run.cells)?.level ?? 0;
}

const times = ["not watched", "once", "twice", "three times", "four times", "five times or more"];

/** levelName words a level: not watched, once, twice, ... five times or more. */
export function levelName(level: number): string {
  return times[Math.min(levels - 1, Math.max(0, level))] ?? "";
}

/** ranges lists the watched stretches with their media times in seconds. */
export function ranges(strip: Strip, span: Span): { from: number; to: number; level: number }[] {
  const at = (cell: number) => Math.min(span.seconds, cell * span.cellSeconds);
  return runs(strip)
    .filter((run) => run.level > 0)
    .map((run) => ({ from: at(run.start), to: at(run.start + run.cells), level: run.level }));
}

/** words says a strip in a sentence, naming at most four rewatched stretches. */
export function words(strip: Strip, span: Span, watched: number): string {
  const again = ranges(strip, span).filter((range) => range.level > 1);
  const named = again.slice(0, 4).map((r) => `${clock(r.from)} to ${clock(r.to)} ${levelName(r.level)}`);
  const rest = again.length - named.length;
  if (rest > 0) named.push(`${rest} more stretches again`);
  return [`Watched ${percent(watched)}`, ...named].join(", ");
}
