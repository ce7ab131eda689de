import { Outbox } from "../beacon/outbox";
import { Tracker } from "../beacon/tracker";
import type { Mount, Stage } from "../contract";
import { buildControls } from "./controls";
import { createEngine, type Engine } from "./engine";
import { now, observe } from "./observe";
import { Renditions } from "./renditions";
import { sheet } from "./shadow";
import { css } from "./style";
import { browserTiming, httpTransport } from "./transport";

/** The media element's events that the host element repeats. */
const REPEATED = [
  "play", "playing", "pause", "ended", "waiting", "timeupdate", "durationchange", "loadedmetadata",
  "seeking", "seeked", "volumechange", "ratechange", "error",
];

/** Puts the whole player into the facade's box and starts loading. */
export const mount: Mount = (stage) => {
  const { host, box, video, config } = stage;
  const stop = new AbortController();
  const { signal } = stop;
  const root = box.getRootNode() as ShadowRoot;
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet(css)];

  prepare(stage);
  const tracker = track(stage, signal);
  for (const type of REPEATED) video.addEventListener(type, () => host.dispatchEvent(new Event(type)), { signal });

  let engine: Engine | null = null;
  const renditions = new Renditions((id) => engine?.setLevel(id));
  Object.defineProperty(video, "videoRenditions", { value: renditions, configurable: true });
  const controls = buildControls(video, config.has_video);

  const start = (from?: number): void => {
    engine = createEngine({
      onLevels: (levels) => renditions.update(config.has_video ? levels : []),
      onFailure: (code, message) => fail(code, message),
    });
    if (!engine) return fail("unsupported", "no Media Source Extensions");
    engine.attach(video);
    engine.load(config.hls_url, from);
  };
  const fail = (code: string, message: string): void => {
    tracker?.error(now(), code, true, message);
    engine?.destroy();
    engine = null;
    host.dispatchEvent(new CustomEvent("error", { detail: { code, message } }));
    const from = video.currentTime;
    controls.append(failure(code, () => {
      start(from);
      video.play().catch(() => {});
    }));
  };

  const [poster, button] = [box.querySelector("img"), box.querySelector("button")];
  start(video.currentTime || undefined);
  box.classList.remove("w");
  if (button) button.hidden = true;
  box.append(controls);
  if (stage.focus) controls.querySelector<HTMLElement>("media-play-button")?.focus();
  video.addEventListener("playing", () => poster?.remove(), { signal, once: true });

  return {
    destroy() {
      stop.abort();
      engine?.destroy();
      controls.remove();
    },
  };
};

function prepare({ host, video, config }: Stage): void {
  video.playsInline = true;
  video.preload = "auto";
  video.tabIndex = -1;
  // Thumbnails and captions come from our origin, whatever the page's.
  video.crossOrigin = "anonymous";
  video.loop = host.hasAttribute("loop");
  if (host.hasAttribute("muted")) video.muted = true;
  if (!config.storyboard_url) return;
  const track = document.createElement("track");
  Object.assign(track, { kind: "metadata", label: "thumbnails", default: true, src: config.storyboard_url });
  video.append(track);
}

function track({ video, config, askedAt, autoplay }: Stage, signal: AbortSignal): Tracker | null {
  if (!config.beacon_url) return null;
  // Batch 0, the load, was sent by the facade.
  const outbox = new Outbox(httpTransport(config.beacon_url), browserTiming, config.view_token, 1);
  const tracker = new Tracker((event) => outbox.add(event), config.duration_seconds * 1000);
  observe(video, tracker, outbox, { at: askedAt, autoplay }, signal);
  return tracker;
}

// A notice over the picture, with a way to try again.
function failure(code: string, retry: () => void): HTMLElement {
  const notice = document.createElement("div");
  notice.className = "failure";
  notice.setAttribute("role", "alert");
  notice.slot = "dialog";
  const text = document.createElement("p");
  text.textContent = code === "unsupported"
    ? "This browser cannot play this video."
    : "Playback stopped. The connection may be down, or the video has changed.";
  notice.append(text);
  if (code !== "unsupported") {
    const again = document.createElement("button");
    again.textContent = "Try again";
    again.onclick = () => {
      notice.remove();
      retry();
    };
    notice.append(again);
  }
  return notice;
}
