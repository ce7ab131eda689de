package jobs

import "github.com/riverqueue/river"

// The queues. Probing has its own so that a new upload is looked at at once,
// however long the encoding queue is. So have the first seconds of what cannot be
// played as it is, and sound and images, which are small: what is shown first waits for
// them, and must not wait for the chunks of other media. Webhooks wait for receivers.
const (
	QueueProbe     = "probe"
	QueueFirst     = "first"
	QueueSound     = "sound"
	QueueTranscode = "transcode"
	QueueWebhooks  = "webhooks"
	QueueImport    = "import"
	QueueDefault   = river.QueueDefault
)

// ProbeArgs asks for a freshly uploaded generation to be looked at and encoded.
// Ingest inserts it; transcode works it.
type ProbeArgs struct {
	MediaID    string `json:"media_id" river:"unique"`
	Generation int    `json:"generation" river:"unique"`
}

// Kind names the job.
func (ProbeArgs) Kind() string { return "probe" }

// InsertOpts sends the job to its queue. Infrastructure faults are retried with
// River's growing pauses: six attempts span about fifteen minutes.
func (ProbeArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: QueueProbe, MaxAttempts: 6}
}

// EarlyArgs asks for a source that is still being uploaded to be shown as far as it
// has come. Ingest inserts it when playback could begin; transcode works it.
type EarlyArgs struct {
	MediaID    string `json:"media_id"`
	Generation int    `json:"generation"`
}

// Kind names the job.
func (EarlyArgs) Kind() string { return "early" }

// InsertOpts sends the job to its queue. When it fails the upload goes on, and its end
// makes the media playable.
func (EarlyArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: QueueProbe, MaxAttempts: 4}
}

// SweepArgs asks for every object of a deleted media to be removed.
type SweepArgs struct {
	AccountID string `json:"account_id"`
	MediaID   string `json:"media_id"`
	SourceKey string `json:"source_key"`
	// Final is the last sweep of the media. It takes its settings too: without them
	// a media that an origin still remembers would be public.
	Final bool `json:"final,omitempty"`
}

// Kind names the job.
func (SweepArgs) Kind() string { return "sweep_media" }

// ForgetArgs asks for every figure and event of a deleted media to be erased.
// Whoever deletes the media inserts it in the same transaction, and once more for
// when no player of it can send beacons any longer.
type ForgetArgs struct {
	AccountID string `json:"account_id"`
	MediaID   string `json:"media_id"`
}

// Kind names the job.
func (ForgetArgs) Kind() string { return "forget_media" }

// ForgetVisitorArgs asks for every figure and event of a visitor to be erased, by
// pseudonym or identity. Whoever erases a lead inserts it in the same transaction,
// and once more for when no player can send beacons in its name any longer.
type ForgetVisitorArgs struct {
	AccountID string `json:"account_id"`
	Visitor   string `json:"visitor"`
}

// Kind names the job.
func (ForgetVisitorArgs) Kind() string { return "forget_visitor" }

// PublishSettingsArgs asks for what origins read of a media's settings to be brought up
// to the catalog, or of an account's signing keys when no media is named. Who changes
// these inserts it in the same transaction.
type PublishSettingsArgs struct {
	AccountID string `json:"account_id"`
	MediaID   string `json:"media_id"`
}

// Kind names the job.
func (PublishSettingsArgs) Kind() string { return "publish_settings" }

// wakeArgs is inserted to no end but to wake a queue: see Client.wake.
type wakeArgs struct {
	Queue string `json:"queue" river:"unique"`
}

// Kind names the job.
func (wakeArgs) Kind() string { return "wake" }

// PresentArgs asks for what viewers are shown of a media to be brought up to the
// catalog: captions, chapters, poster and preview. Who changes these inserts it
// in the same transaction.
type PresentArgs struct {
	MediaID    string `json:"media_id"`
	Generation int    `json:"generation"`
}

// Kind names the job.
func (PresentArgs) Kind() string { return "present" }

// InsertOpts sends the job where nothing long is before it.
func (PresentArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: QueueProbe, MaxAttempts: 10}
}

// PosterArgs asks for a poster: the frame at a moment of the media or, when
// Uploaded, the picture that lies under blob.PosterUploadKey.
type PosterArgs struct {
	MediaID    string `json:"media_id"`
	Generation int    `json:"generation"`
	PosterID   string `json:"poster_id"` // names its objects
	AtMS       int64  `json:"at_ms"`
	Uploaded   bool   `json:"uploaded"`
	Aside      bool   `json:"aside,omitempty"` // only made: the media keeps the poster it has
}

// Kind names the job.
func (PosterArgs) Kind() string { return "poster" }

// InsertOpts sends the job to the encoders, before their other work.
func (PosterArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: QueueTranscode, MaxAttempts: 4, Priority: 1}
}

// WebhookArgs asks for a delivery to be tried until its receiver has it. Package
// webhooks says when it gives up: the job itself is put off, never out of attempts.
type WebhookArgs struct {
	DeliveryID string `json:"delivery_id" river:"unique"`
}

// Kind names the job.
func (WebhookArgs) Kind() string { return "webhook" }

// InsertOpts sends the job to its queue.
func (WebhookArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: QueueWebhooks, MaxAttempts: 100}
}

// ImportArgs asks for the file at an address to be fetched into a media's upload.
type ImportArgs struct {
	MediaID    string `json:"media_id"`
	Generation int    `json:"generation"`
	URL        string `json:"url"`
	Tag        string `json:"tag"` // entity tag of the file that was seen, if it had one
}

// Kind names the job.
func (ImportArgs) Kind() string { return "import" }

// InsertOpts sends the job to those who receive files.
func (ImportArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: QueueImport, MaxAttempts: 6}
}
