// Real media, made by FFmpeg.
import { join } from "node:path";
import { run } from "./process.mjs";

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

/** One file for each kind of source that must become playable. */
export const sources = {
  "H.264/AAC MOV": (dir) => ffmpeg([...video(4, "320x180"), ...audio(4), ...x264, ...aac], join(dir, "a.mov")),
  "VP9/Opus WebM": (dir) => ffmpeg([...video(4, "320x180"), ...audio(4), "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"], join(dir, "b.webm")),
  "HEVC MKV": (dir) => ffmpeg([...video(4, "320x180"), ...audio(4), "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", ...aac], join(dir, "c.mkv")),
  "MPEG-4 part 2 MKV": (dir) => ffmpeg([...video(4, "320x180"), ...audio(4), "-c:v", "mpeg4", "-c:a", "libmp3lame"], join(dir, "d.mkv")),
  "phone clip with a rotation flag": async (dir) => {
    const flat = await ffmpeg([...video(4, "320x180"), ...audio(4), ...x264, ...aac], join(dir, "flat.mp4"));
    return ffmpeg(["-display_rotation", "90", "-i", flat, "-c", "copy"], join(dir, "e.mp4")).catch(() =>
      ffmpeg(["-i", flat, "-c", "copy", "-metadata:s:v:0", "rotate=90"], join(dir, "e.mp4")));
  },
  "5.1 AC-3 track": (dir) => ffmpeg([...video(4, "320x180"), ...audio(4, "5.1"), ...x264, "-c:a", "ac3"], join(dir, "f.mkv")),
  "no audio": (dir) => ffmpeg([...video(4, "320x180"), ...x264], join(dir, "g.mp4")),
  "MP3 alone": (dir) => ffmpeg([...audio(4), "-c:a", "libmp3lame"], join(dir, "h.mp3")),
};
