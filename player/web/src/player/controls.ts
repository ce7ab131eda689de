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
import "media-chrome/dist/media-loading-indicator.js";
import "media-chrome/dist/menu/media-captions-menu.js";
import "media-chrome/dist/menu/media-captions-menu-button.js";
import "media-chrome/dist/menu/media-playback-rate-menu.js";
import "media-chrome/dist/menu/media-rendition-menu.js";
import "media-chrome/dist/menu/media-settings-menu.js";
import "media-chrome/dist/menu/media-settings-menu-button.js";
import "media-chrome/dist/menu/media-settings-menu-item.js";

const markup = /* html */ `
<media-controller part="controls" keyboardforwardseekoffset="5" keyboardbackwardseekoffset="5" novolumepref nomutedpref nosubtitleslangpref>
  <media-loading-indicator slot="centered-chrome" noautohide></media-loading-indicator>
  <span class="shade"></span>
  <media-control-bar>
    <media-play-button></media-play-button>
    <media-time-range></media-time-range>
    <media-time-display showduration notoggle></media-time-display>
    <span class="volume"><media-mute-button></media-mute-button><media-volume-range></media-volume-range></span>
    <span class="gap"></span>
    <media-captions-menu-button></media-captions-menu-button>
    <media-settings-menu-button><svg slot="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M19.4 13a7.6 7.6 0 0 0 0-2l2-1.6a.5.5 0 0 0 .2-.6l-2-3.4a.5.5 0 0 0-.6-.2l-2.4 1a7.3 7.3 0 0 0-1.7-1l-.4-2.5a.5.5 0 0 0-.5-.4h-4a.5.5 0 0 0-.5.4l-.4 2.5a7.3 7.3 0 0 0-1.7 1l-2.4-1a.5.5 0 0 0-.6.2l-2 3.4a.5.5 0 0 0 .2.6l2 1.6a7.6 7.6 0 0 0 0 2l-2 1.6a.5.5 0 0 0-.2.6l2 3.4c.1.2.4.3.6.2l2.4-1c.5.4 1.1.7 1.7 1l.4 2.5c0 .3.2.4.5.4h4c.3 0 .5-.1.5-.4l.4-2.5c.6-.3 1.2-.6 1.7-1l2.4 1c.2.1.5 0 .6-.2l2-3.4a.5.5 0 0 0-.2-.6zM12 15.6a3.6 3.6 0 1 1 0-7.2 3.6 3.6 0 0 1 0 7.2z"/></svg></media-settings-menu-button>
    <media-pip-button></media-pip-button>
    <media-fullscreen-button></media-fullscreen-button>
  </media-control-bar>
  <media-captions-menu hidden anchor="auto"></media-captions-menu>
  <media-settings-menu hidden anchor="auto">
    <media-settings-menu-item class="quality">Quality
      <media-rendition-menu slot="submenu" hidden><span slot="title">Quality</span></media-rendition-menu>
    </media-settings-menu-item>
    <media-settings-menu-item>Speed
      <media-playback-rate-menu slot="submenu" hidden rates="0.5 0.75 1 1.25 1.5 2"><span slot="title">Speed</span></media-playback-rate-menu>
    </media-settings-menu-item>
  </media-settings-menu>
</media-controller>`;

/** Builds the controls around a media element; the caller adds them to the page. */
export function buildControls(video: HTMLVideoElement, hasVideo: boolean): HTMLElement {
  const template = document.createElement("template");
  template.innerHTML = markup.trim();
  const controller = template.content.firstElementChild as HTMLElement;
  if (!hasVideo) {
    controller.classList.add("audio");
    controller.querySelector("media-control-bar")?.setAttribute("noautohide", "");
    controller.querySelector("media-pip-button")?.remove();
    controller.querySelector("media-fullscreen-button")?.remove();
    controller.querySelector(".quality")?.remove();
  }
  video.slot = "media";
  controller.prepend(video);
  return controller;
}
