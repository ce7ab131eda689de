package player

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"

	"github.com/vitascope/vitascope/internal/playback"
)

// arm is what of an experiment a viewer is shown.
type arm struct {
	variant string // in figures; empty when nothing is compared
	poster  string
}

// choose picks the viewer's arm of the media's experiment and gives m what it has. The
// same viewer gets the same arm each time, and nothing is kept for it, here or in the
// browser: the arm follows from a keyed hash of the signed identity or, of viewers whom
// nobody names, of network and browser, which are what a day's visitors are counted by.
// An arm that cannot be shown is passed over, uncounted.
func (h *Handler) choose(ctx context.Context, m *media, addr, agent string, viewer *playback.Viewer) arm {
	if m.arms == nil || len(m.arms.Arms) == 0 {
		return arm{}
	}
	who := "network\x00" + network(addr) + "\x00" + agent
	if viewer != nil {
		who = "viewer\x00" + viewer.ID
	}
	at := 0
	if n := len(m.arms.Arms); n > 1 {
		at = int(pick(h.keys.ViewToken, m.arms.ID, who) % uint64(n))
	}
	a := m.arms.Arms[at]
	if a.Media != "" {
		other, err := h.lookUp(ctx, a.Media)
		if err != nil || other.pointer == nil || other.account != m.account || !other.access.Open() || !m.access.Open() {
			h.log.WarnContext(ctx, "arm of an experiment cannot be shown", "media_id", m.id, "experiment_id", m.arms.ID, "err", err)
			return arm{}
		}
		other.arms = m.arms
		*m = other
	}
	if a.Poster != "" && !h.isMade(ctx, *m, a.Poster) {
		return arm{}
	}
	if len(a.Player) > 0 {
		m.player = a.Player
	}
	chosen := arm{poster: a.Poster}
	if len(m.arms.Arms) > 1 {
		chosen.variant = m.arms.ID + ":" + a.Key
	}
	return chosen
}

// isMade tells whether a poster is there to be shown: an arm's is made in the moments
// after its experiment has begun.
func (h *Handler) isMade(ctx context.Context, m media, poster string) bool {
	if m.pointer == nil {
		return false
	}
	f, err := h.find(ctx, *m.pointer, poster)
	if err != nil {
		h.log.DebugContext(ctx, "poster of an arm is not there", "media_id", m.id, "experiment_id", m.arms.ID, "err", err)
		return false
	}
	f.object.Close()
	return true
}

// pick returns a number that says nothing of who it is for.
func pick(key []byte, experiment, who string) uint64 {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("experiment\x00" + experiment + "\x00" + who))
	return binary.BigEndian.Uint64(mac.Sum(nil))
}

// network is the address, or the /64 that one subscriber gets.
func network(addr string) string {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return addr
	}
	if a = a.Unmap(); a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
