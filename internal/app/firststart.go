package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
)

// accountName is what the account of a fresh installation is called.
const accountName = "My company"

// firstStart makes sure that there is an admin and, on one machine, a token for
// the command line. Until somebody has chosen a password it returns a one-time
// login link.
func (a *App) firstStart(ctx context.Context, p *process) (string, error) {
	admin, created, err := p.catalog.EnsureAdmin(ctx, accountName, a.cfg.AdminEmail)
	if err != nil {
		return "", err
	}
	if created {
		a.log.InfoContext(ctx, "first start: admin account created", "email", admin.Email)
	}
	if p.catalog.Postgres() == nil {
		token, err := readOrCreate(filepath.Join(a.cfg.Data, CLITokenFile), newCLIToken)
		if err != nil {
			return "", err
		}
		if err := p.auth.AdoptAPIToken(ctx, admin.AccountID, admin.ID, "Command line on the server", string(token)); err != nil {
			return "", err
		}
	}
	if admin.PasswordHash != "" {
		return "", nil
	}
	return loginLink(ctx, p.auth, admin, a.cfg.PublicURL)
}

func loginLink(ctx context.Context, svc *auth.Service, u catalog.User, publicURL string) (string, error) {
	token, err := svc.NewLoginToken(ctx, u.ID)
	if err != nil {
		return "", err
	}
	// In the fragment, the token reaches no server log and no Referer.
	return publicURL + "/#/login/" + token, nil
}

// LoginLink makes a one-time login link for the admin. It may be called while the
// server runs.
func LoginLink(ctx context.Context, cfg Config, log *slog.Logger) (link string, err error) {
	if cfg.Catalog == "" {
		path, err := filepath.Abs(filepath.Join(cfg.Data, "catalog.db"))
		if err != nil {
			return "", err
		}
		cfg.Catalog = "sqlite://" + path
	}
	if cfg.PublicURL == "" {
		cfg.PublicURL = "http://" + cfg.Listen
	}
	db, err := catalog.Open(ctx, cfg.Catalog, log)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Migrate(ctx); err != nil {
		return "", err
	}
	admin, _, err := db.EnsureAdmin(ctx, accountName, cfg.AdminEmail)
	if err != nil {
		return "", fmt.Errorf("login link: %w", err)
	}
	return loginLink(ctx, auth.New(db, false, log), admin, cfg.PublicURL)
}

// SetQuota bounds what the account of the user with an e-mail address may keep. It may
// be called while the server runs.
func SetQuota(ctx context.Context, cfg Config, email string, maxBytes, maxFiles int64, log *slog.Logger) (err error) {
	if cfg.Catalog == "" {
		path, err := filepath.Abs(filepath.Join(cfg.Data, "catalog.db"))
		if err != nil {
			return err
		}
		cfg.Catalog = "sqlite://" + path
	}
	db, err := catalog.Open(ctx, cfg.Catalog, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	account, err := db.AccountOf(ctx, email)
	if err != nil {
		return err
	}
	return db.SetQuota(ctx, catalog.Quota{AccountID: account, MaxBytes: maxBytes, MaxFiles: maxFiles})
}
