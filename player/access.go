package player

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/playback"
)

// sessionLife is how long a password or an allowed page opens a media.
const sessionLife = 12 * time.Hour

// Why a protected media is not shown. Their codes are documented in docs/access.md.
var (
	errPasswordRequired = fault.New(fault.Unauthorized, "password-required", "This video asks for a password.")
	errPasswordWrong    = fault.New(fault.Unauthorized, "password-wrong", "That is not the password.")
	errTokenRequired    = fault.New(fault.Unauthorized, "token-required", "This video can be watched from its owner's pages alone.")
	errTokenExpired     = fault.New(fault.Forbidden, "token-expired", "The permission to watch this video has ended. Reload the page.")
	errTokenInvalid     = fault.New(fault.Forbidden, "token-invalid", "The permission to watch this video is not valid.")
	errDomain           = fault.New(fault.Forbidden, "domain-not-allowed", "This video may not be shown on this site.")
	errTooManyTries     = fault.New(fault.RateLimited, "rate-limited", "Too many attempts from this network. Wait a minute, then try again.")
)

// credentials are what a player brings along.
type credentials struct {
	Token       string `json:"token"`
	Password    string `json:"password"`
	ViewerToken string `json:"viewer_token"`
}

// caller is who asks: where from, and the page.
type caller struct {
	addr   string
	origin string // host of the page's site, empty when it is our own
}

// admission is what a caller may do: nothing needs showing when path is empty.
type admission struct {
	path    string // path token
	expires time.Time
}

// admit decides whether the caller may watch.
func (h *Handler) admit(ctx context.Context, m media, who caller, shown credentials) (admission, error) {
	a := m.access
	if a.Open() {
		return admission{}, nil
	}
	if shown.Token != "" {
		g, err := h.grantFor(ctx, m, shown.Token)
		if err != nil {
			return admission{}, hidden(a, err)
		}
		if g.By == playback.ByKey && !allowedSite(a.Domains, who.origin) {
			return admission{}, errDomain
		}
		return h.admitted(g), nil
	}
	switch a.Visibility {
	case blob.Private:
		return admission{}, errNoMedia
	case blob.Signed:
		return admission{}, errTokenRequired
	}
	if !allowedSite(a.Domains, who.origin) {
		return admission{}, errDomain
	}
	g := playback.Grant{Media: m.id, By: playback.ByDomain, Ref: fingerprint(a.Domains...), Expires: h.now().Add(sessionLife)}
	if a.PasswordHash != "" {
		if err := h.checkPassword(ctx, a, who, shown.Password); err != nil {
			return admission{}, err
		}
		g.By, g.Ref = playback.ByPassword, fingerprint(a.PasswordHash)
	}
	return h.admitted(g), nil
}

func (h *Handler) admitted(g playback.Grant) admission {
	return admission{path: g.Sign(h.keys.Grant), expires: g.Expires}
}

// hidden keeps private media from being told from unknown ones.
func hidden(a blob.Access, err error) error {
	if a.Visibility == blob.Private && fault.KindOf(err) != fault.Unavailable {
		return errNoMedia
	}
	return err
}

// grantFor returns what a token of either kind is worth.
func (h *Handler) grantFor(ctx context.Context, m media, token string) (playback.Grant, error) {
	if !strings.Contains(token, ".") {
		return h.standing(ctx, m, token)
	}
	keys, err := h.objects.keysOf(ctx, m.account)
	if err != nil {
		return playback.Grant{}, err
	}
	g, err := playback.VerifyPlayback(keys, h.keys.Sealing, m.id, token, h.now())
	if err == nil && m.access.Visibility == blob.Private {
		return playback.Grant{}, errTokenInvalid
	}
	return g, refused(err)
}

// standing returns the grant that a token of ours is, when what it was given for
// still stands.
func (h *Handler) standing(ctx context.Context, m media, token string) (playback.Grant, error) {
	g, err := playback.VerifyGrant(h.keys.Grant, m.id, token, h.now())
	if err != nil {
		return playback.Grant{}, refused(err)
	}
	a := m.access
	anyone := a.Visibility != blob.Private && a.Visibility != blob.Signed
	stands := false
	switch g.By {
	case playback.ByOwner:
		stands = true
	case playback.ByLink:
		stands = slices.ContainsFunc(a.Links, func(l blob.ShareLink) bool {
			return l.ID == g.Ref && h.now().UnixMilli() < l.ExpiresMS
		})
	case playback.ByKey:
		keys, err := h.objects.keysOf(ctx, m.account)
		if err != nil {
			return playback.Grant{}, err
		}
		stands = a.Visibility != blob.Private && slices.ContainsFunc(keys, func(k playback.Key) bool { return k.ID == g.Ref && k.Counts(h.now()) })
	case playback.ByPassword:
		stands = anyone && g.Ref == fingerprint(a.PasswordHash)
	case playback.ByDomain:
		stands = anyone && a.PasswordHash == "" && g.Ref == fingerprint(a.Domains...)
	}
	if !stands {
		return playback.Grant{}, errTokenInvalid
	}
	return g, nil
}

func refused(err error) error {
	switch {
	case errors.Is(err, playback.ErrExpired):
		return errTokenExpired
	case errors.Is(err, playback.ErrInvalid):
		return errTokenInvalid
	}
	return err
}

// checkPassword compares, a few at a time: each comparison takes 64 MiB.
func (h *Handler) checkPassword(ctx context.Context, a blob.Access, who caller, password string) error {
	if password == "" {
		return errPasswordRequired
	}
	if !h.guesses.Allow(ctx, who.addr, h.now()) {
		return errTooManyTries
	}
	h.comparing <- struct{}{}
	defer func() { <-h.comparing }()
	ok, err := argon2id.ComparePasswordAndHash(password, a.PasswordHash)
	if err != nil {
		return err
	}
	if !ok {
		return errPasswordWrong
	}
	return nil
}

// fingerprint stands for what a grant was given for: it changes with it and does
// not tell it.
func fingerprint(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// allowedSite tells whether pages of host may show the media. Our own may.
func allowedSite(domains []string, host string) bool {
	if len(domains) == 0 || host == "" {
		return true
	}
	host = strings.ToLower(host)
	bare, _, _ := strings.Cut(host, ":")
	return slices.ContainsFunc(domains, func(d string) bool {
		if parent, ok := strings.CutPrefix(d, "*."); ok {
			return strings.HasSuffix(bare, "."+parent)
		}
		return d == bare || d == host
	})
}
