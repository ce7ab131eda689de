package sharing

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
)

// Access is who may watch a media, as the API shows it.
type Access struct {
	Visibility  string     `json:"visibility" enum:"public,unlisted,signed,private" doc:"public: everyone, and search engines; unlisted: everyone with the link or the embed; signed: holders of a token that your server signed, or of a share link; private: people of the account and holders of a share link."`
	Domains     []string   `json:"domains" nullable:"false" doc:"Sites that may show it, as example.com, *.example.org or localhost:3000; none: every site may." example:"[\"example.com\"]"`
	HasPassword bool       `json:"has_password" doc:"Whether viewers are asked for a password."`
	UpdatedAt   *time.Time `json:"updated_at" doc:"Null before the first change."`
}

type accessOutput struct{ Body Access }

func accessOf(row catalog.MediaSettings) *accessOutput {
	out := &accessOutput{Body: Access{Visibility: row.Visibility, Domains: row.DomainList(), HasPassword: row.PasswordHash != ""}}
	if out.Body.Domains == nil {
		out.Body.Domains = []string{}
	}
	if !row.UpdatedAt.IsZero() {
		at := row.UpdatedAt.UTC()
		out.Body.UpdatedAt = &at
	}
	return out
}

// getAccess answers with who may watch a media.
func (s *Service) getAccess(ctx context.Context, in *auth.ByID) (*accessOutput, error) {
	m, err := auth.Media(ctx, s.db, in.ID)
	if err != nil {
		return nil, err
	}
	row, err := s.db.Settings(ctx, s.db, m.ID)
	if err != nil {
		return nil, err
	}
	return accessOf(row), nil
}

type putAccessInput struct {
	ID   string `path:"id" doc:"The media's id." example:"k3v9x0a1bz"`
	Body struct {
		Visibility string   `json:"visibility" enum:"public,unlisted,signed,private"`
		Domains    []string `json:"domains,omitempty" nullable:"false" maxItems:"100" maxLength:"253" doc:"None: every site may show it."`
		Password   *string  `json:"password,omitempty" maxLength:"200" doc:"Viewers are asked for it. Left out: as it is; empty: none."`
	}
}

// putAccess says who may watch a media. It holds everywhere within a second or two.
func (s *Service) putAccess(ctx context.Context, in *putAccessInput) (*accessOutput, error) {
	m, err := auth.Media(ctx, s.db, in.ID)
	if err != nil {
		return nil, err
	}
	var domains []string
	for _, text := range in.Body.Domains {
		d, err := domain(text)
		if err != nil {
			return nil, err
		}
		domains = append(domains, d)
	}
	slices.Sort(domains)
	domains = slices.Compact(domains)
	hash := ""
	if p := in.Body.Password; p != nil && *p != "" {
		if len([]rune(*p)) < minPassword {
			return nil, fault.New(fault.Invalid, "password-too-short", "The password needs at least %d characters.", minPassword)
		}
		if hash, err = argon2id.CreateHash(*p, argon2id.DefaultParams); err != nil {
			return nil, fmt.Errorf("hash password of media %s: %w", m.ID, err)
		}
	}
	var row catalog.MediaSettings
	err = s.change(ctx, m, func(ctx context.Context, tx catalog.Tx) (err error) {
		if row, err = s.db.Settings(ctx, tx, m.ID); err != nil {
			return err
		}
		row.Visibility, row.Domains = in.Body.Visibility, strings.Join(domains, " ")
		if in.Body.Password != nil {
			row.PasswordHash = hash
		}
		return s.db.PutSettings(ctx, tx, &row)
	})
	if err != nil {
		return nil, err
	}
	s.log.InfoContext(ctx, "access changed", "media_id", m.ID, "visibility", row.Visibility)
	return accessOf(row), nil
}

// minPassword is short: passwords of videos are told to many, and guesses are bounded.
const minPassword = 4

// isDomain is narrow, since the list becomes part of a Content-Security-Policy.
var isDomain = regexp.MustCompile(`^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(:[1-9][0-9]{0,4})?$`)

// domain brings what people write, addresses of pages too, to the form of the list.
func domain(text string) (string, error) {
	d := strings.ToLower(strings.TrimSpace(text))
	if strings.Contains(d, "://") {
		if u, err := url.Parse(d); err == nil {
			d = u.Host
		}
	}
	d = strings.TrimSuffix(strings.TrimSuffix(d, "/"), ".")
	if host, err := ascii(d); err == nil {
		d = host
	}
	if len(d) > 253 || !isDomain.MatchString(d) {
		return "", fault.New(fault.Invalid, "invalid-domain", "“%s” is not a domain such as example.com, *.example.com or localhost:3000.", clip(text))
	}
	return d, nil
}

// clip bounds what of a text is said back.
func clip(text string) string {
	runes := []rune(strings.ToValidUTF8(text, ""))
	return string(runes[:min(len(runes), 60)])
}
