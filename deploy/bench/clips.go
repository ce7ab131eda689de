package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// film makes, once, an H.264/AAC MP4 of 1080p30 with keyframes each 2 s, about as
// hard to encode as real pictures: a zoom through a fractal with film grain. Long
// ones repeat 20 s of it, which no encoder with GOPs of 2 s can make use of.
func (b *bench) film(seconds, kbps int) (string, error) {
	rate := strconv.Itoa(kbps) + "k"
	return b.clipOf(fmt.Sprintf("film-%d", kbps), "avc1", seconds, "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p",
		"-b:v", rate, "-maxrate", rate, "-bufsize", rate, "-g", "60", "-keyint_min", "60", "-sc_threshold", "0")
}

// filmIndexLast is a film whose tables follow its pictures.
func (b *bench) filmIndexLast(seconds, kbps int) (string, error) {
	film, err := b.film(seconds, kbps)
	if err != nil {
		return "", err
	}
	return b.part(strings.TrimSuffix(filepath.Base(film), ".mp4")+"-last.mp4", "-i", film, "-map", "0", "-c", "copy", "-tag:v", "avc1")
}

// hevc makes, once, the same as HEVC, which browsers need not play.
func (b *bench) hevc(seconds int) (string, error) {
	return b.clipOf("hevc", "hvc1", seconds, "-c:v", "libx265", "-preset", "ultrafast",
		"-x265-params", "log-level=error:keyint=60:min-keyint=60", "-b:v", "6M", "-pix_fmt", "yuv420p")
}

// unitSeconds is what is encoded of a clip; the rest repeats it.
const unitSeconds = 20

// clipOf makes a clip of a codec as long as wanted, unless it is there already. Picture
// and sound are repeated each by itself: together they would leave a gap where the
// sound is the longer by a part of its last frame.
func (b *bench) clipOf(name, tag string, seconds int, codec ...string) (string, error) {
	path := filepath.Join(b.clips, fmt.Sprintf("%s-%d.mp4", name, seconds))
	if exists(path) {
		return path, nil
	}
	master, err := b.part("master.mp4", "-f", "lavfi",
		"-i", "mandelbrot=size=960x540:rate=30:end_pts=600:inner=mincol,scale=1920:1080:flags=bicubic,noise=alls=5:allf=t",
		"-t", strconv.Itoa(unitSeconds), "-c:v", "libx264", "-preset", "ultrafast", "-qp", "12", "-pix_fmt", "yuv420p")
	if err != nil {
		return "", err
	}
	picture, err := b.part(name+".mp4", append(append([]string{"-i", master}, codec...), "-tag:v", tag)...)
	if err != nil {
		return "", err
	}
	sound, err := b.part("sound.mp4", "-f", "lavfi", "-i", "sine=frequency=440:beep_factor=4:sample_rate=48000",
		"-t", strconv.Itoa(unitSeconds), "-c:a", "aac", "-b:a", "128k")
	if err != nil {
		return "", err
	}
	again := strconv.Itoa(seconds/unitSeconds - 1)
	return b.part(filepath.Base(path), "-stream_loop", again, "-i", picture, "-stream_loop", again, "-i", sound,
		"-map", "0:v", "-map", "1:a", "-c", "copy", "-t", strconv.Itoa(seconds), "-tag:v", tag, "-movflags", "+faststart")
}

// part has ffmpeg make, once, a file of the folder of clips, which is there as a whole
// or not at all. What all clips are encoded from is hardly compressed: to compute its
// pictures costs more than to encode them.
func (b *bench) part(name string, args ...string) (string, error) {
	path := filepath.Join(b.clips, name)
	if exists(path) {
		return path, nil
	}
	unfinished := strings.TrimSuffix(path, ".mp4") + ".part.mp4"
	args = append([]string{"-nostdin", "-loglevel", "error", "-y"}, args...)
	if err := b.run("ffmpeg", append(args, unfinished)...); err != nil {
		return "", err
	}
	return path, os.Rename(unfinished, path)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
