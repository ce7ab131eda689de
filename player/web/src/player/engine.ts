import type HlsClass from "hls.js";
import type { ErrorData, Level as HlsLevel } from "hls.js";
import Hls from "vitascope:hls";

/** One quality of the video on offer. */
export interface Level {
  id: string;
  width: number;
  height: number;
  /** Bits per second. */
  bitrate: number;
}

/** Figures of the moment. */
export interface EngineStats {
  /** Estimated bits per second; 0 before the first estimate. */
  bandwidth: number;
  /** The level being shown, or null. */
  level: string | null;
}

/** What an engine tells. */
export interface EngineEvents {
  /** The levels are known, or have changed. */
  onLevels(levels: readonly Level[]): void;
  /** Playback has stopped for good. The code is snake_case. */
  onFailure(code: string, message: string): void;
}

/**
 * The seam between the player and whatever plays HLS. Another engine replaces
 * this file and nothing else.
 */
export interface Engine {
  /** Takes a media element; called once, before load. */
  attach(video: HTMLVideoElement): void;
  /** Loads a multivariant playlist and starts filling the buffer from startSeconds. */
  load(url: string, startSeconds?: number): void;
  readonly levels: readonly Level[];
  /** Fixes the quality, or frees it when id is null. */
  setLevel(id: string | null): void;
  stats(): EngineStats;
  /** Lets go of the element and the network. */
  destroy(): void;
}

/** Picks the engine for this browser, or null when it can play nothing of ours. */
export function createEngine(events: EngineEvents): Engine | null {
  if (Hls.isSupported()) return new HlsEngine(events);
  // Not canPlayType: browsers say "maybe" and mean it.
  if ("ManagedMediaSource" in window) return new NativeEngine(events);
  return null;
}

const MEDIA_RECOVERIES = 2;
const NETWORK_RECOVERIES = 4;

class HlsEngine implements Engine {
  readonly #events: EngineEvents;
  readonly #hls: HlsClass;
  #levels: Level[] = [];
  #mediaRecoveries = 0;
  #networkRecoveries = 0;
  #timer = 0;

  constructor(events: EngineEvents) {
    this.#events = events;
    this.#hls = new Hls({
      enableWorker: false,
      capLevelToPlayerSize: true,
      startFragPrefetch: true,
      maxBufferLength: 30,
      backBufferLength: 60,
      // Starts on a rung that most connections carry; the first segment corrects it.
      abrEwmaDefaultEstimate: 2_000_000,
    });
    const hls = this.#hls;
    hls.on(Hls.Events.MANIFEST_PARSED, () => this.#announce());
    hls.on(Hls.Events.LEVELS_UPDATED, () => this.#announce());
    hls.on(Hls.Events.FRAG_BUFFERED, () => (this.#networkRecoveries = 0));
    hls.on(Hls.Events.ERROR, (_, data) => this.#onError(data));
  }

  get levels(): readonly Level[] {
    return this.#levels;
  }

  attach(video: HTMLVideoElement): void {
    this.#hls.attachMedia(video);
  }

  load(url: string, startSeconds = -1): void {
    this.#hls.config.startPosition = startSeconds;
    this.#hls.loadSource(url);
  }

  setLevel(id: string | null): void {
    // Changes at the next segment: the picture on screen goes on.
    this.#hls.nextLevel = id === null ? -1 : this.#levels.findIndex((level) => level.id === id);
  }

  stats(): EngineStats {
    const { bandwidthEstimate, currentLevel } = this.#hls;
    return {
      bandwidth: Number.isFinite(bandwidthEstimate) ? bandwidthEstimate : 0,
      level: this.#levels[currentLevel]?.id ?? null,
    };
  }

  destroy(): void {
    clearTimeout(this.#timer);
    this.#hls.destroy();
  }

  #announce(): void {
    this.#levels = this.#hls.levels.map((level: HlsLevel, i: number) => ({
      id: String(i), width: level.width, height: level.height, bitrate: level.bitrate,
    }));
    this.#events.onLevels(this.#levels);
  }

  #onError(data: ErrorData): void {
    if (!data.fatal) return;
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && this.#mediaRecoveries++ < MEDIA_RECOVERIES) {
      this.#hls.recoverMediaError();
      return;
    }
    const response = data.response?.code ?? 0;
    const gone = response >= 400 && response < 500 && response !== 408 && response !== 429;
    if (data.type === Hls.ErrorTypes.NETWORK_ERROR && !gone && this.#networkRecoveries < NETWORK_RECOVERIES) {
      const wait = 1000 * 2 ** this.#networkRecoveries++;
      this.#timer = window.setTimeout(() => this.#reload(), wait);
      return;
    }
    this.#events.onFailure(snake(data.details), data.error?.message ?? data.reason ?? "");
  }

  #reload(): void {
    const hls = this.#hls;
    if (hls.levels.length === 0 && hls.url) hls.loadSource(hls.url);
    else hls.startLoad();
  }
}

class NativeEngine implements Engine {
  readonly levels: readonly Level[] = [];
  readonly #events: EngineEvents;
  readonly #stop = new AbortController();
  #video: HTMLVideoElement | null = null;

  constructor(events: EngineEvents) {
    this.#events = events;
  }

  attach(video: HTMLVideoElement): void {
    this.#video = video;
    const onError = (): void => {
      const code = ["unknown", "aborted", "network", "media_decode", "src_not_supported"][video.error?.code ?? 0];
      this.#events.onFailure(code ?? "unknown", video.error?.message ?? "");
    };
    video.addEventListener("error", onError, { signal: this.#stop.signal });
  }

  load(url: string, startSeconds = 0): void {
    if (!this.#video) return;
    this.#video.src = url;
    if (startSeconds > 0) this.#video.currentTime = startSeconds;
  }

  setLevel(): void {
    // The browser chooses.
  }

  stats(): EngineStats {
    return { bandwidth: 0, level: null };
  }

  destroy(): void {
    this.#stop.abort();
    this.#video?.removeAttribute("src");
    this.#video?.load();
  }
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (c) => "_" + c.toLowerCase());
}
