// Watches a video element from the host page, by its clock alone, and tells the
// page's server what was played: the truth that figures are compared with.
import { findVideo } from "./browser.mjs";

/**
 * The script for the host page. Every 20 ms it looks where the playhead is: while
 * that moves as fast as playback can, the interval grows; a jump ends it. It tells
 * twice a second, and once more when the page goes, if the browser lets it.
 */
export const witness = `(() => {
  const find = () => ${findVideo};
  const intervals = [];
  let video, last, seen;
  const look = () => {
    video ??= find();
    if (!video) return;
    const at = video.currentTime, now = performance.now();
    const most = seen === undefined ? 0 : ((now - seen) / 1000) * video.playbackRate + 0.08;
    if (last !== undefined && at > last && at - last <= most && !video.seeking) {
      const open = intervals.at(-1);
      if (open && open[1] === last) open[1] = at;
      else intervals.push([last, at]);
    }
    last = at;
    seen = now;
  };
  const load = crypto.randomUUID();
  const tell = (left) => navigator.sendBeacon("/saw", JSON.stringify({ load, left, intervals }));
  setInterval(look, 20);
  setInterval(tell, 500, false);
  addEventListener("pagehide", () => { look(); tell(true); });
  window.witness = { intervals, video: () => (video ??= find()) };
})();`;
