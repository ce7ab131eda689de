package transcode

import (
	"context"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"

	"github.com/Eyevinn/hls-m3u8/m3u8"

	"github.com/vitascope/vitascope/internal/catalog"
)

// An I-frame playlist lets a player show pictures while it winds or scrubs. It
// names the keyframes, one each 2 s, as byte ranges of the segments that are there
// anyway (RFC 8216bis, 4.4.3.6).

func iframeKey(folder string) string { return path.Join(folder, "iframes.m3u8") }

// iframePlaylist is the I-frame playlist of a rendition and its peak rate in bits
// per second; nil when nothing is known of its keyframes.
func iframePlaylist(o *output, uri func(folder string) string) (playlist []byte, peak int, err error) {
	type picture struct {
		file              string
		at, offset, bytes int64
	}
	var pictures []picture
	start := int64(0)
	for _, s := range o.segments {
		for _, f := range s.iframes {
			pictures = append(pictures, picture{uri(s.folder) + strconv.Itoa(s.n) + ".m4s", start + f.At, f.Offset, f.Bytes})
		}
		start += s.duration
	}
	if len(pictures) == 0 {
		return nil, 0, nil
	}
	p, err := m3u8.NewMediaPlaylist(0, uint(len(pictures)))
	if err != nil {
		return nil, 0, fmt.Errorf("I-frame playlist: %w", err)
	}
	p.MediaType = m3u8.VOD
	p.SetIframeOnly()
	p.SetIndependentSegments(true)
	p.SetDefaultMap(uri(o.folder)+"init.mp4", 0, 0)
	p.SetWritePrecision(6)
	longest := 0.0
	for i, f := range pictures {
		end := start
		if i+1 < len(pictures) {
			end = pictures[i+1].at
		}
		seconds := float64(end-f.at) / float64(o.timescale)
		longest = max(longest, seconds)
		if seconds > gopSeconds/2.0 { // the rest of a media is no measure
			peak = max(peak, int(math.Ceil(float64(f.bytes)*8/seconds)))
		}
		if err := p.Append(f.file, seconds, ""); err != nil {
			return nil, 0, fmt.Errorf("I-frame playlist: %w", err)
		}
		if err := p.SetRange(f.bytes, f.offset); err != nil {
			return nil, 0, fmt.Errorf("I-frame playlist: %w", err)
		}
		if peak == 0 {
			peak = int(math.Ceil(float64(f.bytes) * 8 / max(seconds, 0.001)))
		}
	}
	p.SetTargetDuration(uint(math.Ceil(longest)))
	p.SetVersion(playlistVersion)
	p.Close()
	return slices.Clone(p.Encode().Bytes()), peak, nil
}

// putIframes stores the I-frame playlist of a video rendition beside its media
// playlist, and notes its rate in the row.
func (s *Service) putIframes(ctx context.Context, m catalog.Media, r *shownRendition) error {
	if r.row.Kind != catalog.RenditionVideo {
		return nil
	}
	playlist, peak, err := iframePlaylist(r.output, func(folder string) string { return fromPlaylist(m, folder) })
	if err != nil || playlist == nil {
		return err
	}
	r.row.IframeBandwidthBPS = peak
	return s.store.PutBytes(ctx, iframeKey(r.row.OutputPrefix), playlist, typePlaylist)
}

// addIframes names the I-frame playlists of video renditions. uri gives a media
// playlist, beside which they lie.
func addIframes(p *m3u8.MasterPlaylist, videos []catalog.Rendition, uri func(catalog.Rendition) string) {
	for _, v := range videos {
		if v.IframeBandwidthBPS == 0 {
			continue
		}
		p.Append(iframeKey(path.Dir(uri(v))), nil, m3u8.VariantParams{
			Iframe: true, Bandwidth: uint32(v.IframeBandwidthBPS), Codecs: v.Codecs,
			Resolution: fmt.Sprintf("%dx%d", v.Width, v.Height), VideoRange: "SDR",
		})
	}
}
