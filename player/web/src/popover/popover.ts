import type { Facade } from "../contract";

const css = /* css */ `
dialog {
  box-sizing: border-box; width: min(92vw, (100vh - 96px) * var(--ratio, 1.7778), 1280px); max-width: none; aspect-ratio: var(--ratio, 1.7778);
  padding: 0; border: 0; overflow: visible; background: none; color: #fff; font: 500 15px system-ui;
}
dialog::backdrop { background: rgb(8 9 14 / .82); -webkit-backdrop-filter: blur(6px); backdrop-filter: blur(6px) }
dialog .close {
  position: absolute; right: 0; top: -44px; width: 36px; height: 36px; border: 0; border-radius: 50%; aspect-ratio: auto;
  background: #fff2; box-shadow: none; color: #fff; font: 400 22px/1 system-ui; cursor: pointer;
}
dialog .close:hover { background: #fff4; scale: 1 }
dialog :is(.close, .link):focus-visible { outline: 2px solid #fff; outline-offset: 2px }
.link {
  all: unset; position: static; width: auto; aspect-ratio: auto; border-radius: 0; background: none; box-shadow: none;
  color: LinkText; text-decoration: underline; cursor: pointer; font: inherit;
}
.link:hover { scale: 1 }
.link:focus-visible { outline: 2px solid currentColor; outline-offset: 2px }
@media (prefers-reduced-motion: no-preference) {
  dialog[open] { animation: rise .18s ease-out }
  @keyframes rise { from { opacity: 0; transform: translateY(10px) scale(.98) } }
}
`;

/**
 * The player in a dialog, opened from the poster or, as a link, from the
 * element's own text. Closing pauses; opening again goes on.
 */
export function popover(facade: Facade, mode: "popover" | "link"): void {
  const { host, root, box } = facade;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css + (mode === "link" ? ":host { display: inline; aspect-ratio: auto; font: inherit }" : ""));
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
  const dialog = document.createElement("dialog");
  const close = document.createElement("button");
  close.className = "close";
  close.ariaLabel = "Close the video";
  close.textContent = "×";
  close.onclick = () => dialog.close();
  dialog.append(close);
  const opener = mode === "link" ? link(host.textContent?.trim() ?? "") : thumbnail(box);
  if (mode === "link") {
    box.replaceWith(opener);
    dialog.append(box);
    facade.load();
  }
  root.append(dialog);

  // As the page was told: closing is told in a task of its own.
  let shown = false;
  const tell = (now: boolean): void => {
    if (shown !== now) host.dispatchEvent(new Event(now ? "popover-show" : "popover-hide"));
    shown = now;
  };
  const start = facade.play.bind(facade);
  const open = (): Promise<void> => {
    if (!dialog.open) {
      const { width = 16, height = 9, has_video = true } = host.config ?? {};
      dialog.style.setProperty("--ratio", String(has_video && width && height ? width / height : 16 / 9));
      if (box.parentNode !== dialog) {
        box.replaceWith(opener);
        dialog.append(box);
      }
      dialog.showModal();
      tell(true);
    }
    return start();
  };
  facade.play = open;
  opener.addEventListener("click", () => void open().catch(() => {}));
  // A click beside the box, on the backdrop.
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    if (dialog.open) return; // again, since this was on its way
    facade.video.pause();
    tell(false);
    opener.focus();
  });
}

function link(text: string): HTMLButtonElement {
  const button = document.createElement("button");
  button.className = "link";
  button.setAttribute("part", "link");
  button.textContent = text || "Watch the video";
  return button;
}

// What stays in the page while the box is in the dialog: the same poster and button.
function thumbnail(box: HTMLElement): HTMLElement {
  const copy = box.cloneNode(true) as HTMLElement;
  const update = (): void => {
    copy.replaceChildren(...[...box.children].slice(0, 3).map((child) => child.cloneNode(true)));
    copy.className = "";
  };
  // The poster may arrive later than this does.
  new MutationObserver((_, observer) => {
    if (box.querySelector("media-controller")) return observer.disconnect();
    update();
  }).observe(box, { subtree: true, attributes: true, childList: true });
  update();
  copy.focus = () => copy.querySelector("button")?.focus();
  return copy;
}
