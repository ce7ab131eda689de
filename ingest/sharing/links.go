package sharing

import (
	"context"
	"fmt"
	"time"

	"github.com/vitascope/vitascope/ingest"
	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/playback"
)

const (
	// maxLinks bounds the links of a media, expired ones included.
	maxLinks = 200
	// longestLink is how far away a link's end may be.
	longestLink = 5 * 365 * 24 * time.Hour
)

// ShareLink is a share link as the API shows it.
type ShareLink struct {
	ID        string    `json:"id"`
	Name      string    `json:"name" example:"Press"`
	URL       string    `json:"url" doc:"Whoever has it may watch until it expires."`
	ExpiresAt time.Time `json:"expires_at"`
	CreatedAt time.Time `json:"created_at"`
}

// linkView makes the address anew: it is the same each time. The token is in the
// fragment, which browsers send to no server.
func (s *Service) linkView(l catalog.ShareLink) ShareLink {
	g := playback.Grant{Media: l.MediaID, By: playback.ByLink, Ref: l.ID, Expires: time.UnixMilli(l.ExpiresMS)}
	return ShareLink{
		ID: l.ID, Name: l.Name, ExpiresAt: g.Expires.UTC(), CreatedAt: l.CreatedAt.UTC(),
		URL: s.cfg.PublicURL + "/share/" + l.MediaID + "#token=" + g.Sign(s.cfg.GrantKey),
	}
}

type linksOutput struct {
	Body struct {
		Items []ShareLink `json:"items" nullable:"false" doc:"Newest first, expired ones too."`
	}
}

// listLinks answers with a media's share links.
func (s *Service) listLinks(ctx context.Context, in *auth.ByID) (*linksOutput, error) {
	m, err := auth.Media(ctx, s.db, in.ID)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.ShareLinks(ctx, s.db, m.ID)
	if err != nil {
		return nil, err
	}
	out := &linksOutput{}
	out.Body.Items = make([]ShareLink, 0, len(rows))
	for _, l := range rows {
		out.Body.Items = append(out.Body.Items, s.linkView(l))
	}
	return out, nil
}

type createLinkInput struct {
	ID   string `path:"id" doc:"The media's id." example:"k3v9x0a1bz"`
	Body struct {
		Name      string    `json:"name" minLength:"1" maxLength:"100" doc:"Whom it is for."`
		ExpiresAt time.Time `json:"expires_at" doc:"In the future, within five years."`
	}
}

type linkOutput struct{ Body ShareLink }

// createLink makes a link that opens the media, whatever its access settings, until
// it expires.
func (s *Service) createLink(ctx context.Context, in *createLinkInput) (*linkOutput, error) {
	m, err := auth.Media(ctx, s.db, in.ID)
	if err != nil {
		return nil, err
	}
	end := in.Body.ExpiresAt.Truncate(time.Second) // tokens count in seconds
	if left := time.Until(end); left <= 0 || left > longestLink {
		return nil, fault.New(fault.Invalid, "invalid-expiry", "A share link ends in the future, within five years.")
	}
	row := catalog.ShareLink{ID: catalog.NewID(), MediaID: m.ID, Name: ingest.CleanName(in.Body.Name), ExpiresMS: end.UnixMilli()}
	err = s.change(ctx, m, func(ctx context.Context, tx catalog.Tx) error {
		rows, err := s.db.ShareLinks(ctx, tx, m.ID)
		if err != nil {
			return err
		}
		if len(rows) >= maxLinks {
			return fault.New(fault.TooLarge, "too-many-share-links", "A video can have %d share links at most. Revoke some that are not needed.", maxLinks)
		}
		return s.db.CreateShareLink(ctx, tx, &row)
	})
	if err != nil {
		return nil, err
	}
	return &linkOutput{Body: s.linkView(row)}, nil
}

type linkInput struct {
	ID   string `path:"id" doc:"The media's id." example:"k3v9x0a1bz"`
	Link string `path:"link" maxLength:"64"`
}

// deleteLink revokes a share link: what it opened ends within a second or two.
func (s *Service) deleteLink(ctx context.Context, in *linkInput) (*struct{}, error) {
	m, err := auth.Media(ctx, s.db, in.ID)
	if err != nil {
		return nil, err
	}
	if !catalog.IsID(in.Link) {
		return nil, fmt.Errorf("share link: %w", catalog.ErrNotFound)
	}
	return nil, s.change(ctx, m, func(ctx context.Context, tx catalog.Tx) error {
		return s.db.DeleteShareLink(ctx, tx, m.ID, in.Link)
	})
}
