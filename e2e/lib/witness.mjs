// Watches a video element from the host page, by its clock alone, and tells the
// page's server what was played: the truth that figures are compared with.
import { findVideo } from "./browser.mjs";

/**
 * The script for the host page. It looks where the playhead is every 20 ms, at each
 * frame, whenever the element says that something happened, and before a script does
 * something to it. What the clock had no time to play, and what a seek stepped over,
 * is not counted. `blur` is the longest that it did not look while media played, in
 * seconds of media: how well it knows the edges of intervals. It tells twice a
 * second, and once more when the page goes, if the browser lets it.
 */
export const witness = `(() => {
  const find = () => ${findVideo};
  const intervals = [];
  let video, last, seen, rate = 1, blur = 0;
  const attach = () => {
    video = find();
    for (const e of ["timeupdate", "ratechange", "pause", "ended", "playing"]) video?.addEventListener(e, look);
    video?.addEventListener("seeking", () => { last = undefined; });
  };
  const look = () => {
    if (!video) attach();
    if (!video) return;
    const at = video.currentTime, now = performance.now();
    const could = seen === undefined ? 0 : ((now - seen) / 1000) * Math.max(rate, video.playbackRate);
    if (!video.seeking) {
      if (last !== undefined && at > last && at - last <= could + 0.25) {
        const open = intervals.at(-1);
        if (open && open[1] === last) open[1] = at;
        else intervals.push([last, at]);
        blur = Math.max(blur, could);
      }
      last = at;
    }
    seen = now;
    rate = video.playbackRate;
  };
  const load = crypto.randomUUID();
  const tell = (left) => navigator.sendBeacon("/saw", JSON.stringify({ load, left, intervals, blur }));
  setInterval(look, 20);
  const frame = () => { look(); requestAnimationFrame(frame); };
  frame();
  setInterval(tell, 500, false);
  addEventListener("pagehide", () => { look(); tell(true); });
  window.witness = { look, video: () => video ?? (attach(), video) };
})();`;
