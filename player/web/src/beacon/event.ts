/**
 * The beacon schema, version 1, as the collector reads it. The samples in
 * internal/beacon/testdata are read by the tests of both sides. All times are
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
 * had shown all of it; an interval is split where the two meet.
 */
export interface WatchEvent { k: "watch"; at_ms: number; from_ms: number; to_ms: number; rate: number; repeat: boolean }
/** From asking for the first frame to seeing it. */
export interface StartupEvent { k: "startup"; at_ms: number; took_ms: number }
/** Playback waited for data, not because of a seek. */
export interface RebufferEvent { k: "rebuffer"; at_ms: number; pos_ms: number; took_ms: number }
/** Something went wrong; `fatal` when playback stopped for good. */
export interface ErrorEvent { k: "error"; at_ms: number; code: string; fatal: boolean; message: string }

/** One fact about a view. */
export type BeaconEvent =
  | LoadEvent | PlayEvent | PauseEvent | SeekEvent | EndEvent
  | WatchEvent | StartupEvent | RebufferEvent | ErrorEvent;

/** Where the element is; sent once, with the first batch of a view. */
export interface Page {
  url: string;
  referrer: string;
  utm_source: string;
  utm_medium: string;
  utm_campaign: string;
  language: string;
  player_width: number;
  player_height: number;
}

/** One request body. A resend of a batch has the same `seq` and the same bytes. */
export interface Batch {
  v: 1;
  token: string;
  seq: number;
  sent_at_ms: number;
  page?: Page;
  events: BeaconEvent[];
}

/** The most events one batch may carry. */
export const MAX_EVENTS = 200;
/** The most bytes one batch may have, in UTF-8. */
export const MAX_BYTES = 64 * 1024;
