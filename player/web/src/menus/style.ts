/** What the menus look like. */
export const css = /* css */ `
media-settings-menu, media-captions-menu {
  position: absolute;
  right: 10px;
  bottom: 62px;
  max-height: calc(100% - 70px);
  overflow: hidden auto;
  font-size: 13px;
  box-shadow: 0 10px 34px rgb(0 0 0 / .45), inset 0 0 0 1px rgb(255 255 255 / .1);
  border-radius: 12px;
  -webkit-backdrop-filter: blur(18px);
  backdrop-filter: blur(18px);
}
media-chrome-menu { max-width: min(320px, 80cqi) }
media-settings-menu-item, media-settings-menu > media-chrome-menu-item { padding: 5px 6px 5px 14px; border-radius: 8px; margin: 0 4px }
media-settings-menu > media-chrome-menu-item { padding: 5px 14px }
media-chrome-menu[slot] { min-width: min(260px, 80cqi) }
media-chrome-menu-item > span:first-child { min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.detail { flex: none; margin-inline-start: auto; padding-inline-start: 18px; opacity: .72; font-variant-numeric: tabular-nums }
.quality:has([mediarenditionunavailable]), .sound:has([mediaaudiotrackunavailable]) { display: none }
@container (width < 460px) {
  media-settings-menu, media-captions-menu { right: 6px; bottom: 44px; max-height: calc(100% - 50px) }
}
`;
