package main

import (
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/Eyevinn/hls-m3u8/m3u8"
)

// rung is a published rendition of the picture.
type rung struct {
	url    string
	source bool // the upload itself
}

// fetch reads an address.
func fetch(address string) (string, error) {
	res, err := http.Get(address)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s", address, res.Status)
	}
	return string(body), nil
}

// variants reads a media's multivariant playlist.
func (s *server) variants(id string) (base string, variants []*m3u8.Variant, err error) {
	var m struct {
		URL string `json:"hls_url"`
	}
	if err := s.get("/v1/media/"+id, &m); err != nil {
		return "", nil, err
	}
	text, err := fetch(m.URL)
	if err != nil {
		return "", nil, err
	}
	list, _, err := m3u8.DecodeFrom(strings.NewReader(text), false)
	if err != nil {
		return "", nil, err
	}
	master, ok := list.(*m3u8.MasterPlaylist)
	if !ok || len(master.Variants) == 0 {
		return "", nil, fmt.Errorf("%s is no multivariant playlist", m.URL)
	}
	return m.URL, master.Variants, nil
}

// begin fetches what a player does before it shows the first picture: playlists,
// init segment and first segment of the first variant.
func (s *server) begin(id string) error {
	base, variants, err := s.variants(id)
	if err != nil {
		return err
	}
	address, err := resolve(base, variants[0].URI)
	if err != nil {
		return err
	}
	text, err := fetch(address)
	if err != nil {
		return err
	}
	list, _, err := m3u8.DecodeFrom(strings.NewReader(text), false)
	if err != nil {
		return err
	}
	media, ok := list.(*m3u8.MediaPlaylist)
	if !ok || media.Map == nil || media.Count() == 0 {
		return fmt.Errorf("%s is no media playlist with segments", address)
	}
	for _, uri := range []string{media.Map.URI, media.Segments[0].URI} {
		part, err := resolve(address, uri)
		if err != nil {
			return err
		}
		if _, err := fetch(part); err != nil {
			return err
		}
	}
	return nil
}

// rungs are a media's variants of H.264 by their short side.
func (s *server) rungs(id string) (map[string]rung, error) {
	base, variants, err := s.variants(id)
	if err != nil {
		return nil, err
	}
	rungs := map[string]rung{}
	for _, v := range variants {
		if v.Iframe || !strings.HasPrefix(v.Codecs, "avc1") {
			continue
		}
		_, height, _ := strings.Cut(v.Resolution, "x")
		address, err := resolve(base, v.URI)
		if err != nil {
			return nil, err
		}
		rungs[height] = rung{url: address, source: strings.Contains(v.URI, "/source/")}
	}
	return rungs, nil
}

func resolve(base, reference string) (string, error) {
	from, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	to, err := from.Parse(reference)
	if err != nil {
		return "", err
	}
	return to.String(), nil
}

func keys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }
