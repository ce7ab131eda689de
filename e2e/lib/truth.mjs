// What was really watched, kept apart from everything the product computes.
import assert from "node:assert/strict";

/** Expands run-length pairs [[level, cells], ...] to one level per cell. */
export function expand(strip) {
  return strip.flatMap(([level, cells]) => Array(cells).fill(level));
}

/**
 * Checks levels per second against the watched intervals [[from, to], ...] in
 * seconds: right everywhere but within one second of an interval's edge, and there
 * never above what any instant of that second could have seen. `most` are the
 * intervals at their longest, where it is not known how long they were.
 */
export function assertStrip(levels, intervals, what, most = intervals) {
  const touching = (s) => most.filter(([a, b]) => a < s + 1 && b > s).length;
  levels.forEach((level, s) => {
    const covering = intervals.filter(([a, b]) => a <= s && b >= s + 1).length;
    const nearEdge = intervals.some((edges) => edges.some((e) => e > s - 1 && e < s + 2));
    assert.ok(level <= touching(s), `${what}: second ${s} shows ${level}, above the truth ${touching(s)} (${JSON.stringify(most)}, ${levels})`);
    if (!nearEdge) assert.ok(level >= covering, `${what}: second ${s} shows ${level} of ${covering} (${JSON.stringify(intervals)}, ${levels})`);
    if (!nearEdge && most === intervals) assert.equal(level, covering, `${what}: second ${s} (${JSON.stringify(intervals)}, ${levels})`);
  });
  for (const [a, b] of intervals) {
    const first = Math.ceil(a + 1), last = Math.floor(b - 1);
    for (let s = first; s < last; s++) assert.ok(levels[s] >= 1, `${what}: second ${s} is missing`);
  }
}
