// Package sources makes the varied media that tests put through the product:
// containers, codecs and oddities, one small clip each. The table is sources.json,
// which the browser's tests read too. It is not for use outside tests.
//
// Every clip with a picture shows test patterns and turns white for a tenth of a
// second at each whole second; every clip with sound beeps at the same moments. So
// each tells whether sound and picture stayed together, and when.
package sources

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/Eyevinn/mp4ff/mp4"
)

//go:embed sources.json
var table []byte

// Source is one clip: how FFmpeg makes it and what must come of it.
type Source struct {
	Name string `json:"name"`
	File string `json:"file"`

	// What FFmpeg's test sources give, with defaults as [All] fills them in.
	Size        string  `json:"size"`
	Rate        string  `json:"rate"`
	Seconds     float64 `json:"seconds"`
	Filter      string  `json:"filter"`
	SoundLayout string  `json:"sound_layout"`
	SoundRate   int     `json:"sound_rate"`

	// Args encode inputs 0, the picture, 1, the sound, and 2, subtitles. Then are
	// further commands, each of which reads {in}, what the one before wrote. With
	// Join a second file, made by Args2, is put behind the first as it is.
	Args  string   `json:"args"`
	Args2 string   `json:"args2"`
	Then  []string `json:"then"`
	Join  bool     `json:"join"`
	// Patch rewrites the file: "co64".
	Patch string `json:"patch"`

	// Lasts is the duration in seconds, Seconds unless something is cut off.
	Lasts float64 `json:"lasts"`
	// Width and Height are the displayed size, FrameRate the output's, zero as the
	// source's; AnyRate says that it is not known before.
	Width     int     `json:"width"`
	Height    int     `json:"height"`
	FrameRate float64 `json:"frame_rate"`
	AnyRate   bool    `json:"any_rate"`
	// Flashes are the seconds at which the picture turns white and the sound beeps.
	Flashes []float64 `json:"flashes"`
	// Reference is what FFmpeg must do for a reference picture, such as yadif.
	Reference string `json:"reference"`
	HDR       bool   `json:"hdr"`
	Silent    bool   `json:"silent"`
	AudioOnly bool   `json:"audio_only"`
	Chapters  bool   `json:"chapters"`
	// Languages and Subtitles are those of its tracks, where they are tagged.
	Languages []string `json:"languages"`
	Subtitles []string `json:"subtitles"`

	// Play puts it among those that a browser plays in each run of the tests; Long
	// leaves it to the long form of all.
	Play bool `json:"play"`
	Long bool `json:"long"`
}

// All is the table.
func All() ([]Source, error) {
	var all []Source
	d := json.NewDecoder(bytes.NewReader(table))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf("sources.json: %w", err)
	}
	for i := range all {
		all[i].complete()
	}
	return all, nil
}

func (s *Source) complete() {
	orElse(&s.Size, "320x180")
	orElse(&s.Rate, "25")
	orElse(&s.Seconds, 7)
	orElse(&s.Lasts, s.Seconds)
	orElse(&s.SoundLayout, "stereo")
	orElse(&s.SoundRate, 48_000)
	if s.FrameRate == 0 && !s.AnyRate {
		s.FrameRate = ratio(s.Rate)
	}
	if s.Width == 0 {
		_, _ = fmt.Sscanf(s.Size, "%dx%d", &s.Width, &s.Height)
	}
	if s.Flashes == nil {
		s.Flashes = []float64{1, 2, 3, 4, 5, 6}
	}
}

func orElse[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

func ratio(text string) float64 {
	num, den, _ := strings.Cut(text, "/")
	n, _ := strconv.ParseFloat(num, 64)
	d, err := strconv.ParseFloat(den, 64)
	if err != nil {
		d = 1
	}
	return n / d
}

// inputs are the arguments that give FFmpeg picture, sound and subtitles.
func (s *Source) inputs(dir string) []string {
	picture := fmt.Sprintf("testsrc2=size=%s:rate=%s:duration=%g,drawbox=t=fill:color=white:enable='gte(t,0.9)*lt(mod(t+0.001,1),0.1)'", s.Size, s.Rate, s.Seconds)
	sound := fmt.Sprintf("aevalsrc='0.5*sin(2*PI*1000*t)*gte(t,0.9)*lt(mod(t,1),0.1)':s=%d:d=%g,aformat=channel_layouts=%s", s.SoundRate, s.Seconds, s.SoundLayout)
	if s.Filter != "" {
		picture += "," + s.Filter
	}
	args := []string{"-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound}
	if len(s.Subtitles) > 0 {
		args = append(args, "-i", filepath.Join(dir, "subtitles.srt"))
	}
	return args
}

const subtitles = "1\n00:00:01,000 --> 00:00:02,500\nHello <i>there</i>\n\n2\n00:00:03,000 --> 00:00:06,250\n- Two lines & more\n- of text\n"

const chapters = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=3000\ntitle=Intro\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=3000\nEND=7000\ntitle=The rest\n"

// Parts are the pieces that a file made by Join consists of.
func (s *Source) Parts(file string) []string {
	dir := filepath.Dir(file)
	return []string{filepath.Join(dir, "first-"+s.File), filepath.Join(dir, "second-"+s.File)}
}

// Make makes the clip in a folder of its own and returns its path.
func (s *Source) Make(ctx context.Context, dir string) (string, error) {
	for name, text := range map[string]string{"subtitles.srt": subtitles, "chapters.txt": chapters} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	file := filepath.Join(dir, s.File)
	if err := ffmpeg(ctx, append(append(s.inputs(dir), strings.Fields(s.Args)...), file)); err != nil {
		return "", err
	}
	if s.Join {
		if err := s.join(ctx, dir, file); err != nil {
			return "", err
		}
	}
	for i, step := range s.Then {
		in := file
		file = filepath.Join(dir, fmt.Sprintf("%d-%s", i+1, s.File))
		step = strings.NewReplacer("{in}", in, "{dir}", dir).Replace(step)
		if err := ffmpeg(ctx, append(strings.Fields(step), file)); err != nil {
			return "", err
		}
	}
	switch s.Patch {
	case "":
		return file, nil
	case "co64":
		return file, wideOffsets(file)
	}
	return "", fmt.Errorf("unknown patch %q", s.Patch)
}

func (s *Source) join(ctx context.Context, dir, file string) error {
	parts := s.Parts(file)
	if err := os.Rename(file, parts[0]); err != nil {
		return err
	}
	if err := ffmpeg(ctx, append(append(s.inputs(dir), strings.Fields(s.Args2)...), parts[1])); err != nil {
		return err
	}
	var whole []byte
	for _, part := range parts {
		content, err := os.ReadFile(part)
		if err != nil {
			return err
		}
		whole = append(whole, content...)
	}
	return os.WriteFile(file, whole, 0o600)
}

func ffmpeg(ctx context.Context, args []string) error {
	args = append([]string{"-hide_banner", "-nostdin", "-loglevel", "error", "-y"}, args...)
	if out, err := exec.CommandContext(ctx, "ffmpeg", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ffmpeg %q: %w: %s", args, err, out)
	}
	return nil
}

// wideOffsets turns the tables of chunk offsets of an MP4 whose index comes last
// into 64 bits, as recorders of long films write them.
func wideOffsets(file string) error {
	parsed, err := mp4.ReadMP4File(file)
	if err != nil {
		return err
	}
	if parsed.Moov == nil || parsed.Mdat == nil || parsed.Moov.StartPos < parsed.Mdat.StartPos {
		return errors.New("co64 needs an MP4 whose index comes last")
	}
	for _, trak := range parsed.Moov.Traks {
		table := trak.Mdia.Minf.Stbl
		wide := &mp4.Co64Box{}
		for _, offset := range table.Stco.ChunkOffset {
			wide.ChunkOffset = append(wide.ChunkOffset, uint64(offset))
		}
		for i, child := range table.Children {
			if child == mp4.Box(table.Stco) {
				table.Children[i] = wide
			}
		}
		table.Stco, table.Co64 = nil, wide
	}
	var out bytes.Buffer
	if err := parsed.Encode(&out); err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o600)
}
