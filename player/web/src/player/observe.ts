import type { Outbox } from "../beacon/outbox";
import type { Tracker } from "../beacon/tracker";

const SEND_EVERY_MS = 10_000;
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

/**
 * Tells the tracker what the media element does and the outbox when to send,
 * until signal aborts.
 */
export function observe(video: HTMLVideoElement, tracker: Tracker, outbox: Outbox, asked: Asked, signal: AbortSignal): void {
  const pos = (): number => video.currentTime * 1000;
  let frame = 0;
  let every = 0;
  let settling = 0;

  const sample = (): void => {
    // currentTime already shows the target while a seek is under way.
    if (!video.paused && !video.seeking) tracker.progress(now(), pos());
  };
  const onFrame = (): void => {
    sample();
    frame = video.paused ? 0 : requestAnimationFrame(onFrame);
  };
  const send = (): void => {
    sample();
    tracker.flush(now());
    outbox.flush();
  };
  const rest = (): void => {
    cancelAnimationFrame(frame);
    clearInterval(every);
    frame = every = 0;
  };

  const moving = (): void => {
    if (video.seeking || video.paused) return;
    tracker.playing(now(), pos(), video.playbackRate);
    every ||= window.setInterval(send, SEND_EVERY_MS);
    frame ||= requestAnimationFrame(onFrame);
  };

  const handlers: Record<string, () => void> = {
    play: () => {
      const prompt = video.readyState < HAVE_FUTURE_DATA;
      tracker.play(prompt ? asked.at : now(), pos(), prompt && asked.autoplay);
    },
    playing: moving,
    timeupdate: sample,
    waiting: () => tracker.waiting(now(), pos()),
    ratechange: () => video.seeking || tracker.rate(now(), pos(), video.playbackRate),
    seeking: () => tracker.seeking(now(), pos()),
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
      outbox.flush();
    },
    ended: () => {
      rest();
      tracker.end(now(), pos());
      outbox.flush();
    },
  };
  for (const [type, handler] of Object.entries(handlers)) video.addEventListener(type, handler, { signal });
  document.addEventListener("visibilitychange", () => document.hidden && send(), { signal });
  window.addEventListener("pagehide", () => {
    sample();
    tracker.flush(now());
    outbox.flushLast();
  }, { signal });
  signal.addEventListener("abort", () => {
    sample();
    rest();
    clearTimeout(settling);
    tracker.stop(now());
    outbox.close();
  });
}
