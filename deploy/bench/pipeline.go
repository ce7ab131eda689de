package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// pipeline measures from the last byte of an upload to playable and to the whole
// ladder, beside one ffmpeg command that makes the same rungs of the same file.
func (b *bench) pipeline() error {
	lengths := []int{60}
	if b.long {
		lengths = append(lengths, 600)
	}
	for _, seconds := range lengths {
		if err := b.pipelineOf(seconds); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) pipelineOf(seconds int) error {
	clip, err := b.clip(seconds)
	if err != nil {
		return err
	}
	s, err := b.startServer()
	if err != nil {
		return err
	}
	id, last, err := s.upload(clip)
	if err != nil {
		return err
	}
	playable, err := s.await(id, "playable", "ready")
	if err != nil {
		return err
	}
	ready, err := s.await(id, "ready")
	if err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	peer, err := b.ffmpegLadder(clip)
	if err != nil {
		return err
	}
	note := fmt.Sprintf("last byte sent to %%s, %d s 1080p30 H.264/AAC; peer: one ffmpeg command, same rungs, to its end", seconds)
	if err := b.report(Measure{Name: fmt.Sprintf("playable_%ds", seconds), Ours: playable.Sub(last).Seconds(), Peer: peer.Seconds(), Unit: "s", Note: fmt.Sprintf(note, "playable")}, false); err != nil {
		return err
	}
	return b.report(Measure{Name: fmt.Sprintf("ready_%ds", seconds), Ours: ready.Sub(last).Seconds(), Peer: peer.Seconds(), Unit: "s", Note: fmt.Sprintf(note, "the whole ladder")}, false)
}

// clip makes, once, an H.264/AAC MP4 of 1080p30 at about 8 Mb/s.
func (b *bench) clip(seconds int) (string, error) {
	path := filepath.Join(b.dir, fmt.Sprintf("clip-%d.mp4", seconds))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	unit := filepath.Join(b.dir, "unit.mp4")
	if _, err := os.Stat(unit); err != nil {
		err := b.run("ffmpeg", "-loglevel", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=30,noise=alls=8:allf=t",
			"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "30", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
			"-b:v", "8M", "-maxrate", "8M", "-bufsize", "16M", "-g", "60", "-c:a", "aac", "-b:a", "128k", unit)
		if err != nil {
			return "", err
		}
	}
	return path, b.run("ffmpeg", "-loglevel", "error", "-y", "-stream_loop", fmt.Sprint(seconds/30-1), "-i", unit,
		"-c", "copy", "-movflags", "+faststart", path)
}

// ffmpegLadder is the peer: one command, every rung and the audio, 6 s CMAF.
func (b *bench) ffmpegLadder(clip string) (time.Duration, error) {
	out, err := os.MkdirTemp(b.dir, "peer-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(out)
	rungs := []struct {
		height        int
		maxrate, size string
	}{{1080, "6000k", "12000k"}, {720, "3000k", "6000k"}, {540, "2000k", "4000k"}, {360, "730k", "1460k"}}
	args := []string{"-loglevel", "error", "-y", "-i", clip, "-filter_complex",
		"[0:v]split=4[a][b][c][d];[a]null[v0];[b]scale=-2:720[v1];[c]scale=-2:540[v2];[d]scale=-2:360[v3]"}
	streams := ""
	for i, r := range rungs {
		args = append(args, "-map", fmt.Sprintf("[v%d]", i), fmt.Sprintf("-maxrate:v:%d", i), r.maxrate, fmt.Sprintf("-bufsize:v:%d", i), r.size)
		streams += fmt.Sprintf("v:%d,agroup:aud ", i)
	}
	args = append(args, "-map", "0:a", "-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-force_key_frames", "expr:gte(t,n_forced*2)", "-sc_threshold", "0",
		"-c:a", "aac", "-b:a", "128k", "-f", "hls", "-hls_time", "6", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4",
		"-var_stream_map", streams+"a:0,agroup:aud", "-hls_segment_filename", filepath.Join(out, "%v_%d.m4s"), filepath.Join(out, "%v.m3u8"))
	start := time.Now()
	err = b.run("ffmpeg", args...)
	return time.Since(start), err
}

func (b *bench) run(name string, args ...string) error {
	out, err := exec.CommandContext(b.ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}
