/** One quality of the video on offer. */
export interface Level {
  id: string;
  width: number;
  height: number;
  /** Bits per second. */
  bitrate: number;
}

/** One language, or version, of the sound. */
export interface AudioOption {
  id: string;
  label: string;
  language: string;
  enabled: boolean;
}

/** Figures of the moment. */
export interface EngineStats {
  /** Estimated bits per second; 0 before the first estimate. */
  bandwidth: number;
  /** The level being shown, or null. */
  level: string | null;
}

/** One request for media: what it took, or that it failed. */
export interface RequestFacts {
  failed: boolean;
  bytes: number;
  tookMs: number;
  ttfbMs: number;
}

/** What an engine tells. */
export interface EngineEvents {
  /** The levels are known, or have changed. */
  onLevels(levels: readonly Level[]): void;
  /** The audio tracks are known, or have changed. */
  onAudio(options: readonly AudioOption[]): void;
  /** Another level is shown from now on. */
  onRung(level: Level): void;
  onRequest(facts: RequestFacts): void;
  /** Something failed, and playback goes on. The code is snake_case. */
  onWarning(code: string, message: string): void;
  /** Playback has stopped for good. status is that of the server's answer, or 0. */
  onFailure(code: string, message: string, status: number): void;
}

/** How an engine is to begin. */
export interface EngineStart {
  url: string;
  seconds: number;
  /** Bits per second that the connection is thought to carry. */
  bandwidth: number;
  /** More levels may be published while it plays. */
  growing: boolean;
  /** The page brings captions of its own; those of the playlist are not wanted. */
  ownCaptions: boolean;
}

/**
 * The seam between the player and whatever plays HLS. Another engine is
 * another file beside hls-engine.ts and one line in its entry (with-hls.ts).
 */
export interface Engine {
  /** Takes a media element and starts filling its buffer; called once. */
  load(video: HTMLVideoElement, start: EngineStart): void;
  readonly levels: readonly Level[];
  /** Fixes the quality, or frees it when id is null. */
  setLevel(id: string | null): void;
  setAudio(id: string): void;
  stats(): EngineStats;
  /** Lets go of the element and the network. */
  destroy(): void;
}

/** Makes an engine, or nothing when this browser can play nothing of ours. */
export type MakeEngine = (events: EngineEvents) => Engine | null;
