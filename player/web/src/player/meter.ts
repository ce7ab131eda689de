import type { QualityEvent, RequestsEvent, RungEvent } from "../beacon/event";
import type { Level, RequestFacts } from "./engine";

/** What the meter reads at a moment. All sizes are in device pixels. */
export interface Reading {
  /** ms, never going back. */
  at: number;
  playing: boolean;
  /** Since the element began. */
  frames: number;
  dropped: number;
  /** The box the picture is shown in. */
  boxWidth: number;
  boxHeight: number;
}

const PERCENT_MAX = 1600;

/**
 * Sums up how playback looked and what its requests took, between two reports.
 * Logic only: it is told what to count.
 */
export class Meter {
  #level: Level | null = null;
  #last: Reading | null = null;
  #reported = { frames: 0, dropped: 0 };
  #played = 0;
  #bits = 0;
  #up = 0;
  #upMax = 0;
  #down = 0;
  #downMax = 0;
  #requests = { requests: 0, failed: 0, bytes: 0, took_ms: 0, ttfb_ms: 0 };

  /** Another level is shown. Returns its event, or nothing when it is the same. */
  rung(level: Level, atMs: number, posMs: number): RungEvent | null {
    const before = this.#level;
    if (before?.id === level.id) return null;
    this.#level = level;
    const up = level.height > (before?.height ?? 0) || (level.height === before?.height && level.bitrate > before.bitrate);
    return {
      k: "rung", at_ms: Math.round(atMs), pos_ms: Math.max(0, Math.floor(posMs)), height: level.height,
      bitrate_bps: Math.round(level.bitrate), shift: before ? (up ? "up" : "down") : "first",
    };
  }

  /** Counts the time since the last reading as played, if it was. */
  read(now: Reading): void {
    const last = this.#last;
    this.#last = now;
    const ms = last?.playing ? now.at - last.at : 0;
    if (!last || !(ms > 0)) return;
    this.#played += ms;
    const level = this.#level;
    if (!level) return;
    this.#bits += level.bitrate * ms;
    if (!(level.width > 0 && level.height > 0 && last.boxWidth > 0 && last.boxHeight > 0)) return;
    const scale = Math.min(last.boxWidth / level.width, last.boxHeight / level.height);
    const up = Math.min(PERCENT_MAX, Math.max(0, scale - 1) * 100);
    const down = Math.min(PERCENT_MAX, Math.max(0, 1 / scale - 1) * 100);
    this.#up += up * ms;
    this.#down += down * ms;
    this.#upMax = Math.max(this.#upMax, up);
    this.#downMax = Math.max(this.#downMax, down);
  }

  request({ failed, bytes, tookMs, ttfbMs }: RequestFacts): void {
    const sums = this.#requests;
    sums.requests++;
    sums.failed += failed ? 1 : 0;
    sums.bytes += whole(bytes);
    sums.took_ms += whole(tookMs);
    sums.ttfb_ms += whole(ttfbMs);
  }

  /** The events since the last call; none for what did not happen. */
  take(atMs: number, bufferMs: number, throughput: number): (QualityEvent | RequestsEvent)[] {
    const out: (QualityEvent | RequestsEvent)[] = [];
    const at_ms = Math.round(atMs);
    const played_ms = Math.round(this.#played);
    const last = this.#last;
    if (played_ms > 0 && last) {
      const average = (sum: number): number => tenth(sum / this.#played);
      out.push({
        k: "quality", at_ms, played_ms,
        frames: Math.max(0, last.frames - this.#reported.frames),
        dropped_frames: Math.max(0, last.dropped - this.#reported.dropped),
        upscale_avg_pct: average(this.#up), upscale_max_pct: tenth(this.#upMax),
        downscale_avg_pct: average(this.#down), downscale_max_pct: tenth(this.#downMax),
        ...(this.#level && { height: this.#level.height, bitrate_bps: Math.round(this.#bits / this.#played) }),
      });
      this.#reported = { frames: last.frames, dropped: last.dropped };
      this.#played = this.#bits = this.#up = this.#upMax = this.#down = this.#downMax = 0;
    }
    if (this.#requests.requests > 0) {
      out.push({ k: "requests", at_ms, ...this.#requests, buffer_ms: whole(bufferMs), throughput_bps: whole(throughput) });
      this.#requests = { requests: 0, failed: 0, bytes: 0, took_ms: 0, ttfb_ms: 0 };
    }
    return out;
  }
}

const whole = (value: number): number => Math.max(0, Math.round(value) || 0);
const tenth = (value: number): number => Math.round(value * 10) / 10;
