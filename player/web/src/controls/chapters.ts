import type { Player } from "../player/part";

/** A stretch of the video, in seconds. */
export interface Chapter {
  title: string;
  from: number;
  to: number;
}

/** The chapters in order; each ends where the next starts. */
export function chaptersOf({ config }: Pick<Player, "config">): Chapter[] {
  const starts = [...(config.chapters ?? [])]
    .filter(({ start_seconds }) => start_seconds >= 0 && start_seconds < config.duration_seconds)
    .sort((a, b) => a.start_seconds - b.start_seconds);
  return starts.map(({ start_seconds, title }, i) => ({
    title, from: start_seconds, to: starts[i + 1]?.start_seconds ?? config.duration_seconds,
  }));
}

/** Marks the chapters on the scrubber, by a text track as media-chrome reads one. */
export function addChapters(player: Player): void {
  const chapters = chaptersOf(player);
  if (chapters.length === 0) return;
  const { video } = player;
  const found = [...video.textTracks].find((track) => track.kind === "chapters");
  const track = found ?? video.addTextTrack("chapters", "Chapters", document.documentElement.lang || "en");
  track.mode = "hidden";
  for (const cue of [...(track.cues ?? [])]) track.removeCue(cue);
  // Titles are text: a cue's text is WebVTT, in which these three mean something.
  const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  for (const { title, from, to } of chapters) track.addCue(new VTTCue(from, to, escape(title)));
  // media-chrome looks at cues when tracks change, and they have just come.
  video.textTracks.dispatchEvent(new Event("change"));
}
