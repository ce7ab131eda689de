/** What calls to action, gates and annotations look like. */
export const css = /* css */ `
.asking > media-control-bar, .asking > .end, .asking > .next { visibility: hidden }
.action {
  all: initial;
  position: absolute;
  inset: 0;
  z-index: 3;
  display: grid;
  box-sizing: border-box;
  padding: 12px;
  overflow: auto;
  background: rgb(10 11 16 / .74);
  -webkit-backdrop-filter: blur(10px);
  backdrop-filter: blur(10px);
  color: #fff;
  font: 500 15px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif;
  pointer-events: auto;
}
/* What the facade says of every div is not for these: they would cover each other. */
.action div {
  position: static; inset: auto; overflow: visible; container-type: normal; border-radius: 0; background: none; color: inherit;
  font: inherit; place-content: normal;
}
.action .card { display: grid; gap: 12px; width: min(400px, 100%); margin: auto; text-align: center; justify-items: center }
.action form.card { width: min(340px, 100%) }
.action :is(h2, p) { margin: 0; overflow-wrap: anywhere; position: static }
.action h2 { font-size: clamp(17px, 3.4cqi, 26px); line-height: 1.25; font-weight: 680; text-wrap: balance }
.action p { opacity: .86 }
.action .problem { opacity: 1; color: #ffb4ab; font-size: 14px }
.action .problem:empty { display: none }
.action img { position: static; width: auto; height: auto; max-width: 100%; max-height: 34cqh; border-radius: 10px; object-fit: contain }
.action label { display: grid; gap: 5px; width: 100%; text-align: start; font-size: 13px }
.action input {
  box-sizing: border-box;
  width: 100%;
  padding: 9px 12px;
  border: 1px solid rgb(255 255 255 / .5);
  border-radius: 10px;
  background: rgb(0 0 0 / .35);
  color: #fff;
  font: 400 16px system-ui, sans-serif;
}
.action .agree { grid-template-columns: auto 1fr; gap: 10px; align-items: baseline }
.action .agree input { width: 17px; height: 17px; accent-color: var(--vitascope-accent, #6457f9); translate: 0 3px }
.action [aria-invalid] { border-color: #ffb4ab }
.action p { white-space: pre-line }
.action .row { display: flex; flex-wrap: wrap; place-content: center; gap: 10px }
.action :is(button, a) {
  all: unset;
  padding: 10px 20px;
  border-radius: 99px;
  background: rgb(255 255 255 / .16);
  box-shadow: inset 0 0 0 1px rgb(255 255 255 / .22);
  cursor: pointer;
}
.action .main { background: var(--vitascope-accent, #6457f9); box-shadow: none; font-weight: 600 }
.action button[aria-disabled=true] { opacity: .6 }
.action :is(button, a):hover { filter: brightness(1.12) }
.action :is(button, a, input):focus-visible { outline: 2px solid #fff; outline-offset: 2px }
.annotation {
  all: initial;
  position: absolute;
  top: 14px;
  right: 14px;
  z-index: 1;
  max-width: min(320px, 100% - 28px);
  box-sizing: border-box;
  padding: 9px 14px;
  border-radius: 10px;
  background: rgb(14 15 22 / .82);
  box-shadow: inset 0 0 0 1px rgb(255 255 255 / .16);
  color: #fff;
  font: 500 14px/1.35 system-ui, -apple-system, "Segoe UI", sans-serif;
  /* However long it is, it leaves the controls free. */
  display: -webkit-box;
  -webkit-line-clamp: 3;
  -webkit-box-orient: vertical;
  overflow: hidden;
  overflow-wrap: anywhere;
  pointer-events: auto;
}
a.annotation { cursor: pointer }
a.annotation:hover { background: rgb(40 42 58 / .92) }
a.annotation:focus-visible { outline: 2px solid #fff; outline-offset: 2px }
`;
