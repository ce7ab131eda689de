/** What the facade and the player behind it know of each other. Types only. */

/** The answer of /embed/medias/{id}/config.json. */
export interface MediaConfig {
  media_id: string;
  name: string;
  state: "uploading" | "probing" | "playable" | "ready" | "failed";
  duration_seconds: number;
  width: number;
  height: number;
  has_video: boolean;
  has_audio: boolean;
  poster_url: string;
  storyboard_url: string;
  hls_url: string;
  beacon_url: string;
  view_token: string;
  view_id: string;
}

/** Where a player is put and what it plays. */
export interface Stage {
  /** The element on the page. */
  host: HTMLElement;
  /** The box inside its shadow root that the player fills. */
  box: HTMLElement;
  /** The media element, not yet in the tree. The facade forwards to it. */
  video: HTMLVideoElement;
  config: MediaConfig;
  /** When playback was asked for: ms since the epoch. */
  askedAt: number;
  /** Asked for by the page, not by the viewer. */
  autoplay: boolean;
  /** Move the focus into the player: the viewer pressed a button that goes away. */
  focus: boolean;
}

/** A player in its place. */
export interface Mounted {
  /** Reports what is unreported, lets go of everything, removes what was added. */
  destroy(): void;
}

/** The one export of the player chunk. */
export type Mount = (stage: Stage) => Mounted;
