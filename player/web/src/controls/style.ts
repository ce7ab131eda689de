/** What the controls look like. Collapsed at build time (build/templates.mjs). */
export const css = /* css */ `
media-controller {
  --accent: var(--vitascope-accent, #6457f9);
  --glass: rgb(14 15 22 / .68);
  --media-background-color: transparent;
  --media-primary-color: #fff;
  --media-text-color: #fff;
  --media-secondary-color: transparent;
  --media-control-background: transparent;
  --media-control-hover-background: rgb(255 255 255 / .14);
  --media-font-family: system-ui, -apple-system, "Segoe UI", sans-serif;
  --media-font-size: 13px;
  --media-font-weight: 500;
  --media-control-height: 20px;
  --media-control-padding: 8px;
  --media-button-icon-height: 20px;
  --media-range-bar-color: var(--accent);
  --media-range-track-height: 4px;
  --media-range-track-border-radius: 4px;
  --media-range-track-background: rgb(255 255 255 / .24);
  --media-time-range-buffered-color: rgb(255 255 255 / .3);
  --media-range-thumb-width: 13px;
  --media-range-thumb-height: 13px;
  --media-range-thumb-background: #fff;
  --media-range-thumb-box-shadow: 0 1px 6px rgb(0 0 0 / .5);
  --media-range-padding: 8px;
  --media-preview-thumbnail-border: 2px solid #fff;
  --media-preview-thumbnail-border-radius: 8px;
  --media-preview-thumbnail-max-width: 168px;
  --media-preview-thumbnail-max-height: 112px;
  --media-preview-box-margin: 0 0 6px;
  --media-preview-time-text-shadow: 0 1px 3px #000;
  --media-tooltip-display: none;
  --media-focus-box-shadow: inset 0 0 0 2px #fff;
  --media-menu-background: rgb(22 23 33 / .92);
  --media-menu-border-radius: 12px;
  --media-menu-item-hover-background: rgb(255 255 255 / .12);
  --media-menu-item-checked-background: transparent;
  --media-settings-menu-min-width: 190px;
  --media-loading-indicator-icon-height: clamp(40px, 14cqi, 84px);
  font-variant-numeric: tabular-nums;
}
media-controller:focus-visible { outline: 2px solid #fff; outline-offset: -4px }
video::cue {
  background: rgb(10 10 16 / .82);
  color: #fff;
  font: 500 calc(max(15px, 2.6cqi) * var(--caption-scale, 1))/1.35 system-ui, sans-serif;
}
.shade {
  position: absolute;
  inset: auto 0 0;
  height: min(40%, 120px);
  background: linear-gradient(transparent, rgb(0 0 0 / .45));
  pointer-events: none !important;
}
media-control-bar {
  position: relative;
  display: flex;
  align-items: center;
  box-sizing: border-box;
  margin: 0 10px 10px;
  padding: 4px;
  border-radius: 14px;
  background: var(--glass);
  -webkit-backdrop-filter: blur(18px) saturate(1.5);
  backdrop-filter: blur(18px) saturate(1.5);
  box-shadow: inset 0 0 0 1px rgb(255 255 255 / .1), 0 6px 24px rgb(0 0 0 / .3);
}
media-control-bar > :not(.gap, media-time-range), .volume > * { flex: none }
media-control-bar media-time-range { flex: 1; min-width: 60px; height: 36px }
media-control-bar :is(media-play-button, media-mute-button, media-captions-menu-button, media-settings-menu-button, media-pip-button, media-airplay-button, media-fullscreen-button) { border-radius: 10px }
media-time-display { padding: 8px 6px; border-radius: 8px; white-space: nowrap }
.volume { display: flex; align-items: center }
media-volume-range {
  width: 0;
  min-width: 0;
  height: 36px;
  padding: 0;
  overflow: hidden;
  opacity: 0;
  transition: width .2s, opacity .2s;
}
.volume:is(:hover, :focus-within) media-volume-range { width: 76px; padding: 0 8px; opacity: 1 }
.gap { display: none }
media-captions-menu-button:not([mediasubtitleslist]),
media-pip-button[mediapipunavailable],
media-fullscreen-button[mediafullscreenunavailable],
media-volume-range[mediavolumeunavailable],
media-airplay-button[mediaairplayunavailable] { display: none }
media-settings-menu-button:not(:defined) { box-sizing: border-box; width: 36px; height: 36px; padding: 8px; border-radius: 10px; cursor: pointer }
media-settings-menu-button:not(:defined) svg { width: 20px; height: 20px; fill: #fff }
media-control-bar :is(media-time-range, media-volume-range) { min-height: 0; border-radius: 10px; --media-control-hover-background: transparent }
.failure {
  all: initial;
  position: absolute;
  inset: 0;
  display: grid;
  place-content: center;
  justify-items: center;
  gap: 14px;
  padding: 0 24px;
  background: rgb(10 11 16 / .86);
  color: #fff;
  font: 500 15px/1.45 system-ui, sans-serif;
  text-align: center;
  pointer-events: auto;
}
.failure p { position: static; margin: 0; max-width: 40ch }
.failure button {
  all: unset;
  padding: 9px 20px;
  border-radius: 99px;
  background: var(--vitascope-accent, #6457f9);
  font-weight: 600;
  cursor: pointer;
}
.failure button:focus-visible { outline: 2px solid #fff; outline-offset: 3px }
.audio .shade { display: none }
@container (width < 460px) {
  media-control-bar { flex-wrap: wrap; margin: 0 6px 6px; padding: 0 2px 2px; border-radius: 12px }
  media-control-bar media-time-range { order: -1; flex: 1 0 100%; height: 22px }
  .gap { display: block !important; flex: 1 }
  .volume media-volume-range { display: none }
  media-controller { --media-control-padding: 6px }
}
@container (width < 300px) {
  media-pip-button, .volume { display: none }
  media-time-display { padding: 0 2px; font-size: 12px }
  media-controller { --media-preview-thumbnail-display: none }
  media-control-bar { margin: 0 4px 4px }
}
@media (prefers-reduced-motion: reduce) {
  media-controller { --media-control-transition-in: none; --media-control-transition-out: none; --vitascope-slide: 0s }
  media-controller :is(media-settings-menu, media-captions-menu, media-chrome-menu, media-rendition-menu, media-playback-rate-menu, media-audio-track-menu) {
    --media-menu-transition-in: opacity 1ms;
    --media-menu-transition-out: none;
  }
}
`;
