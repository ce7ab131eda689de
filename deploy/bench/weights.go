package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
)

// weights compares what a browser downloads, gzip -9: the facade on page load and
// the player at the first play.
func (b *bench) weights() error {
	dist := filepath.Join(b.root, "player/web/dist")
	raw, err := os.ReadFile(filepath.Join(dist, "manifest.json"))
	if err != nil {
		return err
	}
	var manifest struct {
		Player   string
		Controls []string
	}
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return err
	}
	facade, err := gzipped(filepath.Join(dist, "player.js"))
	if err != nil {
		return err
	}
	var player float64
	for _, name := range append(manifest.Controls, manifest.Player) {
		size, err := gzipped(filepath.Join(dist, "assets", name))
		if err != nil {
			return err
		}
		player += size
	}
	// Peers' weights as measured from their npm packages, minified, gzip -9.
	if err := b.report(Measure{Name: "facade_gz", Ours: facade, Peer: 2457, Unit: "bytes", Goal: 1, Note: "before intent; peer lite-youtube-embed 0.3.4 js+css"}, false); err != nil {
		return err
	}
	return b.report(Measure{Name: "player_gz", Ours: facade + player, Peer: 176587, Unit: "bytes", Goal: 0.96, Note: "facade, engine and controls to the first play; peer @wistia/wistia-player 0.6.22"}, false)
}

func gzipped(path string) (float64, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return 0, err
	}
	if _, err := w.Write(raw); err != nil {
		return 0, err
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	return float64(out.Len()), nil
}
