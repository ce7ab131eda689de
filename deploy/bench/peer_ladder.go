package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// peerRungs are the product's rungs of a 1080p source, with its caps.
var peerRungs = []struct {
	name          string
	width, height int
	maxBPS        int
}{{"1080", 1920, 1080, 6_500_000}, {"720", 1280, 720, 3_500_000}, {"540", 960, 540, 2_000_000}, {"360", 640, 360, 800_000}}

// peerResult is what one ffmpeg command took.
type peerResult struct {
	first      time.Duration // until the first segment of all rungs
	cpu        time.Duration
	similarity map[string]float64
}

// peerLadder makes the product's ladder by one ffmpeg command of the same settings:
// libx264 veryfast, CRF 23, caps and buffers, closed GOPs of 2 s, 6 s CMAF segments,
// AAC apart, and the same priority. With onlyFirst it is ended once all rungs have a
// segment.
func (b *bench) peerLadder(clip string, onlyFirst bool) (result peerResult, err error) {
	out, err := os.MkdirTemp(b.dir, "peer-")
	if err != nil {
		return result, err
	}
	defer os.RemoveAll(out)
	split, scales := "[0:v]split="+strconv.Itoa(len(peerRungs)), ""
	args := []string{"-nostdin", "-loglevel", "error", "-y", "-i", clip, "-filter_complex", ""}
	streams := ""
	for i, r := range peerRungs {
		split += fmt.Sprintf("[s%d]", i)
		scales += fmt.Sprintf(";[s%d]scale=%d:%d:flags=bicubic[v%d]", i, r.width, r.height, i)
		args = append(args, "-map", fmt.Sprintf("[v%d]", i),
			fmt.Sprintf("-maxrate:v:%d", i), strconv.Itoa(r.maxBPS), fmt.Sprintf("-bufsize:v:%d", i), strconv.Itoa(r.maxBPS*3/2))
		streams += fmt.Sprintf("v:%d,agroup:aud,name:%s ", i, r.name)
	}
	args[7] = split + scales
	args = append(args, "-map", "0:a", "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-pix_fmt", "yuv420p", "-crf", "23",
		"-x264-params", "keyint=60:min-keyint=60:scenecut=0:open-gop=0", "-c:a", "aac", "-b:a", "128k", "-ar", "48000", "-ac", "2",
		"-f", "hls", "-hls_time", "6", "-hls_playlist_type", "event", "-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init_%v.mp4",
		"-var_stream_map", streams+"a:0,agroup:aud,name:aud", "-hls_segment_filename", filepath.Join(out, "%v_%d.m4s"), filepath.Join(out, "%v.m3u8"))
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	// A whole ladder stands back for other programs in ours: on a busy machine, who is
	// interrupted more often takes more processor time for the same work.
	argv := append([]string{"nice", "-n", "10", "ffmpeg"}, args...)
	if onlyFirst {
		argv = argv[3:]
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	words := &strings.Builder{}
	cmd.Stderr = words
	started := time.Now()
	if err := cmd.Start(); err != nil {
		return result, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for running := true; running; {
		select {
		case err := <-ended:
			if err != nil && !(onlyFirst && result.first > 0) {
				return result, fmt.Errorf("ffmpeg: %w\n%s", err, words)
			}
			running = false
		case <-tick.C:
		}
		if result.first == 0 && allBegun(out) {
			result.first = time.Since(started)
			if onlyFirst {
				cancel()
			}
		}
	}
	if result.first == 0 {
		return result, fmt.Errorf("ffmpeg listed no segments in %s", out)
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		result.cpu = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	if onlyFirst {
		return result, nil
	}
	result.similarity = map[string]float64{}
	for _, r := range peerRungs {
		if result.similarity[r.name], err = b.similarity(filepath.Join(out, r.name+".m3u8"), clip); err != nil {
			return result, err
		}
	}
	return result, nil
}

// allBegun tells whether every rung's playlist lists a segment.
func allBegun(dir string) bool {
	for _, r := range peerRungs {
		list, err := os.ReadFile(filepath.Join(dir, r.name+".m3u8"))
		if err != nil || !strings.Contains(string(list), "#EXTINF") {
			return false
		}
	}
	return true
}
