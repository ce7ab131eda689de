package uploadcli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// DefaultStateDir is the folder for notes about interrupted uploads.
func DefaultStateDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	return filepath.Join(dir, "vitascope", "uploads"), nil
}

// state notes where an upload of one file to one server goes on.
type state struct {
	file string

	Location string `json:"location"`
	MediaID  string `json:"media_id"`
}

// openState reads the note for the file as it is now: one that changed since is
// another upload.
func (c *Client) openState(path string, info os.FileInfo) (*state, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d\n%d", c.base, abs, info.Size(), info.ModTime().UnixNano()))
	s := &state{file: filepath.Join(c.o.StateDir, hex.EncodeToString(key[:16])+".json")}
	raw, err := os.ReadFile(s.file)
	if err != nil {
		return s, nil // none, or not readable: a new upload
	}
	if json.Unmarshal(raw, s) != nil || s.MediaID == "" {
		return &state{file: s.file}, nil
	}
	return s, nil
}

func (s *state) save() error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.file), 0o700); err != nil {
		return err
	}
	tmp := s.file + ".tmp"
	if err := os.WriteFile(tmp, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, s.file)
}

func (s *state) remove() { _ = os.Remove(s.file) } // a note that stays leads to a finished upload, which is harmless

// TokenFile is where a server on this machine keeps the command line's token.
func TokenFile(dataDir string) string { return filepath.Join(dataDir, "cli-token") }

// FindToken returns the token given by flag, by environment or by a server on
// this machine whose data folder is dataDir, in this order; "" when there is none.
func FindToken(flag, env, dataDir string) (string, error) {
	for _, t := range []string{flag, env} {
		if t = strings.TrimSpace(t); t != "" {
			return t, nil
		}
	}
	raw, err := os.ReadFile(TokenFile(dataDir))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the command line's token: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}
