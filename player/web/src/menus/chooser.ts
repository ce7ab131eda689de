import type { Player } from "../player/part";

/** One of several. */
export interface Choice {
  value: string;
  text: string;
  detail?: string;
}

interface MenuItem extends HTMLElement {
  type: string;
  value: string;
  checked: boolean;
}

/**
 * An entry of the settings menu that opens a list of choices, made of
 * media-chrome's generic menu elements. current is asked each time it opens;
 * with again, what is chosen already can be chosen again.
 */
export function chooser(player: Player, title: string, choices: readonly Choice[], current: () => string, choose: (value: string) => void, again = false): HTMLElement {
  const entry = document.createElement("media-settings-menu-item");
  entry.append(title);
  const menu = document.createElement("media-chrome-menu");
  menu.slot = "submenu";
  menu.hidden = true;
  const heading = document.createElement("span");
  heading.slot = "title";
  heading.textContent = title;
  const items = choices.map(({ value, text, detail }) => {
    const item = document.createElement("media-chrome-menu-item") as MenuItem;
    item.type = "radio";
    item.value = value;
    const label = document.createElement("span");
    label.textContent = text;
    // The entry above shows the choice, not its detail.
    item.dataset.description = text;
    item.append(label);
    if (detail) {
      const more = document.createElement("span");
      more.className = "detail";
      more.textContent = detail;
      item.append(more);
    }
    return item;
  });
  menu.append(heading, ...items);
  for (const item of items) {
    const pick = (): void => {
      if (again || item.value !== current()) choose(item.value);
    };
    item.addEventListener("click", pick);
    // The menu tells of a change only, and closes on the key.
    item.addEventListener("keydown", ({ key, ctrlKey, altKey, metaKey }) => {
      if ((key === "Enter" || key === " ") && !(ctrlKey || altKey || metaKey)) pick();
    });
  }
  const mark = (): void => {
    const now = current();
    for (const item of items) item.checked = item.value === now;
  };
  entry.append(menu);
  player.controller.addEventListener("toggle", mark, { signal: player.signal });
  return entry;
}
