package app

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// tempKept is how long what a killed process left in the temporary folder stays:
// longer than any job, since another process may share the folder.
const tempKept = 24 * time.Hour

// tempDir is where jobs and uploads keep what they work on.
func (a *App) tempDir() string { return filepath.Join(a.cfg.Data, "tmp") }

// uploadsDir is ingest's part of the temporary folder. It stays: its files are
// unlinked while in use, so a kill leaves none, and its age says nothing.
const uploadsDir = "uploads"

// prepareTemp makes the temporary folder and removes what was left in it long ago.
func prepareTemp(dir string, now time.Time) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("temporary folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("temporary folder: %w", err)
	}
	for _, e := range entries {
		if e.Name() == uploadsDir {
			continue
		}
		info, err := e.Info()
		if err != nil || now.Sub(info.ModTime()) < tempKept {
			continue // gone already, or perhaps in use
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("temporary folder: %w", err)
		}
	}
	return nil
}
