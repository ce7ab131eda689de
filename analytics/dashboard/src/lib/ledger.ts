// What became of beacons.

import type { LedgerHour } from "../api/client";

type Counts = Omit<LedgerHour, "start">;

/** classes are what a received beacon can come to; the figures hold the first two. */
export const classes = [
  { key: "accepted", name: "Accepted" },
  { key: "opted_out", name: "Opted out" },
  { key: "bot", name: "Bots" },
  { key: "duplicate", name: "Duplicates" },
  { key: "late", name: "Late" },
  { key: "invalid", name: "Invalid" },
] as const;
export type Class = (typeof classes)[number]["key"];

/** balanced says whether the parts add up to what was received. */
export function balanced(counts: Counts): boolean {
  return classes.reduce((sum, c) => sum + counts[c.key], 0) === counts.received;
}

/** stacked returns, for one hour, where each part begins and how tall it is, as shares of most. */
export function stacked(counts: Counts, most: number): { key: Class; from: number; size: number }[] {
  let from = 0;
  const out: { key: Class; from: number; size: number }[] = [];
  for (const { key } of classes) {
    const size = counts[key] / Math.max(1, most);
    if (size > 0) out.push({ key, from, size });
    from += size;
  }
  return out;
}

/** filled puts hours without beacons back between the first and the last. */
export function filled(hours: readonly LedgerHour[]): LedgerHour[] {
  const out: LedgerHour[] = [];
  for (const hour of hours) {
    const last = out[out.length - 1];
    for (let t = last ? Date.parse(last.start) + 3_600_000 : Infinity; t < Date.parse(hour.start); t += 3_600_000) {
      out.push({ start: new Date(t).toISOString(), received: 0, accepted: 0, opted_out: 0, bot: 0, duplicate: 0, late: 0, invalid: 0 });
    }
    out.push(hour);
  }
  return out;
}
