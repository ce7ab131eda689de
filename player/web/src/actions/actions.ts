import type { ActionConfig } from "../contract";
import type { Player } from "../player/part";
import { annotation } from "./annotation";
import { callToAction } from "./cta";
import { emailGate, wasAsked } from "./gate";
import { css } from "./style";

/** Something shown over the picture. close may be called more than once. */
export interface Shown {
  close(): void;
}

/**
 * Shows what the media's settings ask of the viewer: calls to action, email
 * gates, annotation links. One that stops playback is asked before playback
 * goes on, wherever the viewer jumped to.
 */
export function addActions(player: Player): void {
  const { video, signal, settings } = player;
  if (signal.aborted) return;
  player.style(css);
  const actions = (settings.actions ?? []).filter(valid);
  const done = new Set(actions.filter((a) => a.type === "gate" && wasAsked(a.id)).map((a) => a.id));
  let open: Shown | null = null;

  const stop = (action: ActionConfig): void => {
    if (open || done.has(action.id)) return;
    const playing = !video.paused;
    video.pause();
    const hold = (): void => video.pause();
    video.addEventListener("play", hold);
    player.controller.classList.add("asking");
    const finish = (): void => {
      if (!open) return;
      open = null;
      done.add(action.id);
      video.removeEventListener("play", hold);
      player.controller.classList.remove("asking");
      // Whoever has answered is at the controls now, which are there again.
      if ((player.controller.getRootNode() as ShadowRoot).activeElement === player.controller) player.focus();
      if (playing && !video.ended) video.play().catch(() => {});
      check();
    };
    open = (action.type === "gate" ? emailGate : callToAction)(player, action, finish);
  };
  const notes = new Map<ActionConfig, Shown>();
  const check = (): void => {
    const now = video.currentTime;
    for (const action of actions) {
      const at = when(action);
      if (action.type === "annotation") {
        const here = at <= now && now < at + (action.duration_seconds ?? 10);
        if (here && !notes.has(action)) notes.set(action, annotation(player, action));
        else if (!here) {
          notes.get(action)?.close();
          notes.delete(action);
        }
      } else if (!done.has(action.id) && (action.at_seconds === "end" ? video.ended : at <= now)) {
        stop(action);
      }
    }
  };
  for (const type of ["timeupdate", "seeked", "play", "ended"]) video.addEventListener(type, check, { signal });
  // A call to action at the end is asked each time the end is reached.
  video.addEventListener("play", () => {
    for (const action of actions) if (action.type === "cta" && action.at_seconds === "end") done.delete(action.id);
    if (open && video.currentTime < video.duration - 1) check();
  }, { signal });
  signal.addEventListener("abort", () => {
    open?.close();
    for (const note of notes.values()) note.close();
  });
  check();
}

function when({ at_seconds }: ActionConfig): number {
  return at_seconds === "start" ? 0 : at_seconds === "end" ? Number.POSITIVE_INFINITY : at_seconds;
}

// Settings come from people: what cannot be shown is left out.
function valid(action: ActionConfig): boolean {
  const at = action.at_seconds;
  return !!action.id && !!action.text && ["cta", "gate", "annotation"].includes(action.type) &&
    (at === "start" || at === "end" || (typeof at === "number" && at >= 0)) && !(action.type === "annotation" && at === "end");
}

/** The address a viewer may be sent to, or nothing: only web and mail addresses. */
export function safeURL(url: string | undefined): string {
  try {
    const parsed = new URL(url ?? "");
    return ["http:", "https:", "mailto:", "tel:"].includes(parsed.protocol) ? parsed.href : "";
  } catch {
    return "";
  }
}
