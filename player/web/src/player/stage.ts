/** How the picture sits in the box before the controls arrive, and after. */
export const css = /* css */ `
media-controller {
  position: absolute;
  inset: 0;
  display: block;
  width: 100%;
  height: 100%;
  outline: none;
}
media-controller:fullscreen { background: #000 }
video { display: block; width: 100%; height: 100%; object-fit: contain }
`;
