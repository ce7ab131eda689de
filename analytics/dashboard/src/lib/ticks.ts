// Round numbers for axes.

const timeSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400];

/** timeTicks returns at most most+1 round moments of a media, 0 included, none too close to its end. */
export function timeTicks(seconds: number, most: number): number[] {
  if (!(seconds > 0)) return [0];
  const step = timeSteps.find((s) => seconds / s <= most) ?? Math.ceil(seconds / most / 3600) * 3600;
  const out: number[] = [];
  for (let t = 0; t <= seconds - step * 0.4; t += step) out.push(t);
  return out.length > 0 ? out : [0];
}

/** countTop returns the round number at which an axis of whole counts ends: max or a little above. */
export function countTop(max: number): number {
  if (max <= 4) return Math.max(1, Math.ceil(max));
  const power = 10 ** Math.floor(Math.log10(max));
  const top = [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10].map((m) => m * power).find((t) => t >= max) ?? 10 * power;
  return Math.ceil(top);
}

/** countTicks returns two to four whole counts from 0 to top. */
export function countTicks(top: number): number[] {
  const parts = [4, 3, 2].find((n) => top % n === 0 && top / n >= 1) ?? 1;
  const fewer = top > 4 && parts === 4 && (top / 4) % 5 !== 0 && top % 2 === 0 ? 2 : parts;
  return Array.from({ length: fewer + 1 }, (_, i) => (top / fewer) * i);
}
