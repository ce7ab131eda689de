import type { Player } from "../player/part";

const NEXT_IN_S = 5;

const css = /* css */ `
.next {
  all: initial;
  position: absolute;
  right: 14px;
  bottom: 70px;
  box-sizing: border-box;
  display: grid;
  gap: 10px;
  max-width: min(300px, 100% - 28px);
  padding: 14px 16px;
  border-radius: 14px;
  background: rgb(22 23 33 / .94);
  box-shadow: 0 10px 34px rgb(0 0 0 / .45);
  color: #fff;
  font: 500 14px/1.4 system-ui, -apple-system, "Segoe UI", sans-serif;
  pointer-events: auto;
}
.next p { margin: 0; overflow-wrap: anywhere }
.next div { display: flex; gap: 8px }
.next button { all: unset; padding: 7px 14px; border-radius: 99px; background: rgb(255 255 255 / .14); cursor: pointer }
.next .go { background: var(--vitascope-accent, #6457f9); font-weight: 600 }
.next button:focus-visible { outline: 2px solid #fff; outline-offset: 2px }
`;

/**
 * A linear playlist: the ids of the attribute `playlist`, separated by spaces,
 * play one after the other. The next one is announced and can be held back;
 * for viewers who prefer less motion it waits to be asked.
 */
export function addPlaylist(player: Player): void {
  const { controller, host, video, config, signal } = player;
  player.style(css);
  const ids = (host.getAttribute("playlist") ?? "").split(/[\s,]+/).filter(Boolean);
  const next = ids[ids.indexOf(config.media_id) + 1];
  let timer = 0;
  let card: HTMLElement | null = null;
  const hide = (): void => {
    clearInterval(timer);
    const held = !!card?.contains((controller.getRootNode() as ShadowRoot).activeElement);
    card?.remove();
    card = null;
    if (held) player.focus();
  };
  const go = (): void => {
    hide();
    player.act("playlist", next ?? "", "click");
    void (host as unknown as { replaceWithMedia(id: string): Promise<void> }).replaceWithMedia(next!).catch(() => {});
  };
  const offer = (): void => {
    if (!next || card) return;
    player.act("playlist", next, "impression");
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    card = document.createElement("div");
    card.className = "next";
    card.setAttribute("role", "group");
    card.setAttribute("aria-label", "Next video");
    const line = document.createElement("p");
    const row = document.createElement("div");
    const now = button("go", "Play next");
    const stay = button("", still ? "Close" : "Stay here");
    now.onclick = go;
    stay.onclick = hide;
    row.append(now, stay);
    card.append(line, row);
    let left = NEXT_IN_S;
    const tell = (): void => void (line.textContent = still ? "The next video is ready." : `The next video starts in ${left} s`);
    tell();
    if (!still) {
      timer = window.setInterval(() => {
        left--;
        tell();
        if (left <= 0) go();
      }, 1000);
    }
    const { activeElement } = controller.getRootNode() as ShadowRoot;
    controller.append(card);
    // Those at the controls have it at hand before it is over; others are not moved.
    if (activeElement === controller || activeElement?.closest("media-control-bar")) now.focus();
  };
  video.addEventListener("ended", offer, { signal });
  for (const type of ["play", "seeking"]) video.addEventListener(type, hide, { signal });
  signal.addEventListener("abort", hide);
}

function button(name: string, text: string): HTMLButtonElement {
  const made = document.createElement("button");
  made.className = name;
  made.textContent = text;
  return made;
}
