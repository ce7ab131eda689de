// The film leader: the countdown clock shown while a media is being prepared.

/**
 * wedge returns the SVG path of a clock hand's sweep from twelve o'clock,
 * clockwise over a share (0 to 1) of the circle, about the centre (50, 50).
 */
export function wedge(share: number, radius: number): string {
  const bounded = Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0));
  const top = 50 - radius;
  if (bounded === 0) return "";
  if (bounded === 1) return `M50 ${top}A${radius} ${radius} 0 1 1 50 ${50 + radius}A${radius} ${radius} 0 1 1 50 ${top}z`;
  const angle = bounded * 2 * Math.PI;
  const x = round(50 + radius * Math.sin(angle));
  const y = round(50 - radius * Math.cos(angle));
  return `M50 50V${top}A${radius} ${radius} 0 ${bounded > 0.5 ? 1 : 0} 1 ${x} ${y}z`;
}

function round(n: number): number {
  return Math.round(n * 100) / 100;
}
