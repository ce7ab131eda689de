/** What the facade looks like. Collapsed at build time (build/templates.mjs). */

export const html = /* html */ `
<div part="box">
  <img part="poster" alt="">
  <button part="play-button" aria-label="Play"></button>
  <p part="message" role="status"></p>
</div>`;

export const css = /* css */ `
:host {
  display: block;
  position: relative;
  aspect-ratio: 16/9;
}
div[part] {
  all: initial;
  position: absolute;
  inset: 0;
  display: grid;
  place-content: center;
  place-items: center;
  overflow: hidden;
  container-type: inline-size;
  border-radius: var(--vitascope-radius, 12px);
  background: #14151c;
  color: #fff;
  font: 500 15px system-ui;
}
img {
  position: absolute;
  inset: 0;
  width: 100%;
  height: 100%;
  object-fit: contain;
}
:host([hidden]), [src=""], img:not([src]), [hidden], p:empty { display: none !important }
button {
  position: relative;
  width: clamp(48px, 13cqi, 88px);
  aspect-ratio: 1;
  border: 0;
  border-radius: 50%;
  background: var(--vitascope-accent, #6457f9);
  box-shadow: 0 6px 30px #0006;
  cursor: pointer;
}
button:hover { scale: 1.07 }
button:empty:before {
  content: "";
  display: block;
  aspect-ratio: 1;
  clip-path: polygon(36% 23%, 78% 47%, 78% 53%, 36% 77%);
  background: #fff;
}
p {
  position: relative;
  margin: 16px;
  text-align: center;
}
@keyframes p { to { opacity: .4 } }
@media (prefers-reduced-motion: no-preference) {
  .w * { animation: p 1s alternate infinite }
  button { transition: .2s }
}
`;
