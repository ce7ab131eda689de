import type { Player } from "../player/part";

/**
 * A dialog over the picture, inside the player. Its keys are its own: neither
 * the player's shortcuts nor the page see them. Tab stays within.
 */
export function panel(player: Player, label: string, content: HTMLElement, escape?: () => void): { close(): void } {
  const { controller } = player;
  const root = controller.getRootNode() as ShadowRoot;
  const held = controller.contains(root.activeElement);
  const box = document.createElement("div");
  box.className = "action";
  box.setAttribute("role", "dialog");
  box.setAttribute("aria-label", label);
  box.slot = "dialog";
  box.append(content);
  box.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape" && escape) {
      event.preventDefault(); // a dialog around the player stays
      escape();
    }
    if (event.key !== "Tab") return;
    const stops = [...box.querySelectorAll<HTMLElement>("a[href], button, input")].filter((el) => !el.hidden);
    const at = stops.indexOf(root.activeElement as HTMLElement);
    const to = event.shiftKey ? at - 1 : at + 1;
    if (to >= 0 && to < stops.length) return;
    event.preventDefault();
    stops.at(to < 0 ? -1 : 0)?.focus();
  });
  for (const type of ["keyup", "click", "pointerup", "dblclick"]) box.addEventListener(type, (event) => event.stopPropagation());
  controller.append(box);
  // Those who are at the player are brought to what it asks; others are not moved.
  if (held || document.fullscreenElement) box.querySelector<HTMLElement>("input, a[href], button")?.focus();
  return {
    close() {
      const left = box.contains(root.activeElement);
      box.remove();
      if (left) controller.focus();
    },
  };
}

/** An element with text, which is never markup. */
export function element<K extends keyof HTMLElementTagNameMap>(tag: K, text = "", className = ""): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}
