import "media-chrome/dist/media-controller.js";
import "media-chrome/dist/media-control-bar.js";
import "media-chrome/dist/media-play-button.js";
import "media-chrome/dist/media-time-range.js";
import "media-chrome/dist/media-preview-thumbnail.js";
import "media-chrome/dist/media-preview-time-display.js";
import "media-chrome/dist/media-time-display.js";
import "media-chrome/dist/media-mute-button.js";
import "media-chrome/dist/media-volume-range.js";
import "media-chrome/dist/media-pip-button.js";
import "media-chrome/dist/media-fullscreen-button.js";
import "media-chrome/dist/media-airplay-button.js";
import "media-chrome/dist/media-loading-indicator.js";
import { tellOfFullscreen } from "../api/events";
import { installAPI } from "../api/install";
import type { ControlName } from "../contract";
import type { Player } from "../player/part";
import { addTracks, captionTracks, liftCaptions } from "./captions";
import { addChapters } from "./chapters";
import { markup } from "./markup";
import { notice, type Failure } from "./notice";
import { remember } from "./memory";
import { css } from "./style";

/** What the controls chunk exports. */
export interface DressChunk {
  dress(player: Player): void;
  complain(player: Player, failure: Failure, retry: () => void): void;
}

const dressed = new WeakSet<Player>();

/** Puts the controls over the picture. Menus and panels load when they are wanted. */
export function dress(player: Player): void {
  if (dressed.has(player) || player.signal.aborted) return;
  dressed.add(player);
  const { controller, config, host, facade } = player;
  player.style(css);
  const template = document.createElement("template");
  template.innerHTML = markup;
  const parts = template.content;
  if (!config.has_video) {
    controller.classList.add("audio");
    parts.querySelector("media-control-bar")?.setAttribute("noautohide", "");
    for (const part of parts.querySelectorAll("[data-control=pip], [data-control=fullscreen], [data-control=airplay]")) part.remove();
  }
  const shown = (name: ControlName): boolean => {
    const attribute = host.getAttribute(`${name}-control`);
    return attribute === null ? player.settings.controls?.[name] !== false : attribute !== "false";
  };
  for (const part of parts.querySelectorAll<HTMLElement>("[data-control]")) {
    if (!shown(part.dataset.control as ControlName)) part.remove();
  }
  for (const [name, value] of Object.entries({
    keyboardforwardseekoffset: "5", keyboardbackwardseekoffset: "5",
    // Its list of keys covers the page and speaks of ten seconds; ours is in panels/keys.ts.
    hotkeys: "noshift+/",
    part: "controls",
  })) controller.setAttribute(name, value);
  const focused = facade.root.activeElement === controller;
  controller.append(parts);
  // Below zero, the tab key passes by all that is slotted into it.
  controller.tabIndex = 0;
  if (config.storyboard_url) {
    const track = document.createElement("track");
    Object.assign(track, { kind: "metadata", label: "thumbnails", default: true, src: config.storyboard_url });
    player.video.append(track);
  }
  addTracks(player);
  liftCaptions(player);
  addChapters(player);
  remember(player);
  installAPI(facade);
  tellOfFullscreen(host, player.signal);
  if (focused) player.focus();
  stepByKeys(player);
  callMenus(player);
  callLater(player);
  controller.addEventListener("keydown", ({ key, ctrlKey, altKey, metaKey }) => {
    if (key === "?" && !(ctrlKey || altKey || metaKey)) import("../panels/keys").then((m) => m.toggleKeys(player), () => {});
  }, { signal: player.signal });
  player.signal.addEventListener("abort", () => controller.replaceChildren());
}

/** What an arrow does anywhere in the player, in seconds. */
const STEPS: Record<string, number> = { ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5 };

// On the scrubber too: its own step would be a hundredth of the film, however long that is.
function stepByKeys({ controller, video, signal }: Player): void {
  controller.querySelector<HTMLElement>("media-time-range")?.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    video.currentTime = Math.min(Math.max(0, video.currentTime + step), video.duration || 0);
  }, { signal });
}

/** Says over the picture what went wrong and what can be done. */
export function complain(player: Player, failure: Failure, retry: () => void): void {
  player.controller.append(notice(player, failure, retry));
}

// The menus come when somebody is at the controls, or there are captions to choose from.
function callMenus(player: Player): void {
  const { controller, signal, video } = player;
  let wanted = false;
  let pressed: HTMLElement | null = null;
  const call = async (): Promise<void> => {
    if (wanted) return;
    wanted = true;
    try {
      (await import("../menus/menus")).addMenus(player);
      pressed?.click();
    } catch {
      wanted = false;
    }
  };
  for (const type of ["pointerdown", "pointermove", "focusin", "keydown"]) {
    controller.addEventListener(type, () => void call(), { signal });
  }
  // A press on a button before it was one is kept until it is.
  controller.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest<HTMLElement>("media-settings-menu-button:not(:defined)");
    pressed = button || null;
  }, { signal });
  const offered = (): void => void (captionTracks(video).length > 0 && call());
  video.textTracks.addEventListener("addtrack", offered, { signal });
  offered();
}

// What only some videos have comes after the controls.
function callLater(player: Player): void {
  const { video, signal, settings, host } = player;
  const late = (load: () => Promise<unknown>): void => void load().catch(() => {});
  if (settings.actions?.length) late(() => import("../actions/actions").then((m) => m.addActions(player)));
  if (host.hasAttribute("playlist")) late(() => import("../playlist/playlist").then((m) => m.addPlaylist(player)));
  if (settings.end_screen !== false && host.getAttribute("end-screen") !== "false") {
    let ready: Promise<typeof import("../panels/end")> | null = null;
    const near = (): void => {
      if (ready || !(video.duration - video.currentTime < 15)) return;
      ready = import("../panels/end");
      late(() => ready!.then((m) => m.addEnd(player)));
    };
    video.addEventListener("timeupdate", near, { signal });
    video.addEventListener("ended", near, { signal });
  }
}
