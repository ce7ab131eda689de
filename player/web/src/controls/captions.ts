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
