import { ACTION_TYPES, ACTION_VERBS, MAX_BYTES, MAX_EVENTS, type Batch } from "./event";

/** Why a body is refused; the codes are those of internal/beacon. */
export class Refusal extends Error {
  readonly code: string;
  constructor(code: string, detail: string) {
    super(`${code}: ${detail}`);
    this.code = code;
  }
}

const MAX_SEQ = 1 << 20;
const MAX_TOKEN = 2048;
const MAX_CODE = 64;
const MAX_RATE = 16;
const MAX_SIDE = 1 << 15;
const MAX_MEDIA_MS = 7 * 24 * 3600 * 1000;
const MAX_ID = 64;
const MAX_BITRATE = 100_000_000_000;
const MAX_FRAMES = (MAX_MEDIA_MS / 1000) * 240;
const MAX_PERCENT = 1600;
const MAX_REQUESTS = 100_000;
const MAX_REQUEST_BYTES = 2 ** 40;
const MIN_TIME_MS = 1_577_836_800_000;
const MAX_TIME_MS = 4_102_444_800_000;

type Raw = Record<string, unknown>;

/**
 * Reads a request body as the collector does and returns the batch, or throws
 * a Refusal. For tests: the player only writes batches.
 */
export function decodeBatch(body: Uint8Array): Batch {
  if (body.length > MAX_BYTES) throw new Refusal("body_too_large", `${body.length} bytes`);
  const batch = object(parse(body), "batch");
  if (int(batch, "v") !== 1) throw new Refusal("unsupported_version", String(batch.v));
  const token = text(batch, "token");
  if (token === "") throw new Refusal("token_missing", "no token");
  if (bytes(token) > MAX_TOKEN) throw new Refusal("field_too_long", "token");
  if (bytes(text(batch, "viewer")) > MAX_TOKEN) throw new Refusal("field_too_long", "viewer");
  if (batch.seq === undefined || outside(int(batch, "seq"), 0, MAX_SEQ)) throw new Refusal("seq_invalid", "seq");
  time(batch, "sent_at_ms");
  flag(batch, "leaving");
  if (batch.events !== undefined && !Array.isArray(batch.events)) throw new Refusal("wrong_type", "events");
  const events: unknown[] = batch.events ?? [];
  if (events.length === 0) throw new Refusal("events_missing", "no events");
  if (events.length > MAX_EVENTS) throw new Refusal("events_too_many", String(events.length));
  if (batch.page !== undefined) checkPage(object(batch.page, "page"));
  const checked = events.map((event) => checkEvent(object(event, "event")));
  checkDisjoint(checked);
  return batch as unknown as Batch;
}

function parse(body: Uint8Array): unknown {
  let json: string;
  try {
    json = new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw new Refusal("not_utf8", "not valid UTF-8");
  }
  try {
    return JSON.parse(json);
  } catch {
    throw new Refusal("not_json", "not one JSON value");
  }
}

function checkPage(page: Raw): void {
  for (const name of ["url", "referrer", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "variant", "language"]) text(page, name);
  for (const name of ["screen_width", "screen_height", "player_width", "player_height"]) {
    if (outside(int(page, name), 0, MAX_SIDE)) throw new Refusal("player_size_invalid", name);
  }
}

function checkEvent(event: Raw): Raw {
  time(event, "at_ms");
  switch (event.k) {
    case "load":
      break;
    case "play":
      position(event, "pos_ms");
      flag(event, "autoplay");
      break;
    case "pause":
    case "end":
      position(event, "pos_ms");
      break;
    case "seek":
      position(event, "from_ms");
      position(event, "to_ms");
      break;
    case "watch":
      checkWatch(event);
      break;
    case "startup":
      took(event);
      break;
    case "stall":
      position(event, "pos_ms");
      break;
    case "rebuffer":
    case "seek_wait":
      position(event, "pos_ms");
      took(event);
      break;
    case "rate":
      position(event, "pos_ms");
      checkRate(event);
      break;
    case "rung":
      checkRung(event);
      break;
    case "quality":
      checkQuality(event);
      break;
    case "requests":
      checkRequests(event);
      break;
    case "error":
      checkError(event);
      break;
    case "action":
      checkAction(event);
      break;
    default:
      throw new Refusal("kind_unknown", String(event.k));
  }
  return event;
}

function checkWatch(event: Raw): void {
  const from = int(event, "from_ms");
  const to = int(event, "to_ms");
  if (outside(from, 0, MAX_MEDIA_MS) || outside(to, 0, MAX_MEDIA_MS) || from >= to) {
    throw new Refusal("interval_invalid", `${from} to ${to}`);
  }
  checkRate(event);
  for (const name of ["repeat", "muted", "fullscreen", "hidden"]) flag(event, name);
}

function checkRate(event: Raw): void {
  const rate = number(event, "rate");
  if (!(rate > 0 && rate <= MAX_RATE)) throw new Refusal("rate_invalid", String(rate));
}

function checkRung(event: Raw): void {
  position(event, "pos_ms");
  within(event, "height", MAX_SIDE, "quality_invalid");
  within(event, "bitrate_bps", MAX_BITRATE, "quality_invalid");
  if (!["first", "up", "down"].includes(text(event, "shift"))) throw new Refusal("quality_invalid", "shift");
}

function checkQuality(event: Raw): void {
  within(event, "played_ms", MAX_MEDIA_MS, "quality_invalid");
  for (const name of ["frames", "dropped_frames"]) within(event, name, MAX_FRAMES, "quality_invalid");
  for (const name of ["upscale_avg_pct", "upscale_max_pct", "downscale_avg_pct", "downscale_max_pct"]) {
    if (outside(number(event, name), 0, MAX_PERCENT)) throw new Refusal("quality_invalid", name);
  }
  within(event, "height", MAX_SIDE, "quality_invalid");
  within(event, "bitrate_bps", MAX_BITRATE, "quality_invalid");
}

function checkRequests(event: Raw): void {
  took(event);
  within(event, "requests", MAX_REQUESTS, "requests_invalid");
  within(event, "failed", int(event, "requests"), "requests_invalid");
  within(event, "bytes", MAX_REQUEST_BYTES, "requests_invalid");
  for (const name of ["ttfb_ms", "buffer_ms"]) within(event, name, MAX_MEDIA_MS, "requests_invalid");
  within(event, "throughput_bps", MAX_BITRATE, "requests_invalid");
}

function checkAction(event: Raw): void {
  position(event, "pos_ms");
  if (!ACTION_TYPES.some((t) => t === text(event, "type"))) throw new Refusal("action_invalid", "type");
  if (!ACTION_VERBS.some((v) => v === text(event, "verb"))) throw new Refusal("action_invalid", "verb");
  const id = text(event, "id");
  if (id === "") throw new Refusal("field_missing", "id");
  if (bytes(id) > MAX_ID) throw new Refusal("field_too_long", "id");
  text(event, "content");
}

function checkError(event: Raw): void {
  position(event, "pos_ms");
  const code = text(event, "code");
  if (code === "") throw new Refusal("field_missing", "code");
  if (bytes(code) > MAX_CODE) throw new Refusal("field_too_long", "code");
  if (!["", "fatal", "warning", "business"].includes(text(event, "severity"))) throw new Refusal("severity_invalid", "severity");
  flag(event, "fatal");
  text(event, "message");
}

// First-time intervals of one batch must not overlap: a view would count twice.
function checkDisjoint(events: Raw[]): void {
  const first = events
    .filter((e) => e.k === "watch" && e.repeat !== true)
    .map((e) => ({ from: e.from_ms as number, to: e.to_ms as number }))
    .sort((a, b) => a.from - b.from);
  first.forEach((span, i) => {
    const before = first[i - 1];
    if (before && span.from < before.to) throw new Refusal("interval_overlap", `${span.from} ${before.to}`);
  });
}

// Absent fields read as the zero value, as in Go.

function number(raw: Raw, name: string): number {
  const value = raw[name] ?? 0;
  if (typeof value !== "number") throw new Refusal("wrong_type", name);
  return value;
}

function int(raw: Raw, name: string): number {
  const value = number(raw, name);
  if (!Number.isSafeInteger(value)) throw new Refusal("wrong_type", name);
  return value;
}

function text(raw: Raw, name: string): string {
  const value = raw[name] ?? "";
  if (typeof value !== "string") throw new Refusal("wrong_type", name);
  return value;
}

function flag(raw: Raw, name: string): void {
  if (typeof (raw[name] ?? false) !== "boolean") throw new Refusal("wrong_type", name);
}

function time(raw: Raw, name: string): void {
  if (outside(int(raw, name), MIN_TIME_MS, MAX_TIME_MS)) throw new Refusal("time_invalid", name);
}

function position(raw: Raw, name: string): void {
  if (outside(int(raw, name), 0, MAX_MEDIA_MS)) throw new Refusal("position_invalid", name);
}

function took(raw: Raw): void {
  if (outside(int(raw, "took_ms"), 0, MAX_MEDIA_MS)) throw new Refusal("took_invalid", "took_ms");
}

function within(raw: Raw, name: string, most: number, code: string): void {
  if (outside(int(raw, name), 0, most)) throw new Refusal(code, name);
}

function outside(value: number, min: number, max: number): boolean {
  return value < min || value > max;
}

function object(value: unknown, name: string): Raw {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Refusal("wrong_type", name);
  return value as Raw;
}

function bytes(value: string): number {
  return new TextEncoder().encode(value).length;
}
