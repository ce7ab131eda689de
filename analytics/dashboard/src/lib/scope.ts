// What the analytics pages look at: a range of time, how it is cut, and filters.
// It lives in the page's address, so that a report can be kept and sent on.

import { CalendarDate, parseDate, today } from "@internationalized/date";

import type { paths } from "../api/schema";

type Query = NonNullable<paths["/v1/stats/trend"]["get"]["parameters"]["query"]>;

export const ranges = {
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
  "30d": "Last 30 days",
  "90d": "Last 90 days",
  "12m": "Last 12 months",
  all: "All time",
  custom: "Choose days…",
} as const;
export type RangeName = keyof typeof ranges;

export const intervals = ["hour", "day", "week", "month"] as const;
export type Interval = (typeof intervals)[number];

/** What can be filtered by, as the API calls it, with its name for people. */
export const dimensions = {
  page: "Page",
  referrer: "Referrer",
  utm_source: "UTM source",
  utm_medium: "UTM medium",
  utm_campaign: "UTM campaign",
  country: "Country",
  language: "Language",
  device: "Device",
  browser: "Browser",
  os: "System",
  rung: "Quality",
  identity: "Identity",
  variant: "Variant",
} as const;
export type Dimension = keyof typeof dimensions;

/** none is the value of a filter for views without one. */
export const none = "(none)";

export interface Scope {
  range: RangeName;
  /** from and to are the first and last day of a chosen range, as 2026-03-01. */
  from?: string;
  to?: string;
  interval: Interval;
  timeZone: string;
  filters: Partial<Record<Dimension, string>>;
  bots: "no" | "yes" | "all";
  autoplay: "" | "yes" | "no";
}

/** localZone is the viewer's own time zone. */
export const localZone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

const finest: Record<RangeName, Interval> = { "24h": "hour", "7d": "day", "30d": "day", "90d": "day", "12m": "month", all: "month", custom: "day" };

/** allowed lists the intervals that make sense of a range: not too few parts, not too many. */
export function allowed(scope: Pick<Scope, "range" | "from" | "to">): Interval[] {
  switch (scope.range) {
    case "24h":
      return ["hour"];
    case "7d":
      return ["hour", "day"];
    case "30d":
      return ["hour", "day", "week"];
    case "90d":
      return ["day", "week", "month"];
    case "12m":
      return ["day", "week", "month"];
    case "all":
      return ["week", "month"];
  }
  const days = length(scope);
  if (days <= 2) return ["hour", "day"];
  if (days <= 60) return ["hour", "day", "week"];
  return days <= 800 ? ["day", "week", "month"] : ["week", "month"];
}

function length(scope: Pick<Scope, "from" | "to">): number {
  const [from, to] = [day(scope.from), day(scope.to)];
  return from && to ? to.compare(from) + 1 : 30;
}

function day(text: string | null | undefined): CalendarDate | undefined {
  try {
    return text ? parseDate(text) : undefined;
  } catch {
    return undefined;
  }
}

/** parse reads a scope from an address; what makes no sense there is the default. */
export function parse(query: string | undefined): Scope {
  const q = new URLSearchParams(query ?? "");
  const asked = q.get("range") ?? "";
  let range: RangeName = asked in ranges ? (asked as RangeName) : "30d";
  const [from, to] = [day(q.get("from")), day(q.get("to"))];
  if (range === "custom" && (!from || !to || from.compare(to) > 0)) range = "30d";
  const scope: Scope = { range, interval: finest[range], timeZone: zone(q.get("tz")), filters: {}, bots: "no", autoplay: "" };
  if (range === "custom") Object.assign(scope, { from: from?.toString(), to: to?.toString() });
  const interval = q.get("interval");
  const fits = allowed(scope);
  scope.interval = fits.find((i) => i === interval) ?? fits.find((i) => i === scope.interval) ?? fits[0] ?? "day";
  for (const name of Object.keys(dimensions) as Dimension[]) {
    const value = q.get(name);
    if (value) scope.filters[name] = value;
  }
  const [bots, autoplay] = [q.get("bots"), q.get("autoplay")];
  if (bots === "yes" || bots === "all") scope.bots = bots;
  if (autoplay === "yes" || autoplay === "no") scope.autoplay = autoplay;
  return scope;
}

function zone(name: string | null): string {
  if (!name) return localZone;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return name;
  } catch {
    return localZone;
  }
}

/** write makes the address's query of a scope, without what is the default. */
export function write(scope: Scope): string {
  const q = new URLSearchParams();
  if (scope.range !== "30d") q.set("range", scope.range);
  if (scope.range === "custom") {
    if (scope.from) q.set("from", scope.from);
    if (scope.to) q.set("to", scope.to);
  }
  if (scope.interval !== finest[scope.range]) q.set("interval", scope.interval);
  if (scope.timeZone !== localZone) q.set("tz", scope.timeZone);
  for (const [name, value] of Object.entries(scope.filters)) if (value) q.set(name, value);
  if (scope.bots !== "no") q.set("bots", scope.bots);
  if (scope.autoplay) q.set("autoplay", scope.autoplay);
  return q.toString();
}

/** filterCount is how many filters narrow a scope. */
export function filterCount(scope: Scope): number {
  return Object.values(scope.filters).filter(Boolean).length + Number(scope.bots !== "no") + Number(scope.autoplay !== "");
}

/** bounds returns the moments between which a scope's views were opened; all time has none. */
export function bounds(scope: Scope, now: number): { from?: Date; to?: Date } {
  const tz = scope.timeZone;
  if (scope.range === "24h") return { from: new Date(Math.floor(now / 3_600_000) * 3_600_000 - 23 * 3_600_000), to: undefined };
  if (scope.range === "all") return {};
  if (scope.range === "custom") {
    const [from, to] = [day(scope.from), day(scope.to)];
    return { from: from?.toDate(tz), to: to?.add({ days: 1 }).toDate(tz) };
  }
  const last = today(tz);
  if (scope.range === "12m") return { from: last.set({ day: 1 }).subtract({ months: 11 }).toDate(tz) };
  const days = { "7d": 6, "30d": 29, "90d": 89 }[scope.range];
  return { from: last.subtract({ days }).toDate(tz) };
}

/** before returns the stretch just as long before a scope's, to compare with; all time has none. */
export function before(scope: Scope, now: number): { from: Date; to: Date } | undefined {
  const { from, to } = bounds(scope, now);
  if (!from) return undefined;
  return { from: new Date(2 * from.getTime() - (to?.getTime() ?? now)), to: from };
}

/** filterParams are a scope's filters as the API takes them. */
export function filterParams(scope: Scope): Query {
  const out: Query = {};
  for (const [name, value] of Object.entries(scope.filters)) {
    if (!value) continue;
    if (name === "rung") out.rung = Number(value) || 0;
    else Object.assign(out, { [name]: value });
  }
  if (scope.bots !== "no") out.bots = scope.bots;
  if (scope.autoplay) out.autoplay = scope.autoplay;
  return out;
}

/** params are a scope's filters and range as the API takes them. */
export function params(scope: Scope, now: number): Query {
  const { from, to } = bounds(scope, now);
  return { ...filterParams(scope), from: from?.toISOString(), to: to?.toISOString() };
}

/** narrowed returns a scope in which one filter has a value, or none when it is empty. */
export function narrowed(scope: Scope, dimension: Dimension, value: string): Scope {
  const filters = { ...scope.filters };
  if (value) filters[dimension] = value;
  else delete filters[dimension];
  return { ...scope, filters };
}
