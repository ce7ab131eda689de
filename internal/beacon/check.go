package beacon

import "slices"

// Client times outside these Unix milliseconds are nonsense, not skew.
const (
	minTimeMS = 1_577_836_800_000 // 2020-01-01
	maxTimeMS = 4_102_444_800_000 // 2100-01-01
)

func badTime(ms int64) bool                 { return ms < minTimeMS || ms > maxTimeMS }
func badSide(n int) bool                    { return n < 0 || n > MaxPlayerSide }
func badMedia(ms int64) bool                { return ms < 0 || ms > MaxMediaMS }
func badPercent(p float64) bool             { return !(p >= 0 && p <= MaxPercent) }
func outside(n, most int64) bool            { return n < 0 || n > most }
func knownWord(w string, in ...string) bool { return slices.Contains(in, w) }

// check validates the fields the kind uses and drops the others, so that two
// batches which mean the same are the same.
func (e *Event) check(i int) error {
	if badTime(e.AtMS) {
		return refuse(CodeTime, "event %d: at_ms is missing or not a present-day time", i)
	}
	in := *e
	*e = Event{Kind: in.Kind, AtMS: in.AtMS}
	if badMedia(in.PosMS) && in.Kind.hasPosition() {
		return refuse(CodePosition, "event %d: pos_ms is outside 0 to %d", i, MaxMediaMS)
	}
	if badMedia(in.TookMS) && in.Kind.hasWait() {
		return refuse(CodeTook, "event %d: took_ms is outside 0 to %d", i, MaxMediaMS)
	}
	if in.Kind.hasPosition() {
		e.PosMS = in.PosMS
	}
	if in.Kind.hasWait() {
		e.TookMS = in.TookMS
	}
	switch in.Kind {
	case KindLoad, KindPause, KindEnd, KindStartup, KindStall, KindRebuffer, KindSeekWait:
		return nil
	case KindPlay:
		e.Autoplay = in.Autoplay
		return nil
	case KindSeek:
		if badMedia(in.FromMS) || badMedia(in.ToMS) {
			return refuse(CodePosition, "event %d: from_ms or to_ms is outside 0 to %d", i, MaxMediaMS)
		}
		e.FromMS, e.ToMS = in.FromMS, in.ToMS
		return nil
	case KindWatch:
		return e.takeWatch(&in, i)
	case KindRate:
		return e.takeRate(&in, i)
	case KindRung:
		return e.takeRung(&in, i)
	case KindQuality:
		return e.takeQuality(&in, i)
	case KindRequests:
		return e.takeRequests(&in, i)
	case KindError:
		return e.takeError(&in, i)
	case KindAction:
		return e.takeAction(&in, i)
	}
	return refuse(CodeKind, "event %d has a kind this server does not know", i)
}

func (k Kind) hasPosition() bool {
	switch k {
	case KindPlay, KindPause, KindEnd, KindStall, KindRebuffer, KindSeekWait, KindRate, KindRung, KindError, KindAction:
		return true
	}
	return false
}

func (k Kind) hasWait() bool {
	switch k {
	case KindStartup, KindRebuffer, KindSeekWait, KindRequests:
		return true
	}
	return false
}

func (e *Event) takeWatch(in *Event, i int) error {
	if badMedia(in.FromMS) || badMedia(in.ToMS) || in.FromMS >= in.ToMS {
		return refuse(CodeInterval, "event %d: from_ms must be before to_ms, both within 0 to %d", i, MaxMediaMS)
	}
	e.FromMS, e.ToMS, e.Repeat = in.FromMS, in.ToMS, in.Repeat
	e.Muted, e.Fullscreen, e.Hidden = in.Muted, in.Fullscreen, in.Hidden
	return e.takeRate(in, i)
}

func (e *Event) takeRate(in *Event, i int) error {
	if !(in.Rate > 0 && in.Rate <= MaxRate) {
		return refuse(CodeRate, "event %d: rate must be above 0, at most %d", i, MaxRate)
	}
	e.Rate = in.Rate
	return nil
}

func (e *Event) takeRung(in *Event, i int) error {
	switch {
	case badSide(in.Height) || outside(in.BitrateBPS, MaxBitrate):
		return refuse(CodeQuality, "event %d: height is outside 0 to %d or bitrate_bps outside 0 to %d", i, MaxPlayerSide, int64(MaxBitrate))
	case !knownWord(in.Shift, ShiftFirst, ShiftUp, ShiftDown):
		return refuse(CodeQuality, "event %d: shift must be first, up or down", i)
	}
	e.Height, e.BitrateBPS, e.Shift = in.Height, in.BitrateBPS, in.Shift
	return nil
}

func (e *Event) takeQuality(in *Event, i int) error {
	switch {
	case outside(in.PlayedMS, MaxMediaMS):
		return refuse(CodeQuality, "event %d: played_ms is outside 0 to %d", i, MaxMediaMS)
	case outside(in.Frames, MaxFrames) || outside(in.DroppedFrames, MaxFrames):
		return refuse(CodeQuality, "event %d: frames or dropped_frames is outside 0 to %d", i, MaxFrames)
	case badPercent(in.UpscaleAvgPct) || badPercent(in.UpscaleMaxPct) || badPercent(in.DownscaleAvgPct) || badPercent(in.DownscaleMaxPct):
		return refuse(CodeQuality, "event %d: a scaling is outside 0 to %d percent", i, MaxPercent)
	case outside(in.BitrateBPS, MaxBitrate) || badSide(in.Height):
		return refuse(CodeQuality, "event %d: height is outside 0 to %d or bitrate_bps outside 0 to %d", i, MaxPlayerSide, int64(MaxBitrate))
	}
	e.PlayedMS, e.Frames, e.DroppedFrames = in.PlayedMS, in.Frames, in.DroppedFrames
	e.UpscaleAvgPct, e.UpscaleMaxPct = in.UpscaleAvgPct, in.UpscaleMaxPct
	e.DownscaleAvgPct, e.DownscaleMaxPct = in.DownscaleAvgPct, in.DownscaleMaxPct
	e.Height, e.BitrateBPS = in.Height, in.BitrateBPS
	return nil
}

func (e *Event) takeRequests(in *Event, i int) error {
	switch {
	case outside(in.Requests, MaxRequests) || outside(in.Failed, in.Requests):
		return refuse(CodeRequests, "event %d: requests is outside 0 to %d or failed is more", i, MaxRequests)
	case outside(in.Bytes, MaxBytes) || badMedia(in.TTFBMS) || badMedia(in.BufferMS) || outside(in.ThroughputBPS, MaxBitrate):
		return refuse(CodeRequests, "event %d: bytes, ttfb_ms, buffer_ms or throughput_bps is out of range", i)
	}
	e.Requests, e.Failed, e.Bytes = in.Requests, in.Failed, in.Bytes
	e.TTFBMS, e.BufferMS, e.ThroughputBPS = in.TTFBMS, in.BufferMS, in.ThroughputBPS
	return nil
}

func (e *Event) takeError(in *Event, i int) error {
	switch {
	case in.Code == "":
		return refuse(CodeFieldMissing, "event %d: an error needs a code", i)
	case len(in.Code) > MaxCodeLen:
		return refuse(CodeFieldTooLong, "event %d: code is longer than %d bytes", i, MaxCodeLen)
	}
	switch in.Severity {
	case SeverityFatal, SeverityWarning, SeverityBusiness:
		e.Severity = in.Severity
	case "": // players before severity was told
		e.Severity = SeverityWarning
		if in.Fatal {
			e.Severity = SeverityFatal
		}
	default:
		return refuse(CodeSeverity, "event %d: severity must be fatal, warning or business", i)
	}
	e.Fatal = e.Severity == SeverityFatal
	e.Code, e.Message = in.Code, cut(in.Message, MaxMessageLen)
	return nil
}

func (e *Event) takeAction(in *Event, i int) error {
	switch {
	case !slices.Contains(actionTypes, in.Type):
		return refuse(CodeAction, "event %d: type is not an action this server knows", i)
	case !slices.Contains(actionVerbs, in.Verb):
		return refuse(CodeAction, "event %d: verb is not one this server knows", i)
	case in.ID == "":
		return refuse(CodeFieldMissing, "event %d: an action needs an id", i)
	case len(in.ID) > MaxIDLen:
		return refuse(CodeFieldTooLong, "event %d: id is longer than %d bytes", i, MaxIDLen)
	}
	e.Type, e.ID, e.Verb, e.Content = in.Type, in.ID, in.Verb, cut(in.Content, MaxTextLen)
	return nil
}

// Read for every action event: not made anew each time.
var actionTypes, actionVerbs = ActionTypes(), ActionVerbs()
