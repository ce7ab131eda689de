import { Coverage } from "./coverage";
import type { BeaconEvent, Severity } from "./event";

/** Media time may run ahead of the wall clock by this much between two samples. */
const SLACK_MS = 250;

/** What was played to its end may end this much before its duration: tracks do, by frames that pad one of them. */
const PADDING_MS = 100;

/** What holds while an interval is watched; a change begins another one. */
export interface Conditions { muted: boolean; fullscreen: boolean; hidden: boolean }

interface Open {
  /** Start of the interval, whole milliseconds of media time. */
  from: number;
  /** The newest position seen, and when. */
  last: number;
  at: number;
  rate: number;
}

/**
 * Turns what happens to a media element into beacon events. It knows no DOM:
 * each method is told the wall time `at` (ms since the epoch, never going
 * back) and, where it matters, the position `pos` (ms of media time).
 *
 * An interval ends at the last position seen while playing, never later: what
 * is reported was shown. Only what was played to its end is reported to its
 * duration, of which the last moments may be of nothing that can be shown. A jump
 * that no seek announced splits the interval.
 */
export class Tracker {
  readonly #emit: (event: BeaconEvent) => void;
  readonly #coverage = new Coverage();
  readonly #duration: number;
  #open: Open | null = null;
  /** Where the last interval ended, whole milliseconds of media time. */
  #ended = -1;
  #rate = 1;
  #pos = 0;
  #askedAt = -1;
  #started = false;
  #seekFrom = -1;
  #seekTo = 0;
  /** From a seek until media time moves again: waiting is not rebuffering. */
  #settling = false;
  /** When a seek was asked for whose first frame is awaited, or -1. */
  #seekAskedAt = -1;
  /** Playback was under way when the seek was asked for: it ends when media time moves. */
  #awaitsMotion = false;
  #conditions: Conditions = { muted: false, fullscreen: false, hidden: false };
  #stall: { at: number; pos: number } | null = null;

  /** durationMs of 0 means unknown: positions are then not clamped above. */
  constructor(emit: (event: BeaconEvent) => void, durationMs = 0) {
    this.#emit = emit;
    this.#duration = durationMs > 0 ? durationMs : Infinity;
  }

  /** What the view has watched so far. */
  get coverage(): Coverage {
    return this.#coverage;
  }

  /** Someone, or autoplay, asked for the first frame. Later calls are ignored. */
  play(at: number, pos: number, autoplay: boolean): void {
    if (this.#askedAt >= 0) return;
    this.#askedAt = at;
    this.#pos = pos;
    this.#emit({ k: "play", at_ms: ms(at), pos_ms: this.#clamp(pos), autoplay });
  }

  /**
   * Media time moves, and has come to pos. The interval starts where playback
   * was last at rest when that is only a moment before, else at pos.
   */
  playing(at: number, pos: number, rate = this.#rate): void {
    if (!this.#started && this.#askedAt >= 0) {
      this.#started = true;
      this.#emit({ k: "startup", at_ms: ms(at), took_ms: ms(at - this.#askedAt) });
    }
    this.#endStall(at);
    this.#seekFrom = -1;
    if (this.#open) {
      this.progress(at, pos);
      this.rate(at, pos, rate);
      return;
    }
    this.#rate = rate;
    this.#start(at, within(this.#pos, pos) ? this.#pos : pos, pos);
  }

  /** A sample of the position while playing. Ignored between intervals. */
  progress(at: number, pos: number): void {
    const open = this.#open;
    if (!open || this.#seekFrom >= 0) return;
    const moved = pos - open.last;
    if (moved < 0 || moved > (at - open.at) * open.rate + SLACK_MS) {
      this.#close(at);
      this.#start(at, pos);
      return;
    }
    if (moved > 0) {
      this.#endStall(at);
      this.#endSeekWait(at);
      this.#settling = false;
      open.last = pos;
    }
    open.at = at;
    this.#pos = pos;
  }

  /** A seek to pos has begun: the position is no longer where playback was. */
  seeking(at: number, pos: number): void {
    this.#endStall(at);
    if (this.#seekFrom < 0) this.#seekFrom = this.#open?.last ?? this.#pos;
    // Of a seek while paused nobody awaits more than its frame, which `seeked` tells of.
    if (this.#seekAskedAt < 0) this.#seekAskedAt = at;
    if (this.#open) this.#awaitsMotion = true;
    this.#seekTo = pos;
    this.#settling = true;
    this.#close(at);
  }

  /** The seek has ended and playback has come to pos; reports it. Playing goes on with `playing`. */
  seeked(at: number, pos: number): void {
    if (this.#seekFrom < 0) return;
    this.#pos = within(this.#seekTo, pos) ? this.#seekTo : pos;
    const from = this.#clamp(this.#seekFrom);
    const to = this.#clamp(this.#pos);
    this.#seekFrom = -1;
    if (from !== to) this.#emit({ k: "seek", at_ms: ms(at), from_ms: from, to_ms: to });
    if (!this.#awaitsMotion) this.#endSeekWait(at);
  }

  /** No data at the playhead. */
  waiting(at: number, pos: number): void {
    if (!this.#started || this.#settling || !this.#open || this.#stall) return;
    this.#stall = { at, pos };
    this.#emit({ k: "stall", at_ms: ms(at), pos_ms: this.#clamp(pos) });
  }

  /** Playback was paused at pos. */
  pause(at: number, pos: number): void {
    this.#settle(at, pos);
    this.#emit({ k: "pause", at_ms: ms(at), pos_ms: this.#clamp(pos) });
  }

  /** The end was reached at pos. */
  end(at: number, pos: number): void {
    if (pos < this.#duration && pos >= this.#duration - PADDING_MS) pos = this.#duration;
    this.#settle(at, pos);
    this.#emit({ k: "end", at_ms: ms(at), pos_ms: this.#clamp(pos) });
  }

  /** The speed changed at pos; intervals have one speed each. */
  rate(at: number, pos: number, rate: number): void {
    if (rate === this.#rate || !(rate > 0)) return;
    const open = this.#open;
    if (open) {
      this.progress(at, pos);
      this.#cut(at);
      if (this.#open) this.#open.rate = rate;
    }
    this.#rate = rate;
    if (this.#started) this.#emit({ k: "rate", at_ms: ms(at), pos_ms: this.#clamp(pos), rate });
  }

  /** Some conditions changed at pos; intervals have one set of them each. */
  conditions(at: number, pos: number, change: Partial<Conditions>): void {
    const next = { ...this.#conditions, ...change };
    if (JSON.stringify(next) === JSON.stringify(this.#conditions)) return;
    if (this.#open) {
      this.progress(at, pos);
      this.#cut(at);
    }
    this.#conditions = next;
  }

  /** Something failed; a fatal error ends playback, a business one says that it is not allowed. */
  error(at: number, code: string, severity: boolean | Severity, message: string): void {
    if (typeof severity === "boolean") severity = severity ? "fatal" : "warning";
    if (severity !== "warning") this.#close(at);
    this.#emit({
      k: "error", at_ms: ms(at), pos_ms: this.#clamp(this.#pos), code: code.slice(0, 64), severity,
      fatal: severity === "fatal", message: message.slice(0, 500),
    });
  }

  /** Reports the interval so far and goes on: the next one starts where it ended. */
  flush(at: number): void {
    this.#cut(at);
  }

  /** The element is going away. */
  stop(at: number): void {
    this.#endStall(at);
    this.#close(at);
  }

  #settle(at: number, pos: number): void {
    this.progress(at, pos);
    this.#seekAskedAt = -1; // what is awaited will not come
    this.#awaitsMotion = false;
    this.#endStall(at);
    this.#close(at);
    this.#pos = pos;
  }

  #start(at: number, from: number, pos = from): void {
    this.#pos = pos;
    // What goes on in the millisecond in which it stopped leaves no hole there.
    const whole = Math.floor(from) === this.#ended ? this.#ended : Math.ceil(from - 1e-3);
    this.#open = { from: Math.max(0, whole), last: pos, at, rate: this.#rate };
  }

  #cut(at: number): void {
    const open = this.#open;
    if (!open) return;
    const to = this.#clamp(open.last);
    if (to <= open.from) return;
    for (const piece of this.#coverage.add(open.from, to)) {
      this.#emit({
        k: "watch", at_ms: ms(at), from_ms: piece.from, to_ms: piece.to,
        rate: open.rate, repeat: piece.repeat, ...this.#told(),
      });
    }
    open.from = this.#ended = to;
  }

  #close(at: number): void {
    this.#cut(at);
    this.#open = null;
  }

  /** The conditions that hold, as a watch event tells them. */
  #told(): Partial<Conditions> {
    return Object.fromEntries(Object.entries(this.#conditions).filter(([, holds]) => holds));
  }

  #endSeekWait(at: number): void {
    const asked = this.#seekAskedAt;
    this.#seekAskedAt = -1;
    this.#awaitsMotion = false;
    if (asked >= 0) this.#emit({ k: "seek_wait", at_ms: ms(at), pos_ms: this.#clamp(this.#seekTo), took_ms: ms(at - asked) });
  }

  #endStall(at: number): void {
    const stall = this.#stall;
    this.#stall = null;
    if (!stall) return;
    const took = ms(at - stall.at);
    if (took > 0) this.#emit({ k: "rebuffer", at_ms: ms(at), pos_ms: this.#clamp(stall.pos), took_ms: took });
  }

  #clamp(pos: number): number {
    return Math.floor(Math.min(Math.max(pos, 0), this.#duration));
  }
}

// within reports whether playback at rest at `rest` may have moved on to pos
// before anyone told.
function within(rest: number, pos: number): boolean {
  return pos >= rest && pos <= rest + SLACK_MS;
}

function ms(value: number): number {
  return Math.max(0, Math.round(value));
}
