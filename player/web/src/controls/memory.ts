import { mayResume, write } from "../player/memory";
import type { Player } from "../player/part";
import { showing } from "./captions";

const KEEP_FROM_S = 5;
/** Positions of this many videos are kept, the oldest go first. */
const VIDEOS = 50;

/**
 * Keeps what a viewer chose or reached for the next time: with the attribute
 * `resumable` where playback was left, with `consent="granted"` the language
 * of the captions.
 */
export function remember(player: Player): void {
  const { host, video, signal, config } = player;
  video.textTracks.addEventListener("change", () => {
    const language = showing(video)?.language ?? "";
    if (player.consents()) write((memory) => ({ ...memory, captions: language }));
  }, { signal });

  const keep = (): void => {
    if (!mayResume(host)) return;
    const at = video.ended ? 0 : Math.floor(video.currentTime);
    write((memory) => {
      const { [config.media_id]: _, ...others } = memory.positions ?? {};
      const entries = Object.entries(others).slice(-VIDEOS + 1);
      return { ...memory, positions: Object.fromEntries(at >= KEEP_FROM_S ? [...entries, [config.media_id, at]] : entries) };
    });
  };
  for (const type of ["pause", "ended", "seeked"]) video.addEventListener(type, keep, { signal });
  window.addEventListener("pagehide", keep, { signal });
  signal.addEventListener("abort", keep);
}
