/**
 * The JavaScript API of `<vitascope-player>`, served beside the bundle as
 * /player.d.ts.
 */

/** What is known of a video. */
export interface VitascopeMedia {
  readonly media_id: string;
  readonly name: string;
  readonly state: "uploading" | "probing" | "playable" | "ready" | "failed";
  readonly duration_seconds: number;
  readonly width: number;
  readonly height: number;
  readonly poster_url: string;
}

/** Properties and methods beyond HTMLElement's. Times are in seconds. */
export interface VitascopeAPI {
  /** The id of the video; setting it replaces the video. */
  mediaId: string;
  readonly name: string;
  /** What is known of the video, or null before `api-ready`. */
  readonly config: VitascopeMedia | null;
  currentTime: number;
  readonly duration: number;
  readonly paused: boolean;
  readonly ended: boolean;
  muted: boolean;
  /** 0 to 1. */
  volume: number;
  playbackRate: number;
  readonly state: "beforeplay" | "playing" | "paused" | "ended";
  /** The share of the video that was seen at least once, 0 to 1. */
  readonly percentWatched: number;
  /** How many different seconds of the video were seen. */
  readonly secondsWatched: number;
  /** How often each second of the video was seen. */
  readonly secondsWatchedVector: number[];
  /** "auto", or the height of the quality that is fixed, such as "720". */
  videoQuality: string;
  /** The id of this view in the statistics. */
  readonly eventKey: string;
  /** Always empty: no key is kept of a visitor. There for code written for Wistia. */
  readonly visitorKey: string;
  /** Fills in the address at an email gate. It is reported only when the viewer sends the gate. */
  email: string;
  /** "granted", "denied" or "" (not asked): whether the viewer may be remembered and named. */
  consent: string;
  /** A token signed by your server that names the viewer; used with consent only. */
  viewerToken: string;
  readonly inFullscreen: boolean;
  /** Starts or goes on; resolves when playback has begun. */
  play(): Promise<void>;
  pause(): void;
  requestFullscreen(options?: FullscreenOptions): Promise<void>;
  cancelFullscreen(): Promise<void>;
  /** Shows another video in the same place and plays it unless told not to. */
  replaceWithMedia(mediaId: string, options?: { autoplay?: boolean }): Promise<void>;
  /** Opens the dialog of an element with mode="popover" or "link"; plays any other. */
  showPopover(): void;
  hidePopover(): void;
  /** Calls run each time playback passes the second; returns what ends it. */
  crossTime(seconds: number, run: () => void): () => void;
  /** Calls run with true when playback comes into [from, to), with false when it leaves. */
  betweenTimes(from: number, to: number, run: (inside: boolean) => void): () => void;
  /** Removes what was kept of the viewer on this site: resume positions, captions language. */
  forget(): void;
  /** Resolves to the element once all of the above is there and the video is known. */
  whenApiReady(): Promise<VitascopePlayerElement>;
}

export type VitascopePlayerElement = HTMLElement & VitascopeAPI;

/** An entry of the queue `window._vitascope`: pushed before or after the script runs. */
export interface VitascopeQueueEntry {
  /** A media id, the id of an element, or "_all". */
  id: string;
  onReady(player: VitascopePlayerElement): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "vitascope-player": VitascopePlayerElement;
  }
  interface Window {
    _vitascope?: { push(...entries: VitascopeQueueEntry[]): unknown };
  }
}
