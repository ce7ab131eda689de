import type { ActionType, ActionVerb, BeaconEvent } from "../beacon/event";
import type { Facade, MediaConfig, PlayerConfig } from "../contract";
import type { Engine } from "./engine";

/** What the player in its place offers to the parts that load later. */
export interface Player {
  readonly facade: Facade;
  readonly host: HTMLElement;
  readonly video: HTMLVideoElement;
  readonly config: MediaConfig;
  readonly settings: PlayerConfig;
  /** media-chrome's controller, around the video; the controls go into it. */
  readonly controller: HTMLElement;
  /** Ends with the player. */
  readonly signal: AbortSignal;
  /** Null after a failure, until it is tried again. */
  readonly engine: Engine | null;
  /** Adds a style sheet to the shadow root. */
  style(css: string): void;
  /** Reports what became of something offered to the viewer. */
  act(type: ActionType, id: string, verb: ActionVerb, content?: string): void;
  report(event: BeaconEvent): void;
  /** Fires an event on the element; it does not bubble. */
  emit(name: string, detail?: unknown): void;
  /** Whether the viewer has agreed to be remembered; see docs/player.md. */
  consents(): boolean;
  /** Names the viewer by a signed token, if there is consent. */
  identify(viewerToken: string): void;
  /** Sends what is waiting now. */
  flush(): void;
  /** Moves the focus to the play button, once there is one. */
  focus(): void;
  /** Loads the controls, once. */
  dress(): Promise<void>;
}
