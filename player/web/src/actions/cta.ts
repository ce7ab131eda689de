import type { ActionConfig } from "../contract";
import type { Player } from "../player/part";
import { safeURL, type Shown } from "./actions";
import { element, panel } from "./panel";

/** A call to action: words, a picture, a link; playback waits until it is answered. */
export function callToAction(player: Player, action: ActionConfig, done: () => void): Shown {
  player.act("cta", action.id, "impression", action.text);
  const card = element("div", "", "card");
  const url = safeURL(action.url);
  const image = safeURL(action.image_url);
  if (image) {
    const img = element("img");
    Object.assign(img, { src: image, alt: action.image_alt ?? "" });
    card.append(img);
  }
  card.append(element("h2", action.text));
  if (action.description) card.append(element("p", action.description));
  const close = (verb?: "skip"): void => {
    if (verb) player.act("cta", action.id, verb);
    shown.close();
    done();
  };
  const row = element("div", "", "row");
  if (url) {
    const link = element("a", action.button || "Find out more", "main");
    Object.assign(link, { href: url, target: "_blank", rel: "noopener" });
    link.onclick = () => {
      player.act("cta", action.id, "click", url);
      player.flush();
      player.emit("conversion", { type: "cta", id: action.id });
    };
    row.append(link);
  }
  if (action.skippable !== false || !url) {
    const skip = element("button", action.at_seconds === "end" ? "Close" : "Go on watching");
    skip.onclick = () => close("skip");
    row.append(skip);
  }
  card.append(row);
  const shown = panel(player, action.text, card, action.skippable !== false ? () => close("skip") : undefined);
  return shown;
}
