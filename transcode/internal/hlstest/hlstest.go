// Package hlstest reads a published presentation over HTTP as a viewer's player
// gets it, to be judged by tests: playlists with a parser that the product does not
// use (gohlslib), init and media segments down to their samples. It is not for use
// outside tests.
package hlstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/bluenviron/gohlslib/v2/pkg/playlist"
	"github.com/bluenviron/gohlslib/v2/pkg/playlist/primitives"
)

// Presentation is a multivariant playlist and all that it leads to.
type Presentation struct {
	*Resource
	List     playlist.Multivariant
	Variants []Variant // in the playlist's order
	Audio    []Rendition
	Subtitle []Rendition
	IFrames  []Variant // EXT-X-I-FRAME-STREAM-INF
}

// Variant is a variant stream, with all of its attributes as they stand there.
type Variant struct {
	Attributes primitives.Attributes
	Track      *Track
}

// Rendition is an alternative rendition (EXT-X-MEDIA).
type Rendition struct {
	Attributes primitives.Attributes
	Track      *Track
}

// Resource is what an address answered.
type Resource struct {
	URL    string
	Header http.Header
	Body   []byte
}

// reader fetches each address once.
type reader struct {
	client *http.Client
	tracks map[string]*Track
	inits  map[string]*Resource
}

// Read reads the presentation at an address.
func Read(ctx context.Context, address string) (*Presentation, error) {
	r := &reader{tracks: map[string]*Track{}, inits: map[string]*Resource{}, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("media is redirected") },
	}}
	top, err := r.get(ctx, address, "")
	if err != nil {
		return nil, err
	}
	p := &Presentation{Resource: top}
	if err := p.List.Unmarshal(top.Body); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", address, err, top.Body)
	}
	lines := strings.Split(string(top.Body), "\n")
	for i, line := range lines {
		tag, text, _ := strings.Cut(line, ":")
		if tag != "#EXT-X-STREAM-INF" && tag != "#EXT-X-MEDIA" && tag != "#EXT-X-I-FRAME-STREAM-INF" {
			continue
		}
		var attributes primitives.Attributes
		if err := attributes.Unmarshal(text); err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		uri := attributes["URI"]
		if tag == "#EXT-X-STREAM-INF" && i+1 < len(lines) {
			uri = lines[i+1]
		}
		track, err := r.track(ctx, p.resolve(uri))
		if err != nil {
			return nil, err
		}
		switch {
		case tag == "#EXT-X-STREAM-INF":
			p.Variants = append(p.Variants, Variant{attributes, track})
		case tag == "#EXT-X-I-FRAME-STREAM-INF":
			p.IFrames = append(p.IFrames, Variant{attributes, track})
		case attributes["TYPE"] == "AUDIO":
			p.Audio = append(p.Audio, Rendition{attributes, track})
		case attributes["TYPE"] == "SUBTITLES":
			p.Subtitle = append(p.Subtitle, Rendition{attributes, track})
		}
	}
	return p, nil
}

// Video are the distinct tracks of the variants that have a picture.
func (p *Presentation) Video() []*Track {
	var tracks []*Track
	for _, v := range p.Variants {
		if v.Track.Kind == Video {
			tracks = append(tracks, v.Track)
		}
	}
	return tracks
}

// Sound are the audio tracks: the renditions, or the variants of sound alone.
func (p *Presentation) Sound() []*Track {
	var tracks []*Track
	for _, a := range p.Audio {
		tracks = append(tracks, a.Track)
	}
	for _, v := range p.Variants {
		if v.Track.Kind == Audio {
			tracks = append(tracks, v.Track)
		}
	}
	return tracks
}

// resolve makes a reference absolute, as RFC 3986 has it.
func (r *Resource) resolve(reference string) string {
	base, err := url.Parse(r.URL)
	if err != nil {
		return reference
	}
	absolute, err := base.Parse(reference)
	if err != nil {
		return reference
	}
	return absolute.String()
}

// get fetches an address, or a range of it. It accepts gzip, and unpacks it.
func (r *reader) get(ctx context.Context, address, span string) (*Resource, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	want := http.StatusOK
	if span != "" {
		request.Header.Set("Range", "bytes="+span)
		want = http.StatusPartialContent
	}
	response, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != want {
		return nil, fmt.Errorf("GET %s: %s: %s", address, response.Status, body)
	}
	if response.Uncompressed {
		response.Header.Set("Content-Encoding", "gzip") // the client took it off
	}
	return &Resource{URL: address, Header: response.Header, Body: body}, nil
}
