package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

var structural = regexp.MustCompile(`All:([0-9.]+)`)

// similarity is the SSIM of a rendition beside its source, scaled to its size, over
// the first 10 s.
func (b *bench) similarity(playlist, source string) (float64, error) {
	graph := "[1:v]fps=30:start_time=0[s];[s][0:v]scale2ref=flags=bicubic[want][is];[is][want]ssim"
	out, err := exec.CommandContext(b.ctx, "ffmpeg", "-nostdin", "-hide_banner", "-t", "10", "-allowed_extensions", "ALL", "-i", playlist, "-t", "10", "-i", source,
		"-filter_complex", graph, "-f", "null", "-").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("ssim of %s: %w\n%s", playlist, err, out)
	}
	found := structural.FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("ssim of %s: no figure in\n%s", playlist, out)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}
