import type { Outbox } from "../beacon/outbox";
import type { Tracker } from "../beacon/tracker";
import type { Engine } from "./engine";
import type { Meter } from "./meter";

const SEND_EVERY_MS = 10_000;
/** How much watching may be lost with a page that ends without a last word, in browsers that can send it then. */
const LEAVE_EVERY_MS = 500;
/** A dragged scrubber lands many times a second; its seeks go out together. */
const SEEK_SETTLES_MS = 300;
/**
 * HTMLMediaElement.HAVE_FUTURE_DATA: playback moves. With as much loaded before
 * it was told to play, nobody waited for the start.
 */
const HAVE_FUTURE_DATA = 3;

/** Milliseconds since the epoch that never go back. */
export const now = (): number => performance.timeOrigin + performance.now();

/** How playback was asked for. */
export interface Asked {
  at: number;
  autoplay: boolean;
}

/** Who is told of what happens. */
export interface Observers {
  tracker: Tracker;
  meter: Meter;
  outbox: Outbox;
  engine(): Engine | null;
}

/**
 * Tells tracker and meter what the media element does and the outbox when to
 * send, until signal aborts.
 */
export function observe(video: HTMLVideoElement, { tracker, meter, outbox, engine }: Observers, asked: Asked, signal: AbortSignal): () => void {
  const pos = (): number => video.currentTime * 1000;
  let frame = 0;
  let every = 0;
  let leaving = 0;
  let begun = false;
  let settling = 0;

  const sample = (): void => {
    // currentTime already shows the target while a seek is under way.
    if (!video.paused && !video.seeking) tracker.progress(now(), pos());
  };
  const onFrame = (): void => {
    sample();
    frame = video.paused ? 0 : requestAnimationFrame(onFrame);
  };
  const read = (): void => {
    const quality = video.getVideoPlaybackQuality?.();
    meter.read({
      at: now(), playing: !video.paused && !video.seeking && video.readyState >= HAVE_FUTURE_DATA,
      frames: quality?.totalVideoFrames ?? 0, dropped: quality?.droppedVideoFrames ?? 0,
      boxWidth: video.clientWidth * devicePixelRatio, boxHeight: video.clientHeight * devicePixelRatio,
    });
  };
  const pack = (): void => {
    sample();
    tracker.flush(now());
    read();
    for (const event of meter.take(now(), ahead(video) * 1000, engine()?.stats().bandwidth ?? 0)) outbox.add(event);
  };
  const send = (): void => {
    pack();
    outbox.flush();
  };
  const leave = (): void => {
    sample();
    tracker.flush(now());
    outbox.leave();
  };
  const rest = (): void => {
    read();
    cancelAnimationFrame(frame);
    clearInterval(every);
    clearInterval(leaving);
    frame = every = leaving = 0;
  };
  const conditions = (): void => {
    sample();
    read();
    const root = video.getRootNode() as ShadowRoot;
    tracker.conditions(now(), pos(), {
      muted: video.muted || video.volume === 0, hidden: document.hidden,
      fullscreen: !!(document.fullscreenElement && (root.fullscreenElement ?? document.fullscreenElement.contains(root.host))),
    });
  };

  const moving = (): void => {
    if (video.seeking || video.paused) return;
    tracker.playing(now(), pos(), video.playbackRate);
    read();
    if (!begun) outbox.flush(); // a view counts as played, and is live, from its first frame on
    begun = true;
    every ||= window.setInterval(send, SEND_EVERY_MS);
    leaving ||= window.setInterval(leave, LEAVE_EVERY_MS);
    frame ||= requestAnimationFrame(onFrame);
  };

  const handlers: Record<string, () => void> = {
    play: () => {
      conditions();
      const prompt = video.readyState < HAVE_FUTURE_DATA;
      tracker.play(prompt ? asked.at : now(), pos(), prompt && asked.autoplay);
    },
    playing: moving,
    timeupdate: sample,
    resize: read,
    volumechange: conditions,
    waiting: () => {
      read();
      tracker.waiting(now(), pos());
    },
    ratechange: () => video.seeking || tracker.rate(now(), pos(), video.playbackRate),
    seeking: () => {
      read();
      tracker.seeking(now(), pos());
    },
    seeked: () => {
      tracker.seeked(now(), pos());
      // Not every browser says "playing" after a seek within the buffer.
      if (video.readyState >= HAVE_FUTURE_DATA) moving();
      clearTimeout(settling);
      settling = window.setTimeout(() => outbox.flush(), SEEK_SETTLES_MS);
    },
    pause: () => {
      rest();
      // The end pauses too; it is told as the end.
      if (video.ended) return;
      if (video.seeking) tracker.stop(now());
      else tracker.pause(now(), pos());
      send();
    },
    ended: () => {
      rest();
      tracker.end(now(), pos());
      send();
    },
  };
  for (const [type, handler] of Object.entries(handlers)) video.addEventListener(type, handler, { signal });
  document.addEventListener("fullscreenchange", conditions, { signal });
  document.addEventListener("visibilitychange", () => {
    conditions();
    if (document.hidden) send();
  }, { signal });
  window.addEventListener("online", () => outbox.retry(), { signal });
  window.addEventListener("pagehide", () => {
    pack();
    outbox.flushLast();
  }, { signal });
  // A page kept by the browser is shown again.
  window.addEventListener("pageshow", () => (outbox.leaving = false), { signal });
  signal.addEventListener("abort", () => {
    sample();
    rest();
    clearTimeout(settling);
    tracker.stop(now());
    pack();
    outbox.close();
  });
  return send;
}

// How many seconds are loaded after the playhead.
function ahead({ buffered, currentTime }: HTMLVideoElement): number {
  for (let i = 0; i < buffered.length; i++) {
    if (buffered.start(i) <= currentTime + 0.1 && currentTime < buffered.end(i)) return buffered.end(i) - currentTime;
  }
  return 0;
}
