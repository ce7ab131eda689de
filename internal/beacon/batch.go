package beacon

// Version is the schema version this package reads and writes.
const Version = 1

// Limits of one batch. A body past them is refused, except that page strings,
// which belong to the host page and not to the player, are cut to length.
const (
	MaxBody        = 64 << 10 // bytes; also what fetch keepalive and sendBeacon allow
	MaxEvents      = 200
	MaxSeq         = 1 << 20 // a batch each 10 s for 121 days
	MaxTokenLen    = 2048
	MaxURLLen      = 2048
	MaxTextLen     = 256
	MaxLanguageLen = 35 // RFC 5646 section 4.4.1
	MaxCodeLen     = 64
	MaxIDLen       = 64
	MaxMessageLen  = 1024
	MaxRate        = 16 // HTMLMediaElement.playbackRate stops there in Chromium
	// MaxPlayerSide bounds sizes of players, screens and renditions, in pixels.
	MaxPlayerSide = 1 << 15
	// MaxMediaMS bounds positions, intervals and waits: 7 days.
	MaxMediaMS = 7 * 24 * 3600 * 1000
	// MaxBitrate bounds bit rates and throughputs, in bits a second.
	MaxBitrate = 100_000_000_000
	// MaxFrames bounds frame counts of one event: 7 days at 240 a second.
	MaxFrames = MaxMediaMS / 1000 * 240
	// MaxPercent bounds scaling: a 16 times larger side.
	MaxPercent = 1600
	// MaxRequests bounds how many requests one event tells of.
	MaxRequests = 100_000
	// MaxBytes bounds the bytes one event tells of: 1 TiB.
	MaxBytes = 1 << 40
)

// Kind names what an event tells.
type Kind string

// The kinds of version 1.
const (
	KindLoad     Kind = "load"      // the player was shown
	KindPlay     Kind = "play"      // playback was asked for, by the viewer or by autoplay
	KindPause    Kind = "pause"     // playback was paused at pos_ms
	KindSeek     Kind = "seek"      // the playhead was moved from from_ms to to_ms
	KindEnd      Kind = "end"       // the end was reached
	KindWatch    Kind = "watch"     // [from_ms, to_ms) was played
	KindStartup  Kind = "startup"   // the first frame came took_ms after it was asked for
	KindStall    Kind = "stall"     // playback began to wait for data at pos_ms, not because of a seek
	KindRebuffer Kind = "rebuffer"  // playback, stalled at pos_ms, went on after took_ms
	KindSeekWait Kind = "seek_wait" // the first frame after a seek to pos_ms came after took_ms
	KindRate     Kind = "rate"      // the speed was changed to rate at pos_ms
	KindRung     Kind = "rung"      // the rendition was switched at pos_ms
	KindQuality  Kind = "quality"   // how the last played_ms of playing looked
	KindRequests Kind = "requests"  // what media requests since the last such event took
	KindError    Kind = "error"     // something failed
	KindAction   Kind = "action"    // something offered on the player was shown or used
)

// Severities of an error.
const (
	SeverityFatal    = "fatal"    // playback stopped for good
	SeverityWarning  = "warning"  // playback went on
	SeverityBusiness = "business" // playback is not allowed: not a fault of the service
)

// Directions of a rung shift.
const (
	ShiftFirst = "first" // the rung playback began with
	ShiftUp    = "up"
	ShiftDown  = "down"
)

// ActionTypes are the things on a player that can be acted on.
func ActionTypes() []string {
	return []string{"cta", "gate", "annotation", "chapter", "captions", "share", "playlist", "end_screen", "quality", "pip", "download"}
}

// ActionVerbs are what can become of them.
func ActionVerbs() []string {
	return []string{"impression", "click", "convert", "skip", "on", "off"}
}

// Batch is one beacon body as a player sends it.
type Batch struct {
	V     int    `json:"v"`
	Token string `json:"token"`
	Seq   int64  `json:"seq"` // number of the batch in its view, from 0
	// SentAtMS is when the batch was packed, by the viewer's clock, in Unix
	// milliseconds. A batch waits, and is sent again, with the same bytes: when
	// it left is said beside them, in the query parameter [SentAtParam].
	SentAtMS int64   `json:"sent_at_ms"`
	Viewer   string  `json:"viewer,omitempty"`  // signed identity, see [VerifyViewerToken]
	Leaving  bool    `json:"leaving,omitempty"` // packed as the viewer left; a later batch says that they came back
	Page     *Page   `json:"page,omitempty"`
	Events   []Event `json:"events"`
}

// SentAtParam is the query parameter of a beacon request that says when it was
// sent, by the viewer's clock, in Unix milliseconds. It is optional.
const SentAtParam = "sent_at"

// Page is what is known of the page around the player.
//
//easyjson:json
type Page struct {
	URL          string `json:"url,omitempty"`
	Referrer     string `json:"referrer,omitempty"`
	UTMSource    string `json:"utm_source,omitempty"`
	UTMMedium    string `json:"utm_medium,omitempty"`
	UTMCampaign  string `json:"utm_campaign,omitempty"`
	UTMTerm      string `json:"utm_term,omitempty"`
	UTMContent   string `json:"utm_content,omitempty"`
	Variant      string `json:"variant,omitempty"`  // which arm of an A/B test was shown
	Language     string `json:"language,omitempty"` // RFC 5646
	ScreenWidth  int    `json:"screen_width,omitempty"`
	ScreenHeight int    `json:"screen_height,omitempty"`
	PlayerWidth  int    `json:"player_width,omitempty"`
	PlayerHeight int    `json:"player_height,omitempty"`
}

// Event is one fact. Which fields count depends on the kind (see [Schema]); the
// others are zero after Decode.
//
//easyjson:json
type Event struct {
	Kind     Kind    `json:"k,intern"`
	AtMS     int64   `json:"at_ms"` // Unix milliseconds; viewer's clock until Clamp
	PosMS    int64   `json:"pos_ms,omitempty"`
	FromMS   int64   `json:"from_ms,omitempty"`
	ToMS     int64   `json:"to_ms,omitempty"`
	Rate     float64 `json:"rate,omitempty"`
	Repeat   bool    `json:"repeat,omitempty"`
	Autoplay bool    `json:"autoplay,omitempty"`
	TookMS   int64   `json:"took_ms,omitempty"`

	Muted      bool `json:"muted,omitempty"`
	Fullscreen bool `json:"fullscreen,omitempty"`
	Hidden     bool `json:"hidden,omitempty"`

	Height     int    `json:"height,omitempty"`
	BitrateBPS int64  `json:"bitrate_bps,omitempty"`
	Shift      string `json:"shift,omitempty"`

	PlayedMS        int64   `json:"played_ms,omitempty"`
	Frames          int64   `json:"frames,omitempty"`
	DroppedFrames   int64   `json:"dropped_frames,omitempty"`
	UpscaleAvgPct   float64 `json:"upscale_avg_pct,omitempty"`
	UpscaleMaxPct   float64 `json:"upscale_max_pct,omitempty"`
	DownscaleAvgPct float64 `json:"downscale_avg_pct,omitempty"`
	DownscaleMaxPct float64 `json:"downscale_max_pct,omitempty"`

	Requests      int64 `json:"requests,omitempty"`
	Failed        int64 `json:"failed,omitempty"`
	Bytes         int64 `json:"bytes,omitempty"`
	TTFBMS        int64 `json:"ttfb_ms,omitempty"`
	BufferMS      int64 `json:"buffer_ms,omitempty"`
	ThroughputBPS int64 `json:"throughput_bps,omitempty"`

	Code     string `json:"code,omitempty"`
	Severity string `json:"severity,omitempty"`
	Fatal    bool   `json:"fatal,omitempty"` // after Decode: severity is fatal
	Message  string `json:"message,omitempty"`

	Type    string `json:"type,omitempty"`
	ID      string `json:"id,omitempty"`
	Verb    string `json:"verb,omitempty"`
	Content string `json:"content,omitempty"`
}
