/**
 * The beacon schema, version 1, as the collector reads it. The samples in
 * internal/beacon/testdata are read by the tests of both sides; docs/beacons.md
 * says what each field means and what bounds it. All times are
 * milliseconds: `at_ms` since the epoch, positions in media time.
 */

/** The element was shown. */
export interface LoadEvent { k: "load"; at_ms: number }
/** The first frame was asked for; once per view. */
export interface PlayEvent { k: "play"; at_ms: number; pos_ms: number; autoplay: boolean }
/** The viewer paused. */
export interface PauseEvent { k: "pause"; at_ms: number; pos_ms: number }
/** The viewer jumped from one position to another. */
export interface SeekEvent { k: "seek"; at_ms: number; from_ms: number; to_ms: number }
/** The end was reached. */
export interface EndEvent { k: "end"; at_ms: number; pos_ms: number }
/**
 * The media time [from_ms, to_ms) was shown, at `rate` times its speed.
 * `repeat` is false when the view had shown none of it before, true when it
 * had shown all of it; an interval is split where the two meet, and where one
 * of the conditions changes. Conditions left out are false.
 */
export interface WatchEvent {
  k: "watch"; at_ms: number; from_ms: number; to_ms: number; rate: number; repeat: boolean;
  muted?: boolean;
  fullscreen?: boolean;
  /** The page was not visible. */
  hidden?: boolean;
}
/** The viewer changed the speed to `rate`. */
export interface RateEvent { k: "rate"; at_ms: number; pos_ms: number; rate: number }
/** From asking for the first frame to seeing it. */
export interface StartupEvent { k: "startup"; at_ms: number; took_ms: number }
/** Playback began to wait for data, not because of a seek; a rebuffer follows when it goes on. */
export interface StallEvent { k: "stall"; at_ms: number; pos_ms: number }
/** Playback had waited for data, not because of a seek, and went on. */
export interface RebufferEvent { k: "rebuffer"; at_ms: number; pos_ms: number; took_ms: number }
/** The first frame after a seek to pos_ms came took_ms after the seek was asked for. */
export interface SeekWaitEvent { k: "seek_wait"; at_ms: number; pos_ms: number; took_ms: number }
/** Another rendition is shown from pos_ms on. */
export interface RungEvent {
  k: "rung"; at_ms: number; pos_ms: number; height: number; bitrate_bps: number; shift: "first" | "up" | "down";
}
/**
 * How playback looked since the last such event, over played_ms of wall time
 * spent playing. Scaling is per side: upscaled by max(0, shown / rendition - 1),
 * downscaled by max(0, rendition / shown - 1), in percent, average weighted by
 * time and largest.
 */
export interface QualityEvent {
  k: "quality"; at_ms: number; played_ms: number;
  frames?: number; dropped_frames?: number;
  upscale_avg_pct?: number; upscale_max_pct?: number;
  downscale_avg_pct?: number; downscale_max_pct?: number;
  /** Of the rendition shown last. */
  height?: number;
  /** Average over played_ms. */
  bitrate_bps?: number;
}
/** What the media requests since the last such event took: sums, but for the last two. */
export interface RequestsEvent {
  k: "requests"; at_ms: number; requests: number; failed: number; bytes: number; took_ms: number;
  ttfb_ms?: number;
  /** Media buffered ahead, now. */
  buffer_ms?: number;
  throughput_bps?: number;
}
/** How bad an error is: playback stopped for good, went on, or is not allowed. */
export type Severity = "fatal" | "warning" | "business";
/** Something went wrong. Without a severity, `fatal` says which of the first two it is. */
export interface ErrorEvent {
  k: "error"; at_ms: number; code: string; fatal?: boolean; message?: string;
  severity?: Severity;
  pos_ms?: number;
}
/** The things on a player that can be acted on. */
export const ACTION_TYPES = [
  "cta", "gate", "annotation", "chapter", "captions", "share", "playlist", "end_screen", "quality", "pip", "download",
] as const;
/** What can become of them. */
export const ACTION_VERBS = ["impression", "click", "convert", "skip", "on", "off"] as const;
export type ActionType = (typeof ACTION_TYPES)[number];
export type ActionVerb = (typeof ACTION_VERBS)[number];
/** Something offered on the player was shown or used. `id` has at most 64 bytes. */
export interface ActionEvent {
  k: "action"; at_ms: number; type: ActionType; id: string; verb: ActionVerb; pos_ms: number;
  /** What it said or led to, such as the language of captions. */
  content?: string;
}

/** One fact about a view. */
export type BeaconEvent =
  | LoadEvent | PlayEvent | PauseEvent | SeekEvent | EndEvent
  | WatchEvent | RateEvent | StartupEvent | StallEvent | RebufferEvent | SeekWaitEvent
  | RungEvent | QualityEvent | RequestsEvent | ErrorEvent | ActionEvent;

/** Where the element is; sent once, with the first batch of a view. */
export interface Page {
  url: string;
  referrer: string;
  /** Campaign parameters left out are taken from the URL. */
  utm_source?: string;
  utm_medium?: string;
  utm_campaign?: string;
  utm_term?: string;
  utm_content?: string;
  /** Which arm of an A/B test is shown. */
  variant?: string;
  language: string;
  screen_width?: number;
  screen_height?: number;
  player_width: number;
  player_height: number;
}

/** One request body. A resend of a batch has the same `seq` and the same bytes. */
export interface Batch {
  v: 1;
  token: string;
  seq: number;
  /** When it was packed; when it is sent is said in the query, as sent_at. */
  sent_at_ms: number;
  /** A signed identity that became known after the view token. */
  viewer?: string;
  /** Packed as the viewer left, who may come back. */
  leaving?: boolean;
  page?: Page;
  events: BeaconEvent[];
}

/** The most events one batch may carry. */
export const MAX_EVENTS = 200;
/** The most bytes one batch may have, in UTF-8. */
export const MAX_BYTES = 64 * 1024;
