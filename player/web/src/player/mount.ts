import { Outbox } from "../beacon/outbox";
import { Tracker } from "../beacon/tracker";
import type { Facade, MediaConfig, Mounted } from "../contract";
import type { DressChunk } from "../controls/dress";
import type { Engine, MakeEngine } from "./engine";
import { Meter } from "./meter";
import { resumeAt } from "./memory";
import { now, observe } from "./observe";
import type { Player } from "./part";
import { Renditions } from "./renditions";
import { css } from "./stage";
import { AudioTracks } from "./tracks";
import { browserTiming, httpTransport } from "./transport";

declare const __CHUNKS__: { controls: string };

/** The media element's events that the host element repeats. */
const REPEATED = [
  "play", "playing", "pause", "ended", "waiting", "timeupdate", "durationchange", "loadedmetadata",
  "seeking", "seeked", "volumechange", "ratechange", "error",
];
/** Controls come after the first frame, or when that is this late. */
const DRESS_AFTER_MS = 4_000;

/** Puts the player into the facade's box, with the engine it is given, and starts loading. */
export function mountWith(makeEngine: MakeEngine): (facade: Facade) => Mounted {
  return (facade) => {
    const { host, box, root, video } = facade;
    const config = host.config as MediaConfig;
    const stop = new AbortController();
    const { signal } = stop;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];

    const meter = new Meter();
    const silent = host.hasAttribute("do-not-track") || !config.beacon_url;
    // Batch 0, the load, was sent by the facade.
    const outbox = new Outbox(silent ? NOWHERE : httpTransport(config.beacon_url), browserTiming, config.view_token, 1);
    const tracker = new Tracker((event) => outbox.add(event), config.duration_seconds * 1000);
    const controller = document.createElement("media-controller");
    // Before it is defined: it would look into the page's storage at once.
    for (const name of ["novolumepref", "nomutedpref", "nosubtitleslangpref"]) controller.setAttribute(name, "");
    let engine: Engine | null = null;
    let dressing: Promise<DressChunk> | null = null;
    const pos = (): number => Math.floor(video.currentTime * 1000);
    const renditions = new Renditions((id) => engine?.setLevel(id));
    const sounds = new AudioTracks((id) => engine?.setAudio(id));
    define(video, { videoRenditions: renditions, audioTracks: sounds });

    const player: Player = {
      facade, host, video, config, controller, signal,
      settings: config.player ?? {},
      get engine() {
        return engine;
      },
      style(text) {
        const added = new CSSStyleSheet();
        added.replaceSync(text);
        root.adoptedStyleSheets = [...root.adoptedStyleSheets, added];
      },
      act: (type, id, verb, content) =>
        outbox.add({ k: "action", at_ms: Math.round(now()), type, id: id.slice(0, 64), verb, pos_ms: pos(), ...(content && { content: content.slice(0, 250) }) }),
      report: (event) => outbox.add(event),
      emit: (name, detail) => void host.dispatchEvent(new CustomEvent(name, { detail })),
      consents: () => host.getAttribute("consent") === "granted",
      identify: (token) => player.consents() && outbox.identify(token),
      flush: () => flush(),
      focus: () => controller.querySelector<HTMLElement>("media-play-button")?.focus(),
      async dress() {
        try {
          // After a failure the fragment makes it another module to the browser.
          const url = facade.at(`${__CHUNKS__.controls}#${dressing ? "" : failures}`);
          (await (dressing ??= import(url) as Promise<DressChunk>)).dress(player);
        } catch {
          dressing = null;
          failures++;
          if (!signal.aborted) setTimeout(() => signal.aborted || void player.dress(), DRESS_AFTER_MS);
        }
      },
    };
    let failures = 0;

    const start = (seconds: number): void => {
      engine = makeEngine({
        onLevels: (levels) => renditions.update(config.has_video ? levels : []),
        onAudio: (options) => sounds.update(options),
        onRung(level) {
          const event = meter.rung(level, now(), pos());
          if (event) outbox.add(event);
        },
        onRequest: (facts) => meter.request(facts),
        onWarning: (code, message) => tracker.error(now(), code, "warning", message),
        onFailure: fail,
      });
      if (!engine) return fail("unsupported", "no Media Source Extensions", 0);
      engine.load(video, {
        url: config.hls_url, seconds, bandwidth: bandwidth(config), growing: config.state !== "ready",
        ownCaptions: !!config.captions?.length,
      });
    };
    const fail = (code: string, message: string, status: number): void => {
      tracker.error(now(), code, status === 401 || status === 403 ? "business" : "fatal", message);
      flush();
      engine?.destroy();
      engine = null;
      player.emit("error", { code, message, status });
      const from = video.currentTime;
      void player.dress().then(() => dressing?.then((m) => m.complain(player, { code, status }, () => {
        start(from);
        video.play().catch(() => {});
      })));
    };

    prepare(facade, config);
    const { color } = player.settings;
    if (color && !host.hasAttribute("player-color")) host.style.setProperty("--vitascope-accent", color);
    const flush = observe(video, { tracker, meter, outbox, engine: () => engine }, { at: facade.asked ?? now(), autoplay: !!facade.autoplay }, signal);
    for (const type of REPEATED) video.addEventListener(type, () => host.dispatchEvent(new Event(type)), { signal });
    identify(player);

    const [poster, button] = [box.querySelector("img"), box.querySelector("button")];
    const focused = !!button && root.activeElement === button;
    start(video.currentTime || Number(host.getAttribute("start")) || resumeAt(host, config.media_id, config.duration_seconds));
    box.className = "";
    if (button) button.hidden = true;
    controller.tabIndex = -1;
    controller.append(video);
    box.append(controller);
    if (focused) controller.focus();
    const dress = (): void => void player.dress();
    video.addEventListener("loadeddata", () => requestAnimationFrame(dress), { signal, once: true });
    const late = setTimeout(dress, DRESS_AFTER_MS);
    video.addEventListener("playing", () => config.has_video && poster?.remove(), { signal, once: true });
    facade.player = player;

    return {
      destroy() {
        clearTimeout(late);
        stop.abort();
        engine?.destroy();
        facade.player = null;
        controller.remove();
      },
    };
  };
}

/** For viewers and owners who are not to be reported. */
const NOWHERE = { send: async () => ({ ok: true }) as const, last: () => true };

function define(video: HTMLVideoElement, values: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(values)) Object.defineProperty(video, name, { value, configurable: true });
}

function prepare({ host, video }: Facade, config: MediaConfig): void {
  video.playsInline = true;
  video.preload = "auto";
  video.slot = "media";
  video.tabIndex = -1;
  // Thumbnails and captions come from our origin, whatever the page's.
  video.crossOrigin = "anonymous";
  video.loop = host.hasAttribute("loop");
  if (host.hasAttribute("muted")) video.muted = true;
  const volume = Number(host.getAttribute("volume") ?? Number.NaN);
  if (volume >= 0 && volume <= 1) video.volume = volume;
  video.title = "";
  video.setAttribute("aria-label", config.name);
}

// Names the viewer by the page's signed token, once there is consent to.
function identify({ host, identify, signal }: Player): void {
  const tell = (): void => {
    const token = host.getAttribute("viewer-token");
    if (token) identify(token);
  };
  tell();
  const watcher = new MutationObserver(tell);
  watcher.observe(host, { attributeFilter: ["consent", "viewer-token"] });
  signal.addEventListener("abort", () => watcher.disconnect());
}

/** What the connection is thought to carry before it is measured: what the facade has chosen to fetch first. */
function bandwidth({ start = [] }: MediaConfig): number {
  const { connection } = navigator as Navigator & { connection?: { downlink?: number } };
  const guess = (connection?.downlink || 2) * 3e5;
  return start.find(({ bitrate }) => bitrate < guess)?.bitrate || guess;
}
