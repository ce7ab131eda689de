import type { ActionConfig } from "../contract";
import type { Player } from "../player/part";
import { safeURL, type Shown } from "./actions";
import { element } from "./panel";

/** A link, or a remark, in the corner of the picture for a while. */
export function annotation(player: Player, action: ActionConfig): Shown {
  player.act("annotation", action.id, "impression", action.text);
  const url = safeURL(action.url);
  const note = url ? element("a", action.text, "annotation") : element("span", action.text, "annotation");
  note.setAttribute("noautohide", "");
  if (note instanceof HTMLAnchorElement) {
    Object.assign(note, { href: url, target: "_blank", rel: "noopener" });
    note.onclick = (event) => {
      event.stopPropagation();
      player.video.pause();
      player.act("annotation", action.id, "click", url);
      player.flush();
      player.emit("conversion", { type: "annotation", id: action.id });
    };
  }
  player.controller.append(note);
  return {
    close() {
      const left = note.matches(":focus");
      note.remove();
      if (left) player.focus();
    },
  };
}
