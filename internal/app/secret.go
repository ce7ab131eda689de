package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vitascope/vitascope/internal/auth"
)

// CLITokenFile is the file in the data folder that holds the API token which the
// command line on the same machine uses.
const CLITokenFile = "cli-token"

// loadSecret returns the configured secret, or the one in the data folder, which
// the first start makes.
func loadSecret(cfg *Config) ([]byte, error) {
	if cfg.Secret != "" {
		return []byte(cfg.Secret), nil
	}
	return readOrCreate(filepath.Join(cfg.Data, "secret"), func() string { return rand.Text() + rand.Text() })
}

// readOrCreate returns the content of a file that only its owner may read, making
// it, durably, when it is missing.
func readOrCreate(path string, make func() string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if err == nil && len(raw) > 0 {
		return raw, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", path, err)
	}
	defer os.Remove(f.Name()) // gone already after the rename
	value := make()
	_, err = f.WriteString(value)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", path, err)
	}
	return []byte(value), nil
}

// newCLIToken makes the text of the command line's API token.
func newCLIToken() string { return auth.TokenPrefix + rand.Text() }
