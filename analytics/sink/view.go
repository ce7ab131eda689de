package sink

import (
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/warehouse"
)

// MaxSpans is how many intervals of each kind (first-time, repeated) of a view
// are drawn; more of them come from no person, and a row must stay small.
const MaxSpans = warehouse.MaxSpans

// MaxActions is how many different actions of a view are kept.
const MaxActions = warehouse.MaxActions

// never is the time of what has not happened, in a column that keeps the minimum.
const never = math.MaxInt64

// ViewRow is what one batch adds to a view. Its tags name the columns of views.
type ViewRow struct {
	Account    string    `ch:"account_id"`
	Media      string    `ch:"media_id"`
	OpenedAt   time.Time `ch:"opened_at"`
	View       uuid.UUID `ch:"view_id"`
	Bot        uint8     `ch:"bot"`
	StartedAt  time.Time `ch:"started_at"`
	LastSeenAt time.Time `ch:"last_seen_at"`

	Visitor      string `ch:"visitor"`
	Identity     string `ch:"identity"`
	OptedOut     uint8  `ch:"opted_out"`
	BotReason    string `ch:"bot_reason"`
	PageURL      string `ch:"page_url"`
	Page         string `ch:"page"`
	Referrer     string `ch:"referrer"`
	ReferrerHost string `ch:"referrer_host"`
	UTMSource    string `ch:"utm_source"`
	UTMMedium    string `ch:"utm_medium"`
	UTMCampaign  string `ch:"utm_campaign"`
	UTMTerm      string `ch:"utm_term"`
	UTMContent   string `ch:"utm_content"`
	Variant      string `ch:"variant"`
	Language     string `ch:"language"`
	Country      string `ch:"country"`
	Device       string `ch:"device"`
	Browser      string `ch:"browser"`
	OS           string `ch:"os"`
	DurationMS   uint32 `ch:"duration_ms"`
	PlayerWidth  uint16 `ch:"player_width"`
	PlayerHeight uint16 `ch:"player_height"`
	ScreenWidth  uint16 `ch:"screen_width"`
	ScreenHeight uint16 `ch:"screen_height"`

	Batches        uint64 `ch:"batches"`
	Loads          uint64 `ch:"loads"`
	Plays          uint64 `ch:"plays"`
	Autoplays      uint64 `ch:"autoplays"`
	Pauses         uint64 `ch:"pauses"`
	Seeks          uint64 `ch:"seeks"`
	Ends           uint64 `ch:"ends"`
	RateChanges    uint64 `ch:"rate_changes"`
	WatchedMS      uint64 `ch:"watched_ms"`
	RewatchedMS    uint64 `ch:"rewatched_ms"`
	PlayingMS      uint64 `ch:"playing_ms"`
	MutedMS        uint64 `ch:"muted_ms"`
	FullscreenMS   uint64 `ch:"fullscreen_ms"`
	HiddenMS       uint64 `ch:"hidden_ms"`
	MaxWatchedToMS uint32 `ch:"max_watched_to_ms"`

	FirstLo    []uint32 `ch:"first_lo"`
	FirstHi    []uint32 `ch:"first_hi"`
	AgainLo    []uint32 `ch:"again_lo"`
	AgainHi    []uint32 `ch:"again_hi"`
	FirstSpans uint64   `ch:"first_spans"`
	AgainSpans uint64   `ch:"again_spans"`

	Startups   uint64 `ch:"startups"`
	StartupMS  uint64 `ch:"startup_ms"`
	PlayedAtMS int64  `ch:"played_at_ms"`
	Rebuffers  uint64 `ch:"rebuffers"`
	RebufferMS uint64 `ch:"rebuffer_ms"`
	SeekWaits  uint64 `ch:"seek_waits"`
	SeekWaitMS uint64 `ch:"seek_wait_ms"`
	Upshifts   uint64 `ch:"upshifts"`
	Downshifts uint64 `ch:"downshifts"`
	TopHeight  uint16 `ch:"top_height"`

	Errors         uint64 `ch:"errors"`
	FatalErrors    uint64 `ch:"fatal_errors"`
	BusinessErrors uint64 `ch:"business_errors"`
	ErrorCode      string `ch:"error_code"`

	SampledMS      uint64 `ch:"sampled_ms"`
	BitrateMS      uint64 `ch:"bitrate_ms"` // kilobits a second, times ms
	UpscaleMS      uint64 `ch:"upscale_ms"` // percent, times ms
	UpscaleMax     uint32 `ch:"upscale_max"`
	DownscaleMS    uint64 `ch:"downscale_ms"`
	DownscaleMax   uint32 `ch:"downscale_max"`
	Frames         uint64 `ch:"frames"`
	DroppedFrames  uint64 `ch:"dropped_frames"`
	Requests       uint64 `ch:"requests"`
	RequestsFailed uint64 `ch:"requests_failed"`
	RequestBytes   uint64 `ch:"request_bytes"`
	TTFBMS         uint64 `ch:"ttfb_ms"`

	Actions []string `ch:"actions"` // type, id and verb, joined by ActionSeparator
}

// ActionSeparator joins the parts of an action; ids of actions do not hold it
// but by ill will, which then misnames its own action.
const ActionSeparator = "\x1f"

// newViewRow begins the row of a view's first record of a batch.
func newViewRow(key ViewKey, r *beacon.Record) *ViewRow {
	v := &ViewRow{
		Account: key.Account, Media: key.Media, View: key.View, OpenedAt: Opened(key.View),
		StartedAt: utc(r.Events[0].AtMS), PlayedAtMS: never,
		FirstLo: []uint32{}, FirstHi: []uint32{}, AgainLo: []uint32{}, AgainHi: []uint32{}, Actions: []string{},
	}
	if r.Bot {
		v.Bot = 1
	}
	return v
}

// Opened returns when a view was opened: the time in its id, which the server
// issued, or 1970 for an id that is not of UUID version 7.
func Opened(view uuid.UUID) time.Time {
	if view.Version() != 7 {
		return time.Unix(0, 0).UTC()
	}
	ms := int64(0)
	for _, b := range view[:6] {
		ms = ms<<8 | int64(b)
	}
	return utc(ms)
}

// add counts one record into the row. before is what is known of the view from
// earlier batches.
func (v *ViewRow) add(r *beacon.Record, before *ViewState) {
	v.Batches++
	v.Visitor, v.Identity, v.Country = max(v.Visitor, r.Visitor), max(v.Identity, r.Identity), max(v.Country, r.Country)
	v.BotReason = max(v.BotReason, r.BotReason)
	if r.OptedOut {
		v.OptedOut = 1
	}
	v.Device, v.Browser, v.OS = max(v.Device, r.Device), max(v.Browser, r.Browser), max(v.OS, r.OS)
	v.DurationMS = max(v.DurationMS, uint32(r.DurationMS))
	if p := r.Page; p != nil {
		v.PageURL, v.Referrer, v.Language = max(v.PageURL, p.URL), max(v.Referrer, p.Referrer), max(v.Language, p.Language)
		v.Page, v.ReferrerHost = max(v.Page, page(p.URL)), max(v.ReferrerHost, host(p.Referrer))
		v.UTMSource, v.UTMMedium, v.UTMCampaign = max(v.UTMSource, p.UTMSource), max(v.UTMMedium, p.UTMMedium), max(v.UTMCampaign, p.UTMCampaign)
		v.UTMTerm, v.UTMContent, v.Variant = max(v.UTMTerm, p.UTMTerm), max(v.UTMContent, p.UTMContent), max(v.Variant, p.Variant)
		v.ScreenWidth, v.ScreenHeight = max(v.ScreenWidth, uint16(p.ScreenWidth)), max(v.ScreenHeight, uint16(p.ScreenHeight))
		v.PlayerWidth, v.PlayerHeight = max(v.PlayerWidth, uint16(p.PlayerWidth)), max(v.PlayerHeight, uint16(p.PlayerHeight))
	}
	for i := range r.Events {
		e := &r.Events[i]
		if at := utc(e.AtMS); at.Before(v.StartedAt) {
			v.StartedAt = at
		}
		if at := utc(e.AtMS); at.After(v.LastSeenAt) {
			v.LastSeenAt = at
		}
		v.addEvent(e, r.DurationMS, before)
	}
}

func (v *ViewRow) addEvent(e *beacon.Event, durationMS int64, before *ViewState) {
	switch e.Kind {
	case beacon.KindLoad:
		v.Loads++
	case beacon.KindPlay:
		v.Plays++
		v.PlayedAtMS = min(v.PlayedAtMS, e.AtMS)
		if e.Autoplay {
			v.Autoplays++
		}
	case beacon.KindPause:
		v.Pauses++
	case beacon.KindSeek:
		v.Seeks++
	case beacon.KindEnd:
		v.Ends++
	case beacon.KindWatch:
		v.addWatch(e, durationMS, before)
	case beacon.KindStartup:
		v.Startups++
		v.StartupMS += uint64(e.TookMS)
	case beacon.KindRebuffer:
		v.Rebuffers++
		v.RebufferMS += uint64(e.TookMS)
	case beacon.KindSeekWait:
		v.SeekWaits++
		v.SeekWaitMS += uint64(e.TookMS)
	case beacon.KindRate:
		v.RateChanges++
	case beacon.KindRung:
		v.TopHeight = max(v.TopHeight, uint16(e.Height))
		switch e.Shift {
		case beacon.ShiftUp:
			v.Upshifts++
		case beacon.ShiftDown:
			v.Downshifts++
		}
	case beacon.KindQuality:
		v.addQuality(e)
	case beacon.KindRequests:
		v.Requests, v.RequestsFailed = v.Requests+uint64(e.Requests), v.RequestsFailed+uint64(e.Failed)
		v.RequestBytes, v.TTFBMS = v.RequestBytes+uint64(e.Bytes), v.TTFBMS+uint64(e.TTFBMS)
	case beacon.KindError:
		v.Errors++
		switch e.Severity {
		case beacon.SeverityFatal:
			v.FatalErrors++
			v.ErrorCode = max(v.ErrorCode, e.Code)
		case beacon.SeverityBusiness:
			v.BusinessErrors++
		}
	case beacon.KindAction:
		action := e.Type + ActionSeparator + e.ID + ActionSeparator + e.Verb
		if before.Actions+uint64(len(v.Actions)) < MaxActions && !slices.Contains(v.Actions, action) {
			v.Actions = append(v.Actions, action)
		}
	}
}

// addQuality counts one sample of how playback looked.
func (v *ViewRow) addQuality(e *beacon.Event) {
	v.SampledMS += uint64(e.PlayedMS)
	v.BitrateMS += uint64(e.BitrateBPS) / 1000 * uint64(e.PlayedMS)
	v.UpscaleMS += weigh(e.UpscaleAvgPct, e.PlayedMS)
	v.DownscaleMS += weigh(e.DownscaleAvgPct, e.PlayedMS)
	v.UpscaleMax, v.DownscaleMax = max(v.UpscaleMax, uint32(weigh(e.UpscaleMaxPct, 1))), max(v.DownscaleMax, uint32(weigh(e.DownscaleMaxPct, 1)))
	v.TopHeight = max(v.TopHeight, uint16(e.Height))
	v.Frames, v.DroppedFrames = v.Frames+uint64(e.Frames), v.DroppedFrames+uint64(e.DroppedFrames)
}

// weigh multiplies as the warehouse does, which keeps percentages as Float32.
func weigh(percent float64, ms int64) uint64 {
	return uint64(math.Floor(float64(float32(percent))*float64(ms) + 0.5))
}

// addWatch counts one interval, and draws it unless the view has too many.
func (v *ViewRow) addWatch(e *beacon.Event, durationMS int64, before *ViewState) {
	// Slower than a 20th is no playback; the warehouse keeps rates as Float32.
	played := uint64(math.Floor(float64(e.ToMS-e.FromMS)/max(float64(float32(e.Rate)), 0.05) + 0.5))
	v.PlayingMS += played
	for _, condition := range []struct {
		holds bool
		sum   *uint64
	}{{e.Muted, &v.MutedMS}, {e.Fullscreen, &v.FullscreenMS}, {e.Hidden, &v.HiddenMS}} {
		if condition.holds {
			*condition.sum += played
		}
	}
	v.MaxWatchedToMS = max(v.MaxWatchedToMS, uint32(e.ToMS))
	lo, hi := beacon.Cells(beacon.Span{From: e.FromMS, To: e.ToMS}, durationMS)
	if e.Repeat {
		v.RewatchedMS += uint64(e.ToMS - e.FromMS)
		if lo < hi && before.AgainSpans+v.AgainSpans < MaxSpans {
			v.AgainLo, v.AgainHi = append(v.AgainLo, uint32(lo)), append(v.AgainHi, uint32(hi))
			v.AgainSpans++
		}
		return
	}
	v.WatchedMS += uint64(e.ToMS - e.FromMS)
	if lo < hi && before.FirstSpans+v.FirstSpans < MaxSpans {
		v.FirstLo, v.FirstHi = append(v.FirstLo, uint32(lo)), append(v.FirstHi, uint32(hi))
		v.FirstSpans++
	}
}

// ViewState is what a view has come to, as far as the figures need it. Its tags
// name columns of views.
type ViewState struct {
	Bot            uint8  `ch:"bot"`
	Batches        uint64 `ch:"batches"`
	Visitor        string `ch:"visitor"`
	Identity       string `ch:"identity"`
	Page           string `ch:"page"`
	ReferrerHost   string `ch:"referrer_host"`
	UTMSource      string `ch:"utm_source"`
	UTMMedium      string `ch:"utm_medium"`
	UTMCampaign    string `ch:"utm_campaign"`
	Country        string `ch:"country"`
	Device         string `ch:"device"`
	Browser        string `ch:"browser"`
	DurationMS     uint32 `ch:"duration_ms"`
	Plays          uint64 `ch:"plays"`
	Ends           uint64 `ch:"ends"`
	WatchedMS      uint64 `ch:"watched_ms"`
	RewatchedMS    uint64 `ch:"rewatched_ms"`
	MaxWatchedToMS uint32 `ch:"max_watched_to_ms"`
	FirstSpans     uint64 `ch:"first_spans"`
	AgainSpans     uint64 `ch:"again_spans"`
	Actions        uint64 `ch:"action_count"` // of different ones; fewer than are kept twice
}

// with returns s after v.
func (s ViewState) with(v *ViewRow) ViewState {
	s.Batches += v.Batches
	s.Identity = max(s.Identity, v.Identity)
	s.Actions += uint64(len(v.Actions))
	s.Visitor, s.Page, s.ReferrerHost = max(s.Visitor, v.Visitor), max(s.Page, v.Page), max(s.ReferrerHost, v.ReferrerHost)
	s.UTMSource, s.UTMMedium, s.UTMCampaign = max(s.UTMSource, v.UTMSource), max(s.UTMMedium, v.UTMMedium), max(s.UTMCampaign, v.UTMCampaign)
	s.Country, s.Device, s.Browser = max(s.Country, v.Country), max(s.Device, v.Device), max(s.Browser, v.Browser)
	s.DurationMS, s.MaxWatchedToMS = max(s.DurationMS, v.DurationMS), max(s.MaxWatchedToMS, v.MaxWatchedToMS)
	s.Plays, s.Ends = s.Plays+v.Plays, s.Ends+v.Ends
	s.WatchedMS, s.RewatchedMS = s.WatchedMS+v.WatchedMS, s.RewatchedMS+v.RewatchedMS
	s.FirstSpans, s.AgainSpans = s.FirstSpans+v.FirstSpans, s.AgainSpans+v.AgainSpans
	return s
}

func (s *ViewState) played() bool { return s.Plays > 0 || s.WatchedMS+s.RewatchedMS > 0 }

func (s *ViewState) finished() bool {
	return s.played() && (s.Ends > 0 || s.MaxWatchedToMS+2000 >= s.DurationMS)
}

// exit returns the second at which the view was left: the furthest one watched.
// A view that was watched to the end, or not at all, was not left anywhere.
func (s *ViewState) exit() (cell uint32, ok bool) {
	if s.MaxWatchedToMS == 0 || s.finished() {
		return 0, false
	}
	return (s.MaxWatchedToMS - 1) / 1000, true
}

// page returns a page's address without query and fragment, by which views are
// told apart: what follows is about the visit, not the page.
func page(address string) string {
	if end := strings.IndexAny(address, "?#"); end >= 0 {
		return strings.Clone(address[:end]) // it is remembered: without what followed
	}
	return address
}

// host returns the host of an address, in lower case, or "" when it has none.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.Clone(u.Hostname()))
}
