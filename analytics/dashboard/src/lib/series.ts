// The engagement graph's numbers: cells of the API as steps a chart can draw.

/** Series is what the chart draws: step edges in seconds, and the views of each step. */
export interface Series {
  /** x holds the start of each cell and, last, the end of the media. */
  x: number[];
  /** first holds the views that watched the cell for the first time. */
  first: number[];
  /** total holds first plus the rewatches stacked on top. */
  total: number[];
  /** cellSeconds is the length of one cell. */
  cellSeconds: number;
}

/**
 * series stacks rewatches on engagement. The last value is repeated at the
 * media's end, since a step is drawn from one edge to the next.
 */
export function series(
  engagement: readonly number[],
  rewatches: readonly number[],
  cellSeconds: number,
  durationSeconds: number,
): Series {
  const x = engagement.map((_, i) => i * cellSeconds);
  const first = [...engagement];
  const total = engagement.map((n, i) => n + (rewatches[i] ?? 0));
  if (x.length > 0) {
    const end = x.length * cellSeconds;
    x.push(durationSeconds > 0 ? Math.min(end, Math.max(durationSeconds, end - cellSeconds)) : end);
    first.push(first[first.length - 1] ?? 0);
    total.push(total[total.length - 1] ?? 0);
  }
  return { x, first, total, cellSeconds };
}

/** Reading is the graph at one moment. */
export interface Reading {
  cell: number;
  from: number;
  to: number;
  first: number;
  again: number;
}

/** readingAt returns the cell that holds a time in seconds, bounded to the media. */
export function readingAt(s: Series, seconds: number): Reading | undefined {
  const cells = s.x.length - 1;
  if (cells < 1) return undefined;
  const cell = Math.min(cells - 1, Math.max(0, Math.floor(seconds / s.cellSeconds)));
  const first = s.first[cell] ?? 0;
  const again = (s.total[cell] ?? 0) - first;
  return { cell, from: s.x[cell] ?? 0, to: s.x[cell + 1] ?? 0, first, again };
}

/** rows groups the graph into at most count equal stretches, for the table form. */
export function rows(s: Series, count: number): { from: number; to: number; first: number; again: number }[] {
  const cells = Math.max(0, s.x.length - 1);
  const step = Math.max(1, Math.ceil(cells / count));
  const out = [];
  for (let i = 0; i < cells; i += step) {
    const end = Math.min(cells, i + step);
    let first = 0;
    let again = 0;
    for (let j = i; j < end; j++) {
      first += s.first[j] ?? 0;
      again += (s.total[j] ?? 0) - (s.first[j] ?? 0);
    }
    out.push({ from: s.x[i] ?? 0, to: s.x[end] ?? 0, first: first / (end - i), again: again / (end - i) });
  }
  return out;
}
