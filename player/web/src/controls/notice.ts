import type { Player } from "../player/part";

/** Why playback stopped. status is that of the server's answer, or 0. */
export interface Failure {
  code: string;
  status: number;
}

/** What a viewer is told: what happened, and what can be done. retry is whether trying again may help. */
export function explain({ code, status }: Failure): { text: string; retry: boolean } {
  if (code === "unsupported") return { text: "This browser cannot play this video. A current version of Chrome, Edge, Firefox or Safari can.", retry: false };
  if (status === 401 || status === 403) return { text: "The permission to watch has ended. Reload the page to ask for it again.", retry: false };
  if (status === 404 || status === 410) return { text: "A part of this video is missing: it may just have been replaced. Try again, or reload the page.", retry: true };
  if (!navigator.onLine) return { text: "You are offline. Playback goes on from here once you are connected and try again.", retry: true };
  if (/decode|codec|buffer_append|media/.test(code)) return { text: "The browser could not decode this part of the video. Trying again often helps.", retry: true };
  return { text: "Playback stopped: the video cannot be reached. Check the connection, then try again.", retry: true };
}

/** A notice over the picture, with a way to try again where that may help. */
export function notice(player: Player, failure: Failure, retry: () => void): HTMLElement {
  const { text, retry: again } = explain(failure);
  const box = document.createElement("div");
  box.className = "failure";
  box.setAttribute("role", "alert");
  box.slot = "dialog";
  const line = document.createElement("p");
  line.textContent = text;
  box.append(line);
  if (again) {
    const button = document.createElement("button");
    button.textContent = "Try again";
    button.onclick = () => {
      player.focus();
      box.remove();
      retry();
    };
    box.append(button);
  }
  return box;
}
