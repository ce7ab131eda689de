import type HlsClass from "hls.js";
import type { Level, MediaPlaylist } from "hls.js";

/** The parts of hls.js that its own content steering changes levels through. */
interface Inner {
  levelController: { currentLevelIndex: number; _firstLevel: number; manualLevelIndex: number };
  audioTrackController?: { tracks: MediaPlaylist[] };
}

/**
 * Reads the multivariant playlist at url again and adds the levels that it has
 * gained to a playing hls, without touching what is on screen: levels that are
 * known keep their playlists and buffers, the one being shown stays even if it
 * is gone. done is told whether anything changed. Playlists are read by a
 * second hls, which loads nothing else.
 */
export function graft(Hls: typeof HlsClass, hls: HlsClass, url: string, done: (grown: boolean) => void): void {
  const reader = new Hls({ autoStartLoad: false, enableWorker: false });
  const finish = (grown: boolean): void => {
    reader.destroy();
    done(grown);
  };
  reader.on(Hls.Events.ERROR, (_, data) => data.fatal && finish(false));
  reader.on(Hls.Events.MANIFEST_PARSED, (_, { levels, audioTracks }) => {
    const known = new Map(hls.levels.map((level) => [level.uri, level]));
    const grown = hls.levels.length > 0 && levels.some((level) => !known.has(level.uri));
    if (grown) adopt(Hls, hls, levels.map((level) => known.get(level.uri) ?? level), audioTracks);
    finish(grown);
  });
  reader.loadSource(url);
}

function adopt(Hls: typeof HlsClass, hls: HlsClass, found: Level[], sound: MediaPlaylist[]): void {
  const inner = hls as unknown as Inner;
  const { levelController, audioTrackController } = inner;
  const current = hls.levels[levelController.currentLevelIndex];
  const fixed = hls.levels[levelController.manualLevelIndex];
  const levels = [...found];
  for (const kept of [current, fixed]) if (kept && !levels.includes(kept)) levels.push(kept);
  levels.sort((a, b) => a.height - b.height || a.bitrate - b.bitrate);
  if (audioTrackController) {
    const has = new Set(audioTrackController.tracks.map((track) => track.url));
    audioTrackController.tracks.push(...sound.filter((track) => !has.has(track.url)));
  }
  levels.forEach((level, index) => {
    for (const fragment of level.details?.fragments ?? []) {
      fragment.level = index;
      if (fragment.initSegment) fragment.initSegment.level = index;
    }
  });
  levelController.currentLevelIndex = current ? levels.indexOf(current) : -1;
  levelController.manualLevelIndex = fixed ? levels.indexOf(fixed) : -1;
  levelController._firstLevel = 0;
  hls.trigger(Hls.Events.LEVELS_UPDATED, { levels });
}
