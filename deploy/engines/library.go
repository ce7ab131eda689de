package engines

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// ErrNoLibrary is returned by FindLibrary when there is no libchdb.so.
var ErrNoLibrary = errors.New("the ClickHouse library libchdb.so is not installed")

const libraryName = "libchdb.so"

// FindLibrary returns the absolute path of libchdb.so: explicit if that is not
// empty, else the file beside the executable, else the one that npm installed,
// node_modules/@chdb/lib-linux-<x64|arm64>-gnu/libchdb.so in the executable's
// or the working directory or a parent of either. The error wraps ErrNoLibrary
// and says how to get the file.
func FindLibrary(explicit string) (string, error) {
	if explicit != "" {
		path, err := filepath.Abs(explicit)
		if err != nil {
			return "", fmt.Errorf("find library %s: %w", explicit, err)
		}
		if !isFile(path) {
			return "", fmt.Errorf("%w: no file at the configured path %s", ErrNoLibrary, path)
		}
		return path, nil
	}
	var tried []string
	if exe, err := os.Executable(); err == nil {
		dir := filepath.Dir(exe)
		beside := filepath.Join(dir, libraryName)
		if isFile(beside) {
			return beside, nil
		}
		tried = append(tried, beside)
		if path, ok := findInParents(dir); ok {
			return path, nil
		}
		tried = append(tried, filepath.Join(dir, packagePath()))
	}
	// $PWD is where the process began, which an S3 gateway may have left.
	dirs := []string{os.Getenv("PWD")}
	if dir, err := os.Getwd(); err == nil && dir != dirs[0] {
		dirs = append(dirs, dir)
	}
	for _, dir := range dirs {
		if !filepath.IsAbs(dir) {
			continue
		}
		if path, ok := findInParents(dir); ok {
			return path, nil
		}
		tried = append(tried, filepath.Join(dir, packagePath()))
	}
	return "", fmt.Errorf("%w: run `npm ci` in the source tree, or put %s beside the executable, or configure its path "+
		"(looked for %q and node_modules of parent folders)", ErrNoLibrary, libraryName, tried)
}

// packagePath is where npm puts the library for this machine. Node says x64
// where Go says amd64.
func packagePath() string {
	arch := runtime.GOARCH
	if arch == "amd64" {
		arch = "x64"
	}
	return filepath.Join("node_modules", "@chdb", fmt.Sprintf("lib-%s-%s-gnu", runtime.GOOS, arch), libraryName)
}

func findInParents(dir string) (string, bool) {
	for {
		if path := filepath.Join(dir, packagePath()); isFile(path) {
			return path, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeType == 0
}
