package marketing

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
)

// The kinds of actions.
const (
	kindCTA        = "cta"
	kindGate       = "gate"
	kindAnnotation = "annotation"
)

// PlayerAction is something a player asks of its viewers.
type PlayerAction struct {
	ID              string   `json:"id,omitempty" maxLength:"64" doc:"Names it in the statistics: letters, digits, - and _. Made when left out; keep it when you change the rest." example:"spring-offer"`
	Type            string   `json:"type" enum:"cta,gate,annotation" doc:"cta: words, a picture and a link, playback waits; gate: asks for an email address, playback waits; annotation: words or a link in the corner, playback goes on."`
	At              string   `json:"at" enum:"start,time,end" doc:"When: before the video, at a time, at its end. An annotation is not at the end."`
	AtSeconds       float64  `json:"at_seconds,omitempty" minimum:"0" maximum:"43200" doc:"With at time." example:"30"`
	DurationSeconds float64  `json:"duration_seconds,omitempty" minimum:"0" maximum:"600" doc:"How long an annotation stays; 10 when left out."`
	Text            string   `json:"text" minLength:"1" maxLength:"200" doc:"Its headline: text, never markup." example:"Try it for free"`
	Description     string   `json:"description,omitempty" maxLength:"600" doc:"Text below it; line breaks are kept."`
	Button          string   `json:"button,omitempty" maxLength:"60"`
	URL             string   `json:"url,omitempty" maxLength:"2048" doc:"Where a cta or an annotation leads: https, http, mailto or tel."`
	ImageURL        string   `json:"image_url,omitempty" maxLength:"2048" doc:"Picture of a cta, https or http."`
	ImageAlt        string   `json:"image_alt,omitempty" maxLength:"200" doc:"What the picture says, for those who do not see it."`
	Skippable       bool     `json:"skippable" doc:"Whether viewers may go on without. A cta without a link always is."`
	Fields          []string `json:"fields,omitempty" maxItems:"3" nullable:"false" enum:"name,company,phone" doc:"What a gate asks for beside the email address; the name in two fields."`
	Consent         string   `json:"consent,omitempty" maxLength:"400" doc:"Words that a gate has viewers agree to, with a box of their own; kept with the lead."`
}

type actionsOutput struct {
	Body struct {
		Items     []PlayerAction `json:"items" nullable:"false"`
		UpdatedAt *time.Time     `json:"updated_at" doc:"Null before the first change."`
	}
}

func actionsOf(row catalog.MediaSettings) (*actionsOutput, error) {
	out := &actionsOutput{}
	out.Body.Items = []PlayerAction{}
	if row.Actions != "" {
		if err := json.Unmarshal([]byte(row.Actions), &out.Body.Items); err != nil {
			return nil, fmt.Errorf("actions of media %s: %w", row.MediaID, err)
		}
	}
	if !row.UpdatedAt.IsZero() {
		at := row.UpdatedAt.UTC()
		out.Body.UpdatedAt = &at
	}
	return out, nil
}

// getActions answers with what a media's player asks.
func (s *Service) getActions(ctx context.Context, in *auth.ByID) (*actionsOutput, error) {
	m, err := auth.Media(ctx, s.db, in.ID)
	if err != nil {
		return nil, err
	}
	row, err := s.db.Settings(ctx, s.db, m.ID)
	if err != nil {
		return nil, err
	}
	return actionsOf(row)
}

// maxActionsBytes bounds what every player of a media is sent.
const maxActionsBytes = 64 << 10

type putActionsInput struct {
	ID   string `path:"id" doc:"The media's id." example:"k3v9x0a1bz"`
	Body struct {
		Items []PlayerAction `json:"items" maxItems:"20" nullable:"false" doc:"In any order; none remove all."`
	}
}

// putActions replaces what a media's player asks. Players that start two seconds later
// show it.
func (s *Service) putActions(ctx context.Context, in *putActionsInput) (*actionsOutput, error) {
	m, err := auth.Media(ctx, s.db, in.ID)
	if err != nil {
		return nil, err
	}
	items, err := checkActions(in.Body.Items, m.DurationMS)
	if err != nil {
		return nil, err
	}
	text := ""
	if len(items) > 0 {
		raw, err := json.Marshal(items)
		if err != nil {
			return nil, fmt.Errorf("actions of media %s: %w", m.ID, err)
		}
		if len(raw) > maxActionsBytes {
			return nil, fault.New(fault.TooLarge, "actions-too-large", "The texts of these actions are too long together.")
		}
		text = string(raw)
	}
	var row catalog.MediaSettings
	err = s.publisher.Change(ctx, m, func(ctx context.Context, tx catalog.Tx) (err error) {
		if row, err = s.db.Settings(ctx, tx, m.ID); err != nil {
			return err
		}
		row.Actions = text
		return s.db.PutSettings(ctx, tx, &row)
	})
	if err != nil {
		return nil, err
	}
	s.log.InfoContext(ctx, "actions changed", "media_id", m.ID, "actions", len(items))
	return actionsOf(row)
}

var isActionID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// checkActions cleans a list of actions, or says what is wrong with it. durationMS is
// 0 while it is unknown.
func checkActions(list []PlayerAction, durationMS int64) ([]PlayerAction, error) {
	out := make([]PlayerAction, 0, len(list))
	seen := map[string]bool{}
	for _, in := range list {
		a, err := checkAction(in, durationMS)
		if err != nil {
			return nil, err
		}
		if seen[a.ID] {
			return nil, fault.New(fault.Invalid, "action-twice", "Two actions have the id “%s”.", a.ID)
		}
		seen[a.ID] = true
		out = append(out, a)
	}
	return out, nil
}

func checkAction(in PlayerAction, durationMS int64) (PlayerAction, error) {
	bad := func(code, format string, args ...any) (PlayerAction, error) {
		return PlayerAction{}, fault.New(fault.Invalid, code, format, args...)
	}
	a := PlayerAction{ID: in.ID, Type: in.Type, At: in.At, Text: line(in.Text), Description: lines(in.Description), Skippable: in.Skippable}
	if a.ID == "" {
		a.ID = catalog.NewID()
	}
	switch {
	case !isActionID.MatchString(a.ID):
		return bad("action-id", "The id of an action is letters, digits, - and _, at most 64.")
	case a.Text == "":
		return bad("action-text", "An action needs a text.")
	case a.At == "time" && durationMS > 0 && int64(in.AtSeconds*1000) >= durationMS:
		return bad("action-after-end", "“%s” comes after the end of the video.", a.Text)
	}
	if a.At == "time" {
		a.AtSeconds = in.AtSeconds
	}
	var err error
	switch a.Type {
	case kindAnnotation:
		if a.At == "end" {
			return bad("annotation-at-end", "An annotation is shown while the video plays: give it a time.")
		}
		if a.DurationSeconds = in.DurationSeconds; a.DurationSeconds == 0 {
			a.DurationSeconds = 10
		}
		a.Description, a.Skippable = "", true
		a.URL, err = address(in.URL, "“"+a.Text+"”", "https", "http", "mailto", "tel")
	case kindCTA:
		a.Button, a.ImageAlt = line(in.Button), line(in.ImageAlt)
		if a.URL, err = address(in.URL, "“"+a.Text+"”", "https", "http", "mailto", "tel"); err == nil {
			a.ImageURL, err = address(in.ImageURL, "the picture", "https", "http")
		}
		a.Skippable = a.Skippable || a.URL == ""
	case kindGate:
		a.Button, a.Consent = line(in.Button), line(in.Consent)
		for _, f := range []string{"name", "company", "phone"} {
			if slices.Contains(in.Fields, f) {
				a.Fields = append(a.Fields, f)
			}
		}
	}
	return a, err
}
