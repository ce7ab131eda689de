import type HlsClass from "hls.js";
import type { ErrorData, Fragment, Level as HlsLevel, LoaderStats } from "hls.js";
import Hls from "vitascope:hls";
import type { AudioOption, Engine, EngineEvents, EngineStart, EngineStats, Level, MakeEngine } from "./engine";
import { graft } from "./graft";

const MEDIA_RECOVERIES = 2;
const NETWORK_RECOVERIES = 4;
/** How often a growing publication is looked at again, at first and at most. */
const LOOK_AGAIN_MS = 6_000;
const LOOK_AGAIN_MAX_MS = 60_000;

/** Makes the engine on Media Source Extensions. */
export const makeHls: MakeEngine = (events) => (Hls.isSupported() ? new HlsEngine(events) : null);

class HlsEngine implements Engine {
  readonly #events: EngineEvents;
  #hls: HlsClass | null = null;
  #levels: Level[] = [];
  #mediaRecoveries = 0;
  #networkRecoveries = 0;
  #timer = 0;
  #looking = 0;

  constructor(events: EngineEvents) {
    this.#events = events;
  }

  get levels(): readonly Level[] {
    return this.#levels;
  }

  load(video: HTMLVideoElement, start: EngineStart): void {
    const hls = (this.#hls = new Hls({
      enableWorker: false,
      // A segment is shown from its first fragment on, while the rest arrives.
      progressive: true,
      capLevelToPlayerSize: true,
      // The picture stays when the playlists arrive before the element is attached.
      startFragPrefetch: true,
      // The first segment is shown, not thrown away after it was measured.
      testBandwidth: false,
      startPosition: start.seconds || -1,
      maxBufferLength: 30,
      backBufferLength: 60,
      abrEwmaDefaultEstimate: start.bandwidth,
      enableWebVTT: !start.ownCaptions,
    }));
    const { Events } = Hls;
    const announce = (): void => this.#announce(hls);
    const sound = (): void => this.#sound(hls);
    hls.on(Events.MANIFEST_PARSED, announce);
    hls.on(Events.LEVELS_UPDATED, announce);
    hls.on(Events.AUDIO_TRACKS_UPDATED, sound);
    hls.on(Events.AUDIO_TRACK_SWITCHED, sound);
    hls.on(Events.FRAG_BUFFERED, (_, { frag, stats }) => this.#onBuffered(frag, stats));
    hls.on(Events.FRAG_CHANGED, (_, { frag }) => this.#onShown(frag));
    hls.on(Events.ERROR, (_, data) => this.#onError(hls, data));
    hls.loadSource(start.url);
    hls.attachMedia(video);
    if (start.growing) this.#lookAgain(hls, start.url, LOOK_AGAIN_MS);
  }

  setLevel(id: string | null): void {
    if (!this.#hls) return;
    // Changes at the next segment: the picture on screen goes on.
    this.#hls.nextLevel = id === null ? -1 : this.#levels.findIndex((level) => level.id === id);
  }

  setAudio(id: string): void {
    if (this.#hls) this.#hls.audioTrack = Number(id);
  }

  stats(): EngineStats {
    const { bandwidthEstimate = 0, currentLevel = -1 } = this.#hls ?? {};
    return {
      bandwidth: Number.isFinite(bandwidthEstimate) ? Math.round(bandwidthEstimate) : 0,
      level: this.#levels[currentLevel]?.id ?? null,
    };
  }

  destroy(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#looking);
    this.#hls?.destroy();
    this.#hls = null;
  }

  #announce(hls: HlsClass): void {
    this.#levels = hls.levels.map((level: HlsLevel) => ({
      id: level.uri, width: level.width, height: level.height, bitrate: level.bitrate,
    }));
    this.#events.onLevels(this.#levels);
  }

  #sound(hls: HlsClass): void {
    const options: AudioOption[] = hls.audioTracks.map((track, i) => ({
      id: String(i), label: track.name, language: track.lang ?? "", enabled: i === hls.audioTrack,
    }));
    this.#events.onAudio(options);
  }

  #onShown(frag: Fragment): void {
    const level = this.#levels[frag.level];
    if (frag.type === "main" && level) this.#events.onRung(level);
  }

  #onBuffered(frag: { type: string }, { loading, total, loaded }: LoaderStats): void {
    this.#networkRecoveries = 0;
    if (frag.type === "subtitle") return;
    this.#events.onRequest({
      failed: false, bytes: total || loaded,
      tookMs: loading.end - loading.start, ttfbMs: loading.first - loading.start,
    });
  }

  // While a video is being prepared, its list of levels grows.
  #lookAgain(hls: HlsClass, url: string, wait: number): void {
    this.#looking = window.setTimeout(() => {
      graft(Hls, hls, url, (grown) => {
        if (this.#hls !== hls) return;
        this.#lookAgain(hls, url, grown ? LOOK_AGAIN_MS : Math.min(wait * 1.5, LOOK_AGAIN_MAX_MS));
      });
    }, wait);
  }

  #onError(hls: HlsClass, data: ErrorData): void {
    const code = snake(data.details);
    const message = data.error?.message ?? data.reason ?? "";
    const response = data.response?.code ?? 0;
    if (data.frag) {
      const { loading } = data.frag.stats;
      const now = performance.now();
      if (data.type === Hls.ErrorTypes.NETWORK_ERROR) {
        this.#events.onRequest({ failed: true, bytes: 0, tookMs: Math.max(0, (loading.end || now) - (loading.start || now)), ttfbMs: 0 });
      }
    }
    // A stall is told as one, not as an error.
    if (!data.fatal) return data.details === Hls.ErrorDetails.BUFFER_STALLED_ERROR ? undefined : this.#events.onWarning(code, message);
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && this.#mediaRecoveries++ < MEDIA_RECOVERIES) {
      this.#events.onWarning(code, message);
      hls.recoverMediaError();
      return;
    }
    const gone = response >= 400 && response < 500 && response !== 408 && response !== 429;
    if (data.type === Hls.ErrorTypes.NETWORK_ERROR && !gone && this.#networkRecoveries < NETWORK_RECOVERIES) {
      this.#events.onWarning(code, message);
      const wait = 1000 * 2 ** this.#networkRecoveries++;
      this.#timer = window.setTimeout(() => {
        if (hls.levels.length === 0 && hls.url) hls.loadSource(hls.url);
        else hls.startLoad();
      }, wait);
      return;
    }
    this.#events.onFailure(code, message, response);
  }
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (c) => "_" + c.toLowerCase());
}
