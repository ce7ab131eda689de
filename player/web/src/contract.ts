/** What the facade and what it loads later know of each other. Types only. */
import type { Seen } from "./api/install";
import type { Player } from "./player/part";


/** A captions track on offer. */
export interface CaptionsConfig {
  /** BCP 47. */
  language: string;
  label: string;
  kind: "captions" | "subtitles";
  url: string;
  default?: boolean;
}

/** A stretch of the video with a title; it ends where the next one starts. */
export interface ChapterConfig {
  start_seconds: number;
  title: string;
}

/** Files that playback at one rung starts with, in the order they are needed. */
export interface StartConfig {
  /** What the connection has to carry, bits per second; 0 for the lowest rung. Highest first. */
  bitrate: number;
  urls: string[];
}

/** Something a marketer asks of the viewer; see docs/player.md. */
export interface ActionConfig {
  id: string;
  type: "cta" | "gate" | "annotation";
  at_seconds: number | "start" | "end";
  /** How long an annotation stays; default 10. */
  duration_seconds?: number;
  text: string;
  description?: string;
  button?: string;
  url?: string;
  image_url?: string;
  image_alt?: string;
  skippable?: boolean;
  /** What a gate asks for beside the address. */
  fields?: ("name" | "company" | "phone")[];
  /** Words that a gate has viewers agree to. */
  consent?: string;
}

/** The media's own player settings. Attributes of the element win. */
export interface PlayerConfig {
  /** The accent, "#rrggbb". */
  color?: string;
  /** false takes a control away. */
  controls?: Partial<Record<ControlName, boolean>>;
  end_screen?: boolean;
  actions?: ActionConfig[];
}

/** What `controls` of the media's settings can switch off. */
export type ControlName =
  | "play" | "time" | "volume" | "captions" | "settings" | "chapters"
  | "transcript" | "pip" | "airplay" | "fullscreen";

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
  captions?: CaptionsConfig[];
  chapters?: ChapterConfig[];
  preview_url?: string;
  share_url?: string;
  leads_url?: string;
  player?: PlayerConfig;
  start?: StartConfig[];
}

/** What a protected video asks for; sent in the body of a POST. */
export interface Credentials {
  token?: string | null;
  viewer_token?: string | null;
  password?: string;
}

/** One stay of an element on the page, as the facade shows it to the rest. */
export interface Facade {
  /** The element on the page, a VitascopeElement. */
  host: HTMLElement & { config: MediaConfig | null };
  root: ShadowRoot;
  /** The box inside its shadow root that the player fills; pulses with the class "w". */
  box: HTMLElement;
  /** The line of text in it. */
  line: HTMLElement;
  /** The media element, not yet in the tree. The facade forwards to it. */
  video: HTMLVideoElement;
  /** The address of a path of our server. */
  at(path: string): string;
  /** What a press of the button does. */
  go(): void;
  /** Puts the player in and starts it; resolves when playback has begun. */
  play(): Promise<void>;
  /** Asks for the config, once or again, and shows what comes; answer is what was asked for already. */
  load(again?: unknown, answer?: Promise<MediaConfig>): void;
  /** The config was asked for. */
  loading?: boolean;
  /** Shows what is known of the video; from here on it can be played. */
  show(config: MediaConfig): void;
  /** Resolves when what the facade is too small for is in its place. */
  setUp?: Promise<unknown>;
  /** What is sent along when asking; nothing for what is open to all. */
  credentials?: Credentials;
  /** Resolves when there is a config to play. */
  playable: Promise<void>;
  /** When playback was asked for, ms since the epoch. */
  asked?: number;
  /** Asked for by the page, not by the viewer. */
  autoplay?: boolean;
  /** The element is away, or shows another video. */
  stopped?: boolean;
  /** Ends this stay and all that it started. */
  stop(): void;
  /** What was seen in it; there once the API is. */
  seen?: Seen;
  /** The player, while it is in its place. */
  player?: Player | null;
}

/** A player in its place. */
export interface Mounted {
  /** Reports what is unreported, lets go of everything, removes what was added. */
  destroy(): void;
}

/** What the player chunk exports. */
export interface PlayerChunk {
  mount(facade: Facade): Mounted | Promise<Mounted>;
}

/** What the extras chunk exports: modes of embedding that few elements use. */
export interface ExtrasChunk extends PlayerChunk {
  /** Called for elements with a mode or a token or that start by themselves, inside an iframe, and when a page waits in the queue. */
  setUp(facade: Facade): void | Promise<void>;
  /** Asks for the config, with credentials where there are any; shows it, or says why not. */
  load(facade: Facade): Promise<void>;
  /** Resolves to the element once it has the whole API and a config. */
  ready(facade: Facade): Promise<HTMLElement>;
}

/** What the rest chunk exports: what a page with many elements does once for all. */
export interface RestChunk {
  /** Asks for the configs that were not asked for yet. */
  ask(facades: Facade[]): void;
  /** Reports, with the others of this moment, that the element was shown. */
  report(facade: Facade): void;
}
