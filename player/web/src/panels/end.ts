import type { Player } from "../player/part";

const css = /* css */ `
.end {
  all: initial;
  position: absolute;
  inset: 0;
  box-sizing: border-box;
  display: grid;
  place-content: center;
  justify-items: center;
  gap: 14px;
  padding: 16px 16px 64px;
  background: rgb(10 11 16 / .66);
  color: #fff;
  font: 500 15px/1.4 system-ui, -apple-system, "Segoe UI", sans-serif;
  text-align: center;
  pointer-events: auto;
}
.end[hidden] { display: none }
.end p { margin: 0; max-width: 44ch; font-size: clamp(14px, 3cqi, 20px); font-weight: 600; overflow-wrap: anywhere; display: -webkit-box; -webkit-line-clamp: 3; -webkit-box-orient: vertical; overflow: hidden }
.end div { display: flex; flex-wrap: wrap; justify-content: center; gap: 10px }
.end button {
  all: unset;
  display: inline-flex;
  align-items: center;
  gap: 8px;
  padding: 10px 18px;
  border-radius: 99px;
  background: rgb(255 255 255 / .16);
  box-shadow: inset 0 0 0 1px rgb(255 255 255 / .22);
  cursor: pointer;
}
.end .again { background: var(--vitascope-accent, #6457f9); box-shadow: none; font-weight: 600 }
.end button:hover { filter: brightness(1.12) }
.end button:focus-visible { outline: 2px solid #fff; outline-offset: 3px }
.end svg { width: 18px; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round }
@container (width < 300px) { .end p { display: none } .end { padding-bottom: 48px } }
`;

const AGAIN = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 12a8 8 0 1 0 2.5-5.8M4 4v4.5h4.5"/></svg>';
const LINK = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1.2 1.2M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1.2-1.2"/></svg>';

/** What is shown when the video has ended: watch it again, pass it on. */
export function addEnd(player: Player): void {
  const { controller, video, config, signal, host } = player;
  if (signal.aborted) return;
  player.style(css);
  const screen = document.createElement("div");
  screen.className = "end";
  screen.setAttribute("role", "group");
  screen.setAttribute("aria-label", "The video has ended");
  screen.hidden = true;
  const name = document.createElement("p");
  name.textContent = config.name;
  const row = document.createElement("div");
  const again = button("again", AGAIN, "Watch again");
  again.onclick = () => {
    player.act("end_screen", "again", "click");
    video.currentTime = 0;
    video.play().catch(() => {});
  };
  row.append(again);
  if (config.share_url) {
    const copy = button("", LINK, "Copy link");
    const label = copy.lastElementChild as HTMLElement;
    label.setAttribute("aria-live", "polite");
    copy.onclick = async () => {
      const done = await navigator.clipboard?.writeText(config.share_url!).then(() => true, () => false);
      player.act("share", "link", "click");
      label.textContent = done ? "Link copied" : config.share_url!;
    };
    row.append(copy);
  }
  screen.append(name, row);
  controller.append(screen);

  const show = (on: boolean): void => {
    if (on === !screen.hidden) return;
    const { activeElement } = controller.getRootNode() as ShadowRoot;
    const held = on ? activeElement === controller || !!activeElement?.closest("media-control-bar") : screen.contains(activeElement);
    screen.hidden = !on;
    if (!on) {
      if (held) player.focus();
      return;
    }
    player.act("end_screen", "end", "impression");
    // Those at the controls go on from the first thing to do; others are not moved.
    if (held) again.focus();
  };
  // What else is shown at the end comes first: a playlist, a call to action.
  const ended = (): void => {
    if (video.ended && !host.hasAttribute("playlist") && !controller.querySelector(".action:not([hidden])")) show(true);
  };
  video.addEventListener("ended", ended, { signal });
  for (const type of ["play", "seeking"]) video.addEventListener(type, () => show(false), { signal });
  signal.addEventListener("abort", () => screen.remove());
  ended();
}

function button(name: string, icon: string, text: string): HTMLButtonElement {
  const made = document.createElement("button");
  made.className = name;
  made.innerHTML = icon;
  const label = document.createElement("span");
  label.textContent = text;
  made.append(label);
  return made;
}
