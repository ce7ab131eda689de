package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// film makes, once, an H.264/AAC MP4 of 1080p30 with keyframes each 2 s, about as
// hard to encode as real pictures: a zoom through a fractal with film grain. Long
// ones repeat 20 s of it, which no encoder with GOPs of 2 s can make use of.
func (b *bench) film(seconds, kbps int) (string, error) {
	path := filepath.Join(b.dir, fmt.Sprintf("film-%d-%d.mp4", seconds, kbps))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	unit := filepath.Join(b.dir, fmt.Sprintf("unit-%d.mp4", kbps))
	if _, err := os.Stat(unit); err != nil {
		rate := strconv.Itoa(kbps) + "k"
		if err := b.unit(unit, "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p",
			"-b:v", rate, "-maxrate", rate, "-bufsize", rate, "-g", "60", "-keyint_min", "60", "-sc_threshold", "0"); err != nil {
			return "", err
		}
	}
	return path, b.repeat(unit, path, seconds)
}

// hevc makes, once, the same as HEVC, which browsers need not play.
func (b *bench) hevc(seconds int) (string, error) {
	path := filepath.Join(b.dir, fmt.Sprintf("hevc-%d.mp4", seconds))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	unit := filepath.Join(b.dir, "unit-hevc.mp4")
	if err := b.unit(unit, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=60:min-keyint=60", "-b:v", "6M", "-pix_fmt", "yuv420p", "-tag:v", "hvc1"); err != nil {
		return "", err
	}
	return path, b.repeat(unit, path, seconds)
}

const unitSeconds = 20

func (b *bench) unit(path string, codec ...string) error {
	args := []string{"-loglevel", "error", "-y", "-f", "lavfi", "-i", "mandelbrot=size=960x540:rate=30:end_pts=600:inner=mincol,scale=1920:1080:flags=bicubic,noise=alls=5:allf=t",
		"-f", "lavfi", "-i", "sine=frequency=440:beep_factor=4:sample_rate=48000", "-t", strconv.Itoa(unitSeconds)}
	args = append(args, codec...)
	return b.run("ffmpeg", append(args, "-c:a", "aac", "-b:a", "128k", path)...)
}

func (b *bench) repeat(unit, path string, seconds int) error {
	return b.run("ffmpeg", "-loglevel", "error", "-y", "-stream_loop", strconv.Itoa(seconds/unitSeconds-1), "-i", unit,
		"-c", "copy", "-tag:v", tagOf(path), "-movflags", "+faststart", path)
}

func tagOf(path string) string {
	if filepath.Base(path)[:4] == "hevc" {
		return "hvc1"
	}
	return "avc1"
}
