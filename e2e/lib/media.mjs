// Real media, made by FFmpeg.
import { join } from "node:path";
import { root, run } from "./process.mjs";

async function ffmpeg(args, out) {
  await run("ffmpeg", ["-hide_banner", "-loglevel", "error", "-nostdin", "-y", ...args, out]);
  return out;
}

const video = (seconds, size = "640x360", rate = 30) => ["-f", "lavfi", "-i", `testsrc2=size=${size}:rate=${rate}:duration=${seconds}`];
const audio = (seconds, layout = "stereo") => ["-f", "lavfi", "-i", `sine=frequency=440:sample_rate=48000:duration=${seconds},aformat=channel_layouts=${layout}`];
const x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "60"];
const aac = ["-c:a", "aac", "-b:a", "96k"];

/** The common case: H.264 and AAC in MP4. */
export const h264mp4 = (dir, { seconds = 30, size, name = "clip.mp4" } = {}) =>
  ffmpeg([...video(seconds, size), ...audio(seconds), ...x264, ...aac, "-movflags", "+faststart"], join(dir, name));

/** The same with its index last, 3 MB a second however easy its pictures are. */
export const indexLast = (dir, { seconds = 40, name = "last.mp4" } = {}) =>
  ffmpeg([...video(seconds), ...audio(seconds), ...x264, "-b:v", "24M", "-minrate", "24M", "-maxrate", "24M", "-bufsize", "24M",
    "-x264-params", "nal-hrd=cbr:force-cfr=1", ...aac], join(dir, name));

/**
 * The sample of varied sources that plays in each run, or all of them: the lines of
 * transcode's table, each with the path of the file made from it.
 */
export async function varied(dir, all) {
  const { stdout } = await run("go", ["run", "./transcode/internal/sources/makesources", ...(all ? ["-all"] : []), dir], { cwd: root });
  return stdout.trim().split("\n").map((line) => JSON.parse(line));
}
