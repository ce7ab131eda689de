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
  let muted = host.muted;
  let full = false;
  host.addEventListener("timeupdate", () => {
    const percent = Math.floor(host.percentWatched * 100);
    if (percent !== watched) tell("percent-watched-change", { percentWatched: host.percentWatched, lastPercentWatched: watched / 100 });
    watched = percent;
    const now = Math.floor(host.currentTime);
    if (now !== second) tell("second-change", { second: now });
    second = now;
  });
  host.addEventListener("volumechange", () => {
    if (host.muted !== muted) tell("mute-change", { isMuted: host.muted });
    muted = host.muted;
    tell("volume-change", { volume: host.volume });
  });
  // Full screen is told at the element that fills it or holds what does.
  for (const node of [host.getRootNode(), host]) {
    node.addEventListener("fullscreenchange", () => {
      const now = inFullscreen(host);
      if (now !== full) tell(now ? "enter-fullscreen" : "cancel-fullscreen");
      full = now;
    });
  }
}
