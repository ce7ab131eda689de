// For how long views are kept.

const offered = [0, 30, 90, 180, 365, 730];

/** choices are the days that are offered, and those that are set by other means. */
export function choices(set: number): number[] {
  return [...new Set([...offered, set])].sort((a, b) => (a || Infinity) - (b || Infinity));
}

/** daysName words a number of days; 0 is for ever. */
export function daysName(days: number): string {
  const names: Record<number, string> = { 0: "for ever", 1: "1 day", 365: "a year", 730: "2 years" };
  return names[days] ?? `${days} days`;
}
