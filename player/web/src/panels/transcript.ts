import { captionTracks, showing } from "../controls/captions";
import { clock } from "../menus/clock";
import type { Player } from "../player/part";
import { css } from "./transcript-style";

const open = new WeakMap<Player, () => void>();

/** Opens the transcript beside the picture, or closes it. */
export function toggleTranscript(player: Player): void {
  const close = open.get(player);
  if (close) close();
  else open.set(player, show(player));
}

// The captions as text: each line seeks, the present one is marked.
function show(player: Player): () => void {
  const { controller, video, signal } = player;
  player.style(css);
  const stop = new AbortController();
  const until = { signal: AbortSignal.any([signal, stop.signal]) };
  const panel = document.createElement("section");
  panel.className = "transcript";
  panel.setAttribute("aria-label", "Transcript");
  panel.setAttribute("noautohide", "");
  const heading = document.createElement("h2");
  heading.textContent = "Transcript";
  const find = document.createElement("input");
  Object.assign(find, { type: "search", placeholder: "Find in the transcript", ariaLabel: "Find in the transcript" });
  const shut = document.createElement("button");
  Object.assign(shut, { className: "shut", textContent: "×", ariaLabel: "Close the transcript" });
  const list = document.createElement("ol");
  list.tabIndex = -1;
  panel.append(heading, shut, find, list);

  const track = showing(video) ?? captionTracks(video)[0];
  const before = track?.mode;
  // Cues are loaded once a track is not disabled.
  if (track && track.mode === "disabled") track.mode = "hidden";
  let lines: { cue: TextTrackCue; row: HTMLButtonElement }[] = [];
  const fill = (): void => {
    lines = [...(track?.cues ?? [])].map((cue) => ({ cue, row: line(cue, video) }));
    list.replaceChildren(...lines.map(({ row }) => item(row)));
    mark();
  };
  const mark = (): void => {
    const now = video.currentTime;
    let current: HTMLElement | null = null;
    for (const { cue, row } of lines) {
      const here = cue.startTime <= now && now < cue.endTime;
      if (here) current = row;
      if (here) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
    // Follows playback, unless the viewer is reading or searching.
    if (current && !find.value && !panel.matches(":hover, :focus-within")) {
      list.scrollTop = current.offsetTop - list.clientHeight / 2;
    }
  };
  const search = (): void => {
    const wanted = find.value.trim().toLowerCase();
    for (const { row } of lines) row.parentElement!.hidden = !!wanted && !row.textContent!.toLowerCase().includes(wanted);
  };
  const loaded = track && [...video.querySelectorAll("track")].find((el) => el.track === track);
  loaded?.addEventListener("load", fill, until);
  fill();
  video.addEventListener("timeupdate", () => {
    // Captions of a playlist come as they are played.
    if (lines.length !== (track?.cues?.length ?? 0)) fill();
    mark();
  }, until);
  find.addEventListener("input", search, until);
  // Its keys are not the player's.
  panel.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key !== "Escape") return;
    event.preventDefault(); // a dialog around the player stays
    close();
  }, until);
  panel.addEventListener("keyup", (event) => event.stopPropagation(), until);
  panel.addEventListener("click", (event) => event.stopPropagation(), until);
  const close = (): void => {
    open.delete(player);
    stop.abort();
    if (track && before === "disabled" && track.mode === "hidden") track.mode = before;
    panel.remove();
    controller.classList.remove("reading");
    controller.querySelector<HTMLElement>("media-settings-menu-button")?.focus();
  };
  shut.onclick = close;
  controller.append(panel);
  controller.classList.add("reading");
  find.focus();
  signal.addEventListener("abort", () => open.delete(player));
  return close;
}

function line(cue: TextTrackCue, video: HTMLVideoElement): HTMLButtonElement {
  const row = document.createElement("button");
  const time = document.createElement("time");
  time.textContent = clock(cue.startTime);
  const text = document.createElement("span");
  // Parsed by the browser as WebVTT: tags are gone, text is text.
  text.textContent = (cue as VTTCue).getCueAsHTML?.().textContent ?? "";
  row.append(time, text);
  row.onclick = () => void (video.currentTime = cue.startTime);
  return row;
}

function item(row: HTMLElement): HTMLLIElement {
  const li = document.createElement("li");
  li.append(row);
  return li;
}
