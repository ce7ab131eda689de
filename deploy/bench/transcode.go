package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// transcodeGroup is the group "transcode": from the last byte to playable, the cost of
// a ladder, and what a second worker brings, each beside ffmpeg. Rounds alternate
// between both sides, and medians are told.
func (b *bench) transcodeGroup() error {
	measures := []struct {
		name string
		run  func() error
	}{{"instant_rung", b.instantRung}, {"instant_flatness", b.instantFlatness}, {"first_rung", b.firstRung},
		{"ladder_cpu", b.ladderCost}, {"ladder_cpu_source_top", b.sourceTopCost}, {"two_workers", b.twoWorkers}}
	for _, m := range measures {
		if len(b.measures) > 0 && !slices.Contains(b.measures, m.name) {
			continue
		}
		var err error
		if b.began, err = used(); err != nil {
			return err
		}
		b.since = time.Now()
		if err := m.run(); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		fmt.Fprintf(os.Stderr, "bench: %s took %s\n", m.name, time.Since(b.since).Round(time.Second))
	}
	b.since = time.Time{}
	return nil
}

// rounds is how often both sides of a measure take turns, unless the command line
// says.
func (b *bench) rounds(usual, short int) int {
	switch {
	case b.turns > 0:
		return b.turns
	case b.short:
		return short
	}
	return usual
}

// instantRung compares the last byte of an H.264 upload to what a player needs to
// begin with ffmpeg's remux of the same file to HLS.
func (b *bench) instantRung() error {
	seconds := 600
	if b.short {
		seconds = 120
	}
	clip, err := b.film(seconds, 8000)
	if err != nil {
		return err
	}
	var ours, peers []float64
	for range b.rounds(5, 3) {
		took, err := b.playableAfter(clip)
		if err != nil {
			return err
		}
		remux, err := b.remux(clip)
		if err != nil {
			return err
		}
		ours, peers = append(ours, took.Seconds()), append(peers, remux.Seconds())
	}
	return b.report(Measure{Name: "instant_rung", Ours: median(ours), Peer: median(peers), Unit: "s", Goal: 0.05,
		Note: fmt.Sprintf("last byte sent to playlists and first segment fetched, %d min 1080p30 H.264/AAC MP4; peer ffmpeg -c copy to HLS", seconds/60)}, false)
}

// instantFlatness compares the same for an hour and for a minute, of files with their
// index first, as for the web, and last, as cameras and most encoders write it.
func (b *bench) instantFlatness() error {
	lengths := []int{3600, 60}
	if b.short {
		lengths[0] = 1200
	}
	for _, form := range []struct {
		name, note string
		clip       func(seconds, kbps int) (string, error)
	}{{"instant_flatness", "first", b.film}, {"instant_flatness_index_last", "last", b.filmIndexLast}} {
		var took [2][]float64
		var clips [2]string
		for i, seconds := range lengths {
			var err error
			if clips[i], err = form.clip(seconds, 2000); err != nil {
				return err
			}
		}
		for range b.rounds(5, 3) {
			for i, clip := range clips {
				d, err := b.playableAfter(clip)
				if err != nil {
					return err
				}
				took[i] = append(took[i], d.Seconds())
			}
		}
		if err := b.report(Measure{Name: form.name, Ours: median(took[0]), Peer: median(took[1]), Unit: "s", Goal: 1.2,
			Note: fmt.Sprintf("last byte sent to playable, %d min / 1 min, H.264/AAC MP4, index %s", lengths[0]/60, form.note)}, false); err != nil {
			return err
		}
	}
	return nil
}

// playableAfter uploads a clip to a server of its own. It returns the time from the last
// byte, given to the connection and not yet answered, until all that a player begins
// with has been fetched.
func (b *bench) playableAfter(clip string) (time.Duration, error) {
	s, err := b.startServer()
	if err != nil {
		return 0, err
	}
	if err := b.settle(s); err != nil {
		return 0, err
	}
	u, err := s.send(clip)
	if err != nil {
		return 0, err
	}
	var last time.Time
	select {
	case last = <-u.sent:
	case err := <-u.answered:
		return 0, fmt.Errorf("the upload ended early: %w", err)
	}
	for err = s.begin(u.id); err != nil; err = s.begin(u.id) {
		if time.Since(last) > 10*time.Minute {
			return 0, fmt.Errorf("nothing to play: %w", err)
		}
		time.Sleep(pause(time.Since(last)))
	}
	took := time.Since(last)
	if err := <-u.answered; err != nil {
		return 0, err
	}
	if _, err := s.await(u.id, "playable", "ready"); err != nil {
		return 0, err
	}
	return took, s.stop()
}

// pause is how long to wait before it is asked again whether there is something to
// play: each answer takes a millisecond or two of the processors on which that is made.
func pause(waited time.Duration) time.Duration {
	return max(5*time.Millisecond, min(waited/40, 25*time.Millisecond))
}

// firstRung compares the last byte of an HEVC upload to playable with the time at
// which ffmpeg's ladder has the first segment of all rungs.
func (b *bench) firstRung() error {
	clip, err := b.hevc(60)
	if err != nil {
		return err
	}
	var ours, peers []float64
	for range b.rounds(5, 3) {
		took, err := b.playableAfter(clip)
		if err != nil {
			return err
		}
		peer, err := b.peerLadder(clip, true)
		if err != nil {
			return err
		}
		ours, peers = append(ours, took.Seconds()), append(peers, peer.first.Seconds())
	}
	return b.report(Measure{Name: "first_rung", Ours: median(ours), Peer: median(peers), Unit: "s", Goal: 0.25,
		Note: "last byte sent to playlists and first segment fetched, 60 s 1080p30 HEVC; peer: first segments of all rungs of the one-command ladder"}, false)
}

// ladderCost compares the processor time of a whole ladder, each rung encoded.
func (b *bench) ladderCost() error {
	seconds := 60
	if b.short {
		seconds = 20
	}
	return b.costOf("ladder_cpu", 1, seconds, 8000, false)
}

// sourceTopCost is the same for a source that is its own top rung.
func (b *bench) sourceTopCost() error {
	seconds := 60
	if b.short {
		seconds = 20
	}
	return b.costOf("ladder_cpu_source_top", 0.65, seconds, 5000, true)
}

func (b *bench) costOf(name string, goal float64, seconds, kbps int, sourceTop bool) error {
	clip, err := b.film(seconds, kbps)
	if err != nil {
		return err
	}
	var ours, peers []float64
	var mine, theirs map[string]float64
	for range b.rounds(2, 1) {
		cpu, rungs, err := b.ourLadder(clip, sourceTop)
		if err != nil {
			return err
		}
		peer, err := b.peerLadder(clip, false)
		if err != nil {
			return err
		}
		ours, peers, mine, theirs = append(ours, cpu), append(peers, peer.cpu.Seconds()), rungs, peer.similarity
	}
	for _, rung := range slices.Sorted(keys(theirs)) {
		if rung == "1080" && sourceTop {
			continue // it is the source
		}
		difference := mine[rung] - theirs[rung]
		ok := difference >= -0.005
		if err := b.report(Measure{Name: "ssim_" + rung, Ours: mine[rung], Peer: theirs[rung], Unit: "SSIM", OK: &ok,
			Note: fmt.Sprintf("of %s: rung beside its source, first 10 s; ok is no less than the peer's by 0.005", name)}, false); err != nil {
			return err
		}
	}
	return b.report(Measure{Name: name, Ours: median(ours), Peer: median(peers), Unit: "CPU-seconds", Goal: goal,
		Note: fmt.Sprintf("%d s 1080p30 H.264 of %d Mb/s to ready, server and all children, with poster and storyboard; peer: one ffmpeg command, same settings", seconds, kbps/1000)}, false)
}

// ourLadder makes a clip ready in a server of its own, and returns the processor
// time from the last byte on and each rung's similarity to the source.
func (b *bench) ourLadder(clip string, sourceTop bool) (cpu float64, similarity map[string]float64, err error) {
	s, err := b.startServer()
	if err != nil {
		return 0, nil, err
	}
	if err := b.settle(s); err != nil {
		return 0, nil, err
	}
	id, _, err := s.upload(clip)
	if err != nil {
		return 0, nil, err
	}
	before, err := treeSeconds(s.cmd.Process.Pid)
	if err != nil {
		return 0, nil, err
	}
	if _, err := s.awaitEach(500*time.Millisecond, id, "ready"); err != nil {
		return 0, nil, err
	}
	after, err := treeSeconds(s.cmd.Process.Pid)
	if err != nil {
		return 0, nil, err
	}
	rungs, err := s.rungs(id)
	if err != nil {
		return 0, nil, err
	}
	if rungs["1080"].source != sourceTop {
		return 0, nil, fmt.Errorf("the source is the top rung: %v, expected %v", !sourceTop, sourceTop)
	}
	similarity = map[string]float64{}
	for name, r := range rungs {
		if similarity[name], err = b.similarity(r.url, clip); err != nil {
			return 0, nil, err
		}
	}
	return after - before, similarity, s.stop()
}

// remux is ffmpeg's copy of a clip to HLS, to its end.
func (b *bench) remux(clip string) (time.Duration, error) {
	out, err := os.MkdirTemp(b.dir, "remux-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(out)
	start := time.Now()
	err = b.run("ffmpeg", "-loglevel", "error", "-y", "-i", clip, "-c", "copy", "-f", "hls", "-hls_time", "6", "-hls_playlist_type", "vod",
		"-hls_segment_type", "fmp4", filepath.Join(out, "index.m3u8"))
	return time.Since(start), err
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
