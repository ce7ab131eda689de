import "media-chrome/dist/menu/media-audio-track-menu.js";
import "media-chrome/dist/menu/media-captions-menu.js";
import "media-chrome/dist/menu/media-captions-menu-button.js";
import "media-chrome/dist/menu/media-playback-rate-menu.js";
import "media-chrome/dist/menu/media-rendition-menu.js";
import "media-chrome/dist/menu/media-settings-menu.js";
import "media-chrome/dist/menu/media-settings-menu-button.js";
import "media-chrome/dist/menu/media-settings-menu-item.js";
import type { ControlName } from "../contract";
import { captionTracks } from "../controls/captions";
import { chaptersOf } from "../controls/chapters";
import type { Player } from "../player/part";
import { chooser } from "./chooser";
import { clock } from "./clock";
import { css } from "./style";

const markup = /* html */ `
<media-captions-menu hidden anchor="auto"></media-captions-menu>
<media-settings-menu hidden anchor="auto">
  <media-settings-menu-item class="quality">Quality
    <media-rendition-menu slot="submenu" hidden><span slot="title">Quality</span></media-rendition-menu>
  </media-settings-menu-item>
  <media-settings-menu-item>Speed
    <media-playback-rate-menu slot="submenu" hidden rates="0.5 0.75 1 1.25 1.5 2"><span slot="title">Speed</span></media-playback-rate-menu>
  </media-settings-menu-item>
  <media-settings-menu-item class="sound">Audio
    <media-audio-track-menu slot="submenu" hidden><span slot="title">Audio</span></media-audio-track-menu>
  </media-settings-menu-item>
</media-settings-menu>`;

/** The sizes captions can be given, of their usual one. */
const SIZES = [["0.75", "Small"], ["1", "Normal"], ["1.5", "Large"], ["2", "Largest"]] as const;

/** Adds captions and settings menus to the controls. */
export function addMenus(player: Player): void {
  const { controller, video, config, host, settings, signal } = player;
  if (signal.aborted) return;
  player.style(css);
  const template = document.createElement("template");
  template.innerHTML = markup;
  const menu = template.content.querySelector("media-settings-menu")!;
  if (!config.has_video) menu.querySelector(".quality")?.remove();
  const on = (name: ControlName): boolean =>
    host.getAttribute(`${name}-control`) !== "false" && settings.controls?.[name] !== false;

  const chapters = chaptersOf(player);
  if (chapters.length > 0 && on("chapters")) {
    const chosen = (): string => String(chapters.findIndex(({ from, to }) => from <= video.currentTime && video.currentTime < to));
    const choices = chapters.map(({ title, from }, i) => ({ value: String(i), text: title, detail: clock(from) }));
    menu.prepend(chooser(player, "Chapters", choices, chosen, (value) => {
      const chapter = chapters[Number(value)];
      if (!chapter) return;
      player.act("chapter", `chapter-${value}`, "click", chapter.title);
      video.currentTime = chapter.from;
    }, true));
  }
  if (captionTracks(video).length > 0) {
    let size = "1";
    menu.append(chooser(player, "Caption size", SIZES.map(([value, text]) => ({ value, text })), () => size, (value) => {
      size = value;
      controller.style.setProperty("--caption-scale", value);
      controller.dispatchEvent(new Event("captionsizechange"));
    }));
  }
  if (captionTracks(video).length > 0 && on("transcript")) {
    menu.append(command("Transcript", () => call(player, import("../panels/transcript").then((m) => m.toggleTranscript))));
  }
  menu.append(command("Keyboard shortcuts", () => call(player, import("../panels/keys").then((m) => m.toggleKeys))));
  const menus = [...template.content.children];
  controller.append(template.content);
  reportChoices(player);
  signal.addEventListener("abort", () => menus.forEach((m) => m.remove()));
}

// Opens a panel when it has come, unless the viewer has left with escape by then.
function call(player: Player, coming: Promise<(player: Player) => void>): void {
  const { controller, signal } = player;
  const here = new AbortController();
  const off = ({ key }: KeyboardEvent): void => void (key === "Escape" && here.abort());
  controller.addEventListener("keydown", off, { capture: true, signal: AbortSignal.any([signal, here.signal]) });
  coming.then((open) => {
    if (here.signal.aborted || signal.aborted) return;
    here.abort();
    open(player);
  }, () => here.abort());
}

// An entry that does something and closes the menu.
function command(text: string, run: () => void): HTMLElement {
  const item = document.createElement("media-chrome-menu-item");
  item.textContent = text;
  item.addEventListener("click", () => {
    // First, as a menu that loses the focus takes it back to its button.
    const menu = item.closest<HTMLElement>("media-settings-menu");
    menu?.parentElement?.querySelector<HTMLElement>("media-settings-menu-button")?.focus();
    if (menu) menu.hidden = true;
    run();
  });
  item.addEventListener("keyup", (event) => {
    if (event.key === "Enter" || event.key === " ") item.click();
  });
  return item;
}

// A viewer's own choice of quality counts as an action.
function reportChoices(player: Player): void {
  const { controller, signal } = player;
  controller.addEventListener("mediarenditionrequest", (event) => {
    const id = String((event as CustomEvent<unknown>).detail ?? "");
    const level = player.engine?.levels.find((l) => l.id === id);
    player.act("quality", level ? `${level.height}p` : "auto", "click");
  }, { signal });
  controller.addEventListener("mediaenterpiprequest", () => player.act("pip", "pip", "on"), { signal });
  controller.addEventListener("mediaexitpiprequest", () => player.act("pip", "pip", "off"), { signal });
}
