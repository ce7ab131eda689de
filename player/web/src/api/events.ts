import type { Facade } from "../contract";
import { inFullscreen } from "./install";
import type { VitascopeAPI } from "./types";

const ALSO: Record<string, string> = { timeupdate: "time-update", loadedmetadata: "loaded-media-data", ratechange: "playback-rate-change" };

/** Tells what happens by the names that Wistia's player gives it, too. */
export function alsoAsWistia(host: Facade["host"] & VitascopeAPI): void {
  const tell = (name: string, detail?: unknown): void => void host.dispatchEvent(new CustomEvent(name, { detail }));
  for (const [type, name] of Object.entries(ALSO)) host.addEventListener(type, () => tell(name));
  let watched = 0;
  let second = -1;
  host.addEventListener("timeupdate", () => {
    const percent = Math.floor(host.percentWatched * 100);
    if (percent !== watched) tell("percent-watched-change", { percentWatched: host.percentWatched, lastPercentWatched: watched / 100 });
    watched = percent;
    const now = Math.floor(host.currentTime);
    if (now !== second) tell("second-change", { second: now });
    second = now;
  });
}

/** Tells, until signal aborts, when the element or what it is in fills the screen, and when no more. */
export function tellOfFullscreen(host: HTMLElement, signal: AbortSignal): void {
  let full = inFullscreen(host);
  // It is told at the element that fills the screen: ours, or one that holds it.
  for (const node of [host.getRootNode(), host]) {
    node.addEventListener("fullscreenchange", () => {
      const now = inFullscreen(host);
      if (now !== full) host.dispatchEvent(new CustomEvent(now ? "enter-fullscreen" : "cancel-fullscreen"));
      full = now;
    }, { signal });
  }
}

/** Tells of sound by Wistia's names, of a media element that may not be in the player yet. */
export function tellOfSound({ host, video }: Facade): void {
  let { muted, volume } = video;
  video.addEventListener("volumechange", () => {
    const now = { muted: video.muted, volume: video.volume };
    if (now.muted !== muted) host.dispatchEvent(new CustomEvent("mute-change", { detail: { isMuted: now.muted } }));
    if (now.volume !== volume) host.dispatchEvent(new CustomEvent("volume-change", { detail: { volume: now.volume } }));
    ({ muted, volume } = now);
  });
}
