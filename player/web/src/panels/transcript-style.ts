/** What the transcript looks like: beside the picture where there is room, else over it. */
export const css = /* css */ `
.transcript {
  all: initial;
  position: absolute;
  inset: 0 0 0 auto;
  z-index: 2;
  box-sizing: border-box;
  display: grid;
  grid-template: auto auto 1fr / 1fr auto;
  gap: 8px 4px;
  width: min(340px, 100%);
  padding: 14px 6px 8px 14px;
  background: rgb(17 18 27 / .94);
  color: #fff;
  font: 400 14px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif;
  pointer-events: auto;
}
.transcript h2 { margin: 0; align-self: center; font-size: 15px; font-weight: 650 }
.transcript .shut { all: unset; width: 32px; height: 32px; border-radius: 8px; text-align: center; font-size: 20px; cursor: pointer }
.transcript .shut:hover, .transcript li button:hover { background: rgb(255 255 255 / .1) }
.transcript input {
  grid-column: 1 / -1;
  box-sizing: border-box;
  margin-right: 8px;
  padding: 7px 10px;
  border: 1px solid rgb(255 255 255 / .45);
  border-radius: 8px;
  background: rgb(255 255 255 / .06);
  color: inherit;
  font: inherit;
}
.transcript input::placeholder { color: rgb(255 255 255 / .7) }
.transcript ol { position: relative; grid-column: 1 / -1; margin: 0; padding: 0 2px 0 0; list-style: none; overflow: hidden auto; scrollbar-color: rgb(255 255 255 / .4) transparent }
.transcript li button {
  all: unset;
  box-sizing: border-box;
  display: grid;
  grid-template-columns: auto 1fr;
  gap: 10px;
  width: 100%;
  padding: 6px 8px;
  border-radius: 8px;
  cursor: pointer;
}
.transcript time { color: rgb(255 255 255 / .72); font-variant-numeric: tabular-nums; font-size: 12px; line-height: 20px }
.transcript [aria-current] { background: rgb(255 255 255 / .14) }
.transcript :is(button, input):focus-visible { outline: 2px solid #fff; outline-offset: -2px }
.transcript li[hidden] { display: none }
@container (width >= 820px) {
  .reading > video { width: calc(100% - 340px) }
  .reading > media-control-bar { margin-right: 350px }
  .reading > media-settings-menu, .reading > media-captions-menu { right: 350px }
}
`;
