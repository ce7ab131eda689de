// Moments of a video as people write them.

/** timecode writes seconds as 1:02:03, with a fraction when there is one. */
export function timecode(seconds: number): string {
  const ms = Math.round(seconds * 1000);
  const [h, m, s] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, (ms % 60_000) / 1000];
  const tail = s.toFixed(3).replace(/\.?0+$/, "");
  const padded = s < 10 ? `0${tail}` : tail;
  return h > 0 ? `${h}:${String(m).padStart(2, "0")}:${padded}` : `${m}:${padded}`;
}

/** parseTimecode reads 95, 1:35, 1:35.5 or 1:02:03 as seconds; undefined when it is none of them. */
export function parseTimecode(text: string): number | undefined {
  const parts = text.trim().replace(",", ".").split(":");
  if (parts.length > 3 || !parts.every((part, i) => (i === parts.length - 1 ? /^\d+(\.\d+)?$/ : /^\d+$/).test(part))) return undefined;
  if (parts.length > 1 && parts.slice(1).some((part) => Number(part) >= 60)) return undefined;
  return parts.reduce((sum, part) => sum * 60 + Number(part), 0);
}
