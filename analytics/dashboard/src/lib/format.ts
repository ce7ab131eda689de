// Numbers, times and sizes as people read them. Pure functions; the clock is
// an argument where it matters.

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** clock writes seconds as 0:07, 1:05 or 1:02:03; fractions are dropped. */
export function clock(seconds: number): string {
  const total = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const s = String(total % 60).padStart(2, "0");
  const minutes = Math.floor(total / 60);
  if (minutes < 60) return `${minutes}:${s}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${s}`;
}

/** length writes how long a media is, by the rule of its watch page: as a clock, never 0:00. */
export function length(seconds: number): string {
  return clock(Math.max(1, seconds));
}

/** percent writes a share of 0 to 1 as a whole percentage, never rounded up to 100 %. */
export function percent(share: number): string {
  const bounded = Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0));
  const rounded = Math.round(bounded * 100);
  return `${rounded === 100 && bounded < 1 ? 99 : rounded} %`;
}

/** count writes a whole number with thousands separated. */
export function count(n: number): string {
  return whole.format(n);
}

/** plural writes a whole number with the word that goes with it: 1 view, 2 views. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** bytes writes a size in decimal units, as disks and networks are sold. */
export function bytes(n: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = Math.max(0, n);
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 10 && unit > 0 ? number.format(value) : whole.format(value)} ${units[unit]}`;
}

/** bitrate writes bits per second. */
export function bitrate(bps: number): string {
  return bps >= 999_500 ? `${number.format(bps / 1e6)} Mbit/s` : `${whole.format(bps / 1000)} kbit/s`;
}

/** span writes a stretch of time in its largest sensible unit: 43 s, 12 min, 3.4 h. */
export function span(seconds: number): string {
  const s = Math.max(0, seconds);
  if (s < 59.5) return `${whole.format(s)} s`;
  if (s < 3570) return `${whole.format(s / 60)} min`;
  return `${number.format(s / 3600)} h`;
}

/** left words how long something still takes; undefined when unknown. */
export function left(seconds: number | undefined): string | undefined {
  if (seconds === undefined || !Number.isFinite(seconds)) return undefined;
  if (seconds < 2) return "almost done";
  if (seconds < 60) return `${Math.ceil(seconds)} s left`;
  if (seconds < 5400) return `${Math.ceil(seconds / 60)} min left`;
  return `${number.format(seconds / 3600)} h left`;
}

/** ago words a past moment from now: just now, 5 min ago, 3 h ago, 12 Mar 2026. */
export function ago(iso: string, now: number): string {
  const then = Date.parse(iso);
  if (Number.isNaN(then)) return "";
  const s = (now - then) / 1000;
  if (s < 45) return "just now";
  if (s < 3570) return `${Math.max(1, Math.round(s / 60))} min ago`;
  if (s < 84_600) return `${Math.round(s / 3600)} h ago`;
  if (s < 6.5 * 86_400) return `${Math.round(s / 86_400)} d ago`;
  return new Date(then).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

/** moment writes a full local date and time, for tooltips. */
export function moment(iso: string): string {
  const then = new Date(iso);
  if (Number.isNaN(then.getTime())) return "";
  return then.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
}

/** shortURL drops the scheme and query of an address: shop.example/offers. */
export function shortURL(url: string): string {
  try {
    const u = new URL(url);
    return u.host + (u.pathname === "/" ? "" : u.pathname);
  } catch {
    return url;
  }
}
