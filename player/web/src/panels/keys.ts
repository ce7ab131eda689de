import { element, panel } from "../actions/panel";
import { css as panelCSS } from "../actions/style";
import type { Player } from "../player/part";

const css = /* css */ `
.keys .card { width: min(520px, 100%); gap: 14px }
.keys dl { columns: 2 210px; column-gap: 28px; width: 100%; margin: 0; font-size: 13px }
.keys .pair { display: flex; align-items: center; justify-content: space-between; gap: 12px; padding: 4px 0; break-inside: avoid; text-align: start }
.keys dd { display: flex; gap: 5px; margin: 0 }
.keys kbd {
  min-width: 12px;
  padding: 1px 7px;
  border-radius: 6px;
  background: rgb(255 255 255 / .14);
  box-shadow: inset 0 0 0 1px rgb(255 255 255 / .2);
  font: 600 12px/1.6 system-ui, sans-serif;
  text-align: center;
}
`;

/** As docs/player.md lists them. */
const KEYS: readonly [string, readonly string[]][] = [
  ["Play, pause", ["Space", "K"]],
  ["5 seconds back", ["←", "J"]],
  ["5 seconds ahead", ["→", "L"]],
  ["Louder", ["↑"]],
  ["Quieter", ["↓"]],
  ["Sound off and on", ["M"]],
  ["Captions", ["C"]],
  ["Full screen", ["F"]],
  ["Picture in picture", ["P"]],
  ["Slower, faster", ["<", ">"]],
];

const open = new WeakMap<Player, () => void>();

/** Shows which keys do what, or puts that away. */
export function toggleKeys(player: Player): void {
  const close = open.get(player);
  if (close) return close();
  player.style(panelCSS + css);
  const { controller } = player;
  const card = element("div", "", "card");
  const list = element("dl");
  for (const [what, keys] of KEYS) {
    const pair = element("div", "", "pair");
    const which = element("dd");
    which.append(...keys.map((key) => element("kbd", key)));
    pair.append(element("dt", what), which);
    list.append(pair);
  }
  const row = element("div", "", "row");
  const done = element("button", "Close");
  row.append(done);
  card.append(element("h2", "Keyboard shortcuts"), list, row);
  const shut = (): void => {
    shown.close();
    open.delete(player);
    controller.querySelector<HTMLElement>("media-settings-menu-button")?.focus();
  };
  const shown = panel(player, "Keyboard shortcuts", card, shut);
  done.closest(".action")?.classList.add("keys");
  done.onclick = shut;
  done.focus();
  open.set(player, shut);
}
