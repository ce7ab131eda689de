import { read } from "../player/memory";
import type { Player } from "../player/part";

/**
 * Offers the captions of the config as tracks, those in the viewer's language
 * first, and reports when they are switched on or off. Without any, the ones
 * of the playlist are there already.
 */
export function addTracks(player: Player): void {
  const { video, config, signal } = player;
  const preferred = (language: string): number => {
    const at = navigator.languages.findIndex((wish) => base(wish) === base(language));
    return at < 0 ? Number.MAX_SAFE_INTEGER : at;
  };
  const captions = [...(config.captions ?? [])].sort((a, b) => preferred(a.language) - preferred(b.language));
  for (const { language, label, kind, url } of captions) {
    const track = document.createElement("track");
    Object.assign(track, { kind, label, srclang: language, src: url });
    video.append(track);
  }
  const remembered = player.consents() ? read().captions : undefined;
  const wanted = remembered ?? player.host.getAttribute("captions") ?? config.captions?.find((c) => c.default)?.language ?? "";
  const choose = (): void => show(video, wanted);
  choose();
  // Browsers choose by their own settings a moment after a track has come.
  if (captions.length > 0) {
    const again = [0, 250].map((ms) => setTimeout(choose, ms));
    signal.addEventListener("abort", () => again.forEach(clearTimeout));
  }

  let shown = wanted && (showing(video)?.language ?? "");
  const changed = (): void => {
    const now = showing(video);
    const language = now?.language ?? "";
    if (language === shown) return;
    if (shown) player.act("captions", shown, "off", shown);
    if (language) player.act("captions", language, "on", language);
    shown = language;
    player.emit("captions-change", { visible: !!now, language });
  };
  video.textTracks.addEventListener("change", changed, { signal });
}

/** Of the sizes that style.ts gives captions: what one line of them is high. */
const LINE = { least: 15, ofWidth: 0.026, height: 1.35 };
/** Between the picture's edge, the bar and the captions. */
const GAP_PX = 8;

/**
 * Keeps captions that sit at the bottom above the controls while those are
 * shown. Captions placed elsewhere stay where their author put them.
 */
export function liftCaptions({ video, controller, signal }: Player): void {
  const written = new Map<VTTCue, LineAndPositionSetting>();
  const pen = document.createElement("canvas").getContext("2d");
  const lay = (): void => {
    const bar = controller.querySelector<HTMLElement>("media-control-bar");
    const shown = !!bar && (video.paused || !controller.hasAttribute("userinactive"));
    const track = showing(video);
    const active = new Set([...(track?.activeCues ?? [])] as VTTCue[]);
    for (const [cue, line] of written) {
      if (active.has(cue) && shown) continue;
      cue.line = line;
      written.delete(cue);
    }
    if (!shown) return;
    let moved = false;
    const scale = Number(controller.style.getPropertyValue("--caption-scale")) || 1;
    const size = Math.max(LINE.least, LINE.ofWidth * video.clientWidth) * scale;
    const step = size * LINE.height;
    if (pen) pen.font = `500 ${size}px system-ui, sans-serif`;
    const measure = (text: string): number => pen?.measureText(text).width ?? 0;
    for (const cue of active) {
      const line = written.get(cue) ?? cue.line;
      const rows = rowsOf(cue, video.clientWidth, measure);
      const lifted = lift(cue, line, rows, step, bar.offsetHeight + 2 * GAP_PX, video.clientHeight);
      written.set(cue, line);
      moved ||= cue.line !== lifted;
      cue.line = lifted;
    }
    // While nothing plays, browsers lay captions out anew only when they are shown anew.
    if (!moved || !track || !video.paused) return;
    track.mode = "hidden";
    track.mode = "showing";
  };
  for (const type of ["userinactivechange", "captionsizechange"]) controller.addEventListener(type, lay, { signal });
  for (const type of ["play", "pause", "resize"]) video.addEventListener(type, lay, { signal });
  const follow = (): void => {
    for (const track of captionTracks(video)) track.oncuechange = lay;
    lay();
  };
  for (const type of ["addtrack", "change"]) video.textTracks.addEventListener(type, follow, { signal });
  follow();
  // Of the box, which the video's own event is not about.
  const resized = new ResizeObserver(lay);
  resized.observe(video);
  signal.addEventListener("abort", () => resized.disconnect());
}

// How many rows a cue takes: its lines are broken where the picture ends.
function rowsOf(cue: VTTCue, width: number, measure: (text: string) => number): number {
  const room = (width * cue.size) / 100;
  let rows = 0;
  for (const line of (cue.getCueAsHTML().textContent ?? "").split("\n")) {
    let used = Infinity;
    for (const word of line.split(" ")) {
      const wide = measure(word);
      if (used + wide > room) {
        rows += Math.max(1, Math.ceil(wide / room));
        used = wide % room;
      } else used += wide;
      used += measure(" ");
    }
  }
  return rows;
}

// Where a cue goes above a bar: lines count from the bottom when they are negative.
function lift(cue: VTTCue, line: LineAndPositionSetting, rows: number, step: number, bar: number, height: number): LineAndPositionSetting {
  if (cue.vertical !== "" || (typeof line === "number" && cue.snapToLines && line >= 0)) return line;
  if (cue.snapToLines) return Math.min(-rows, line === "auto" ? 0 : (line as number)) - Math.ceil(bar / step);
  return typeof line === "number" ? Math.min(line, Math.max(0, 100 - ((bar + rows * step) / height) * 100)) : line;
}

/** The caption tracks on offer. */
export function captionTracks(video: HTMLVideoElement): TextTrack[] {
  return [...video.textTracks].filter((track) => track.kind === "captions" || track.kind === "subtitles");
}

/** The one that is shown. */
export function showing(video: HTMLVideoElement): TextTrack | undefined {
  return captionTracks(video).find((track) => track.mode === "showing");
}

/** Shows the captions of a language, or none. */
export function show(video: HTMLVideoElement, language: string): void {
  const tracks = captionTracks(video);
  const chosen = tracks.find((track) => track.language === language) ?? tracks.find((track) => base(track.language) === base(language));
  for (const track of tracks) track.mode = track === chosen ? "showing" : "disabled";
}

const base = (language: string): string => language.toLowerCase().split("-")[0] ?? "";
