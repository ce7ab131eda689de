import type { AudioOption, Engine, EngineEvents, EngineStart } from "./engine";

/** AudioTrackList of HTML, which only the browsers this engine is for have. */
interface NativeTrack { id: string; label: string; language: string; enabled: boolean }
interface NativeTracks extends EventTarget, Iterable<NativeTrack> { length: number }

const CODES = ["unknown", "aborted", "network", "media_decode", "src_not_supported"];

/** The browser's own HLS, for those with ManagedMediaSource, where it is sound. */
export class NativeEngine implements Engine {
  readonly levels = [];
  readonly #events: EngineEvents;
  readonly #stop = new AbortController();
  #video: HTMLVideoElement | null = null;

  constructor(events: EngineEvents) {
    this.#events = events;
  }

  load(video: HTMLVideoElement, start: EngineStart): void {
    const { signal } = this.#stop;
    this.#video = video;
    const onError = (): void =>
      this.#events.onFailure(CODES[video.error?.code ?? 0] ?? "unknown", video.error?.message ?? "", 0);
    video.addEventListener("error", onError, { signal });
    this.#tracks?.addEventListener("addtrack", () => this.#events.onAudio(this.#options()), { signal });
    video.src = start.url;
    if (start.seconds > 0) video.currentTime = start.seconds;
  }

  setLevel(): void {
    // The browser chooses.
  }

  setAudio(id: string): void {
    for (const track of this.#tracks ?? []) track.enabled = track.id === id;
    this.#events.onAudio(this.#options());
  }

  stats(): { bandwidth: number; level: null } {
    return { bandwidth: 0, level: null };
  }

  destroy(): void {
    this.#stop.abort();
    this.#video?.removeAttribute("src");
    this.#video?.load();
  }

  get #tracks(): NativeTracks | undefined {
    // The player's own list stands in front of the browser's on the element.
    return Reflect.get(HTMLMediaElement.prototype, "audioTracks", this.#video) as NativeTracks | undefined;
  }

  #options(): AudioOption[] {
    return [...(this.#tracks ?? [])].map(({ id, label, language, enabled }) => ({ id, label: label || language, language, enabled }));
  }
}
