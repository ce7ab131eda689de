import { Coverage } from "../beacon/coverage";
import type { Facade } from "../contract";
import { forget } from "../player/memory";
import { alsoAsWistia, tellOfSound } from "./events";
import type { VitascopeAPI } from "./types";

type Host = Facade["host"] & VitascopeAPI;

/** What a stay of the element on the page has seen so far. */
export interface Seen {
  at: number;
  counts: Float64Array;
  union: Coverage;
}

interface Accessor {
  get(): unknown;
  set?(value: unknown): void;
}

/**
 * Gives an element the whole JavaScript API (types.ts) for its present stay:
 * a change of media-id starts another. Values set on it before are taken over.
 */
export function installAPI(facade: Facade): void {
  if (facade.seen) return;
  const host = facade.host as Host;
  const first = !Object.hasOwn(host, "percentWatched");
  const seen: Seen = (facade.seen = { at: 0, counts: new Float64Array(0), union: new Coverage() });
  facade.video.addEventListener("timeupdate", () => watch(facade, seen));
  tellOfSound(facade);
  if (first) alsoAsWistia(host);

  const attribute = (name: string): Accessor => ({
    get: () => host.getAttribute(name) ?? "",
    set: (value) => (value == null || value === "" ? host.removeAttribute(name) : host.setAttribute(name, String(value))),
  });
  const accessors: Record<string, Accessor> = {
    mediaId: attribute("media-id"),
    name: { get: () => host.config?.name ?? "" },
    state: { get: () => stateOf(host) },
    percentWatched: { get: () => (host.duration > 0 ? Math.min(1, seen.union.total / 1000 / host.duration) : 0) },
    secondsWatched: { get: () => seen.union.total / 1000 },
    secondsWatchedVector: { get: () => [...seen.counts].map((count) => Math.round(count)) },
    videoQuality: { get: () => qualityOf(facade), set: (value) => setQuality(facade, String(value)) },
    eventKey: { get: () => host.config?.view_id ?? "" },
    visitorKey: { get: () => "" },
    email: attribute("email"),
    consent: attribute("consent"),
    viewerToken: attribute("viewer-token"),
    inFullscreen: { get: () => inFullscreen(host) },
  };
  for (const [name, accessor] of Object.entries(accessors)) {
    const early = first && Object.hasOwn(host, name) ? (Reflect.get(host, name) as unknown) : undefined;
    if (early !== undefined) Reflect.deleteProperty(host, name);
    Object.defineProperty(host, name, { ...accessor, configurable: true, enumerable: true });
    if (early !== undefined) accessor.set?.(early);
  }
  for (const [name, value] of Object.entries(methods(facade, host))) {
    Object.defineProperty(host, name, { value, configurable: true });
  }
}

function methods(facade: Facade, host: Host): Partial<VitascopeAPI> {
  const crossing = (from: number, to: number, run: (inside: boolean) => void): (() => void) => {
    let before = host.currentTime;
    let inside = false;
    const stop = new AbortController();
    facade.video.addEventListener("timeupdate", () => {
      const now = host.currentTime;
      // A point is crossed when playback, not a seek, passes it.
      const here = from === to ? before < from && now >= from && now - before < 2 : from <= now && now < to;
      before = now;
      if (here === inside) return;
      inside = here;
      if (here || from !== to) run(here);
    }, { signal: stop.signal });
    return () => stop.abort();
  };
  return {
    requestFullscreen: (options) => (facade.player?.controller ?? host.parentElement ?? document.documentElement).requestFullscreen(options),
    cancelFullscreen: async () => {
      if (document.fullscreenElement) await document.exitFullscreen();
    },
    async replaceWithMedia(id, { autoplay = true } = {}) {
      const detail = { from: host.config?.media_id ?? "", to: id };
      host.dispatchEvent(new CustomEvent("before-replace", { detail }));
      const held = host.matches(":focus-within");
      const known = new Promise<void>((done) => host.addEventListener("api-ready", () => done(), { once: true }));
      host.setAttribute("media-id", id);
      await known;
      if (held) facade.root.querySelector("button")?.focus();
      await host.whenApiReady();
      host.dispatchEvent(new CustomEvent("after-replace", { detail }));
      if (autoplay) await host.play();
    },
    crossTime: (seconds, run) => crossing(seconds, seconds, () => run()),
    betweenTimes: crossing,
    showPopover: () => void host.play().catch(() => {}),
    hidePopover: () => facade.root.querySelector("dialog")?.close(),
    forget,
  };
}

function watch({ video, host }: Facade, seen: Seen): void {
  const length = Math.ceil(host.config?.duration_seconds ?? 0);
  if (seen.counts.length !== length) seen.counts = new Float64Array(length);
  const { at, counts } = seen;
  const to = video.currentTime;
  seen.at = to;
  // Only what was played counts, not what a seek passed over.
  if (video.seeking || to <= at || to - at >= 2 * Math.max(1, video.playbackRate)) return;
  seen.union.add(Math.floor(at * 1000), Math.floor(to * 1000));
  for (let s = Math.floor(at); s < to && s < counts.length; s++) {
    counts[s] = (counts[s] ?? 0) + Math.min(to, s + 1) - Math.max(at, s);
  }
}

function stateOf(host: Host): VitascopeAPI["state"] {
  if (host.ended) return "ended";
  if (!host.paused) return "playing";
  return host.currentTime > 0 ? "paused" : "beforeplay";
}

/** Whether the element, or what it is in, fills the screen. */
export function inFullscreen(host: HTMLElement): boolean {
  return !!document.fullscreenElement && (document.fullscreenElement === host || document.fullscreenElement.contains(host));
}

type Chooser = { selectedIndex: number } | undefined;
const renditions = ({ player }: Facade): Chooser => (player?.video as { videoRenditions?: Chooser } | undefined)?.videoRenditions;

function qualityOf(facade: Facade): string {
  const level = facade.player?.engine?.levels[renditions(facade)?.selectedIndex ?? -1];
  return level ? String(level.height) : "auto";
}

function setQuality(facade: Facade, value: string): void {
  const list = renditions(facade);
  const levels = facade.player?.engine?.levels ?? [];
  if (list) list.selectedIndex = levels.findIndex((level) => String(level.height) === value.replace(/p$/, ""));
}
